package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	// address is where the server listens in its pod.
	address = ":8080"
	// pollEvery is the time between two looks at the file.
	pollEvery = 50 * time.Millisecond
	// changed is the exit code of the sidecar when the file has changed.
	changed = 88
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "serve":
		err = serve(ctx, os.Args[2])
	case len(os.Args) == 3 && os.Args[1] == "watch":
		if err = watch(ctx, os.Args[2]); err == nil && ctx.Err() == nil {
			os.Exit(changed)
		}
	default:
		err = errors.New("usage: app serve|watch FILE")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve answers with the file's content under /file, and with the environment variable VALUE under /env.
func serve(ctx context.Context, path string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/file", func(w http.ResponseWriter, _ *http.Request) {
		content, err := os.ReadFile(path)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(content)
	})
	mux.HandleFunc("/env", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(os.Getenv("VALUE")))
	})
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// watch returns when the file's content is no longer what it was at first, or when ctx ends.
func watch(ctx context.Context, path string) error {
	first, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		now, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !bytes.Equal(first, now) {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
