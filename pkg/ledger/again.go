package ledger

import "sync"

// again runs a function in the background: never twice at a time, and once more for all who asked meanwhile.
type again struct {
	mu             sync.Mutex
	running, asked bool
}

func (a *again) do(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = true
	if a.running {
		return
	}
	a.running = true
	go a.run(f)
}

func (a *again) run(f func()) {
	for {
		a.mu.Lock()
		if !a.asked {
			a.running = false
			a.mu.Unlock()
			return
		}
		a.asked = false
		a.mu.Unlock()
		f()
	}
}
