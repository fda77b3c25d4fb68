package terminal

import (
	"bytes"
	"os"
	"testing"
)

func TestForIsPlainWhereNobodyLooks(t *testing.T) {
	t.Parallel()
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if For(&bytes.Buffer{}) || For(file) {
		t.Error("colour in a buffer or a file")
	}
}

func TestNoColor(t *testing.T) {
	device, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	if !For(device) {
		t.Error("no colour on a character device")
	}
	t.Setenv("NO_COLOR", "1")
	if For(device) {
		t.Error("colour in spite of NO_COLOR")
	}
}

func TestPaint(t *testing.T) {
	t.Parallel()
	if got := Painter(true).Red("x"); got != "\x1b[31mx\x1b[0m" {
		t.Errorf("%q", got)
	}
	if got := Painter(false).Red("x"); got != "x" {
		t.Errorf("%q", got)
	}
}
