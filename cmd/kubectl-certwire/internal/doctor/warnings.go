package doctor

import (
	"slices"
	"strings"
	"sync"
)

// warnings are what the API server sends along with an answer.
type warnings struct {
	mu   sync.Mutex
	list []string
}

func (w *warnings) hear(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, text)
}

// has reports whether one of them holds a text.
func (w *warnings) has(part string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.list, func(text string) bool { return strings.Contains(text, part) })
}
