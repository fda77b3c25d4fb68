package process

import "runtime"

// Thread is an operating system thread that lives as long as this command. A child
// that is started from it dies with the command and not before: Pdeathsig goes by
// the thread that forked, and Go may end any other thread. A child also inherits
// what belongs to a thread alone, its mount namespace for one.
type Thread struct {
	work chan func()
}

// NewThread starts one. It cannot be ended.
func NewThread() *Thread {
	t := &Thread{work: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for f := range t.work {
			f()
		}
	}()
	return t
}

// Do runs f on the thread and returns its error. Calls queue up; f must not call Do.
func (t *Thread) Do(f func() error) error {
	result := make(chan error)
	t.work <- func() { result <- f() }
	return <-result
}
