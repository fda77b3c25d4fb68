package main

import (
	"context"
	"errors"
	"io"
	"testing"
)

func TestStopWithStdin(t *testing.T) {
	t.Parallel()
	reader, writer := io.Pipe()
	ctx := stopWithStdin(t.Context(), reader)
	if _, err := writer.Write([]byte("still here\n")); err != nil {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatal("the context ended while standard input was open")
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, errStdinClosed) {
		t.Errorf("the context ended with %v", cause)
	}
}
