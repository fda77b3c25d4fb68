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
	for name, c := range map[string]struct {
		all, lang string
		want      bool
	}{"no locale": {"", "", false}, "a language": {"", "en_GB.UTF-8", true}, "another one that wins": {"C", "en_GB.UTF-8", false}} {
		t.Setenv("LC_ALL", c.all)
		t.Setenv("LC_CTYPE", "")
		t.Setenv("LANG", c.lang)
		if Lines(device) != c.want || Lines(&bytes.Buffer{}) {
			t.Errorf("%s: lines drawn are not %t", name, c.want)
		}
	}
}

func TestACounterIsForTerminalsAlone(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := NewCounter(&out, "looking at %d of %d pods")
	c.Set(1, 2)
	c.Clear()
	if out.Len() > 0 {
		t.Errorf("%q", out.String())
	}
	c.shown = true
	c.Set(1, 2)
	c.Clear()
	if got := out.String(); got != "\rlooking at 1 of 2 pods\x1b[K\r\x1b[K" {
		t.Errorf("%q", got)
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
