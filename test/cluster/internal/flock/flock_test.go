package flock_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/certwire/certwire/test/cluster/internal/flock"
)

func TestTry(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "folder", "lock")

	held, err := flock.Try(path)
	if err != nil || held == nil {
		t.Fatalf("a free lock was not taken: %v, %v", held, err)
	}
	if second, err := flock.Try(path); err != nil || second != nil {
		t.Fatalf("a held lock was taken again: %v, %v", second, err)
	}
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
	if again, err := flock.Try(path); err != nil || again == nil {
		t.Fatalf("a released lock was not taken: %v, %v", again, err)
	}
}

func TestAcquireWaits(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	held, err := flock.Try(path)
	if err != nil {
		t.Fatal(err)
	}

	got, err := flock.Acquire(t.Context(), path, func() {
		if err := held.Release(); err != nil {
			t.Error(err)
		}
	})
	if err != nil || got == nil {
		t.Fatalf("the lock was not taken once it was free: %v, %v", got, err)
	}
}

func TestAcquireEndsWithItsContext(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	held, err := flock.Try(path)
	if err != nil || held == nil {
		t.Fatalf("taking the lock: %v, %v", held, err)
	}
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())

	if _, err := flock.Acquire(ctx, path, func() { cancel(why) }); !errors.Is(err, why) {
		t.Fatalf("got %v, want the context's cause", err)
	}
}
