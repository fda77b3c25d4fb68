package main

import (
	"context"
	"os"
	"runtime/debug"
	"time"
)

// keepSmall has the garbage collector run at half of what lives instead of all of it. Nearly everything that lives is
// caches, which change little; a review leaves some ten kilobytes behind. The owner's GOGC wins.
func keepSmall() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}

// giveBack returns to the system, once, what filling the caches needed and holding them does not.
func (s *server) giveBack(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for s.inventory.Ready() != nil {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
	debug.FreeOSMemory()
	return nil
}
