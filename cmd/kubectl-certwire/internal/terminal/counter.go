package terminal

import (
	"fmt"
	"io"
	"sync"
)

// Counter shows on a terminal how far long work has come, in a line that is gone once it is done. It is safe for concurrent
// use.
type Counter struct {
	w     io.Writer
	text  string
	shown bool
	mu    sync.Mutex
}

// NewCounter returns one for w, which is usually the standard error. text takes two numbers: how much is done, of how much.
func NewCounter(w io.Writer, text string) *Counter {
	return &Counter{w: w, text: text, shown: Is(w)}
}

// erase ends a line at the cursor (ECMA-48, EL).
const erase = "\x1b[K"

// Set shows a count.
func (c *Counter) Set(done, of int) {
	if !c.shown {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = fmt.Fprintf(c.w, "\r"+c.text+erase, done, of)
}

// Clear takes the line away.
func (c *Counter) Clear() {
	if !c.shown {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = fmt.Fprint(c.w, "\r"+erase)
}
