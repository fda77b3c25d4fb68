package config

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// File keeps the settings of one file current. Safe for concurrent use.
type File struct {
	path    string
	current atomic.Pointer[Settings]
	text    []byte // what was read last, good or bad
	bad     bool   // whether that was not taken
}

// Open reads a file for the first time; see [Load] for the errors. An empty path means defaults that never change.
func Open(path string) (*File, error) {
	f := &File{path: path}
	var err error
	if path != "" {
		if f.text, err = os.ReadFile(path); err != nil {
			return nil, fmt.Errorf("reading the configuration: %w", err)
		}
	}
	c, err := Load(path)
	if err != nil {
		return nil, err
	}
	s, err := c.Settings()
	if err != nil {
		return nil, err
	}
	f.current.Store(s)
	return f, nil
}

// Current returns the last good settings.
func (f *File) Current() *Settings { return f.current.Load() }

// Watch looks at the file every so often until the context ends. A ConfigMap volume is swapped by a symbolic link a
// minute after the change anyway, so looking is as quick as being told and never misses. changed is called after every
// change of the file's text: with nil and the new settings in force, or with why they were not taken. The same bad text
// is reported once.
func (f *File) Watch(ctx context.Context, every time.Duration, changed func(*Settings, error)) {
	if f.path == "" {
		<-ctx.Done()
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.look(changed)
		}
	}
}

func (f *File) look(changed func(*Settings, error)) {
	text, err := os.ReadFile(f.path)
	if err != nil {
		if f.text != nil {
			f.text, f.bad = nil, true
			changed(nil, fmt.Errorf("reading the configuration: %w", err))
		}
		return
	}
	if f.text != nil && bytes.Equal(text, f.text) {
		return
	}
	f.text = text
	wasBad := f.bad
	f.bad = true
	c, err := Parse(f.path, text)
	if err != nil {
		changed(nil, err)
		return
	}
	s, err := c.Settings()
	if err != nil {
		changed(nil, err)
		return
	}
	f.bad = false
	if s.Hash == f.Current().Hash && !wasBad {
		return // a comment
	}
	f.current.Store(s)
	changed(s, nil)
}
