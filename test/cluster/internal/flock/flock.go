package flock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// retryEvery is how often Acquire looks again while another process holds the
// lock. flock(2) can also block, but then a signal could not end the wait.
const retryEvery = 200 * time.Millisecond

// Lock is a lock that is held until Release, or until the process ends.
type Lock struct {
	file *os.File
}

// Try takes the lock on the file at path, which it creates if need be. It
// returns nil and no error when another holder has it.
func Try(path string) (*Lock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("creating the folder of lock %s: %w", path, err)
	}
	// Go opens files close-on-exec: a child process does not prolong the lock.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening lock %s: %w", path, err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return &Lock{file: file}, nil
	}
	closeErr := file.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, closeErr
	}
	return nil, fmt.Errorf("locking %s: %w", path, err)
}

// Acquire takes the lock on the file at path and waits while another holder has
// it. It calls waiting once, before the first wait. It ends early with ctx's
// cause when ctx does.
func Acquire(ctx context.Context, path string, waiting func()) (*Lock, error) {
	ticker := time.NewTicker(retryEvery)
	defer ticker.Stop()
	for first := true; ; first = false {
		lock, err := Try(path)
		if lock != nil || err != nil {
			return lock, err
		}
		if first {
			waiting()
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for lock %s: %w", path, context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

// Release gives the lock back. The file stays: removing it would let two
// processes each lock a file of that name.
func (l *Lock) Release() error {
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("releasing lock %s: %w", l.file.Name(), err)
	}
	return nil
}
