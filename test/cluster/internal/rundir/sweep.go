package rundir

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/certwire/certwire/test/cluster/internal/flock"
	"github.com/certwire/certwire/test/cluster/internal/process"
)

// orphanGrace is how long an orphan may take to end by SIGTERM. Its data is thrown
// away, so it need not take longer.
const orphanGrace = 3 * time.Second

// sweep looks through the runs below root. One that cannot be cleaned up, for
// example because it belongs to another user, is reported and otherwise ignored:
// it does not stand in the way of a new run.
func sweep(root string, log *log.Logger) error {
	records, err := filepath.Glob(filepath.Join(root, "*", recordName))
	if err != nil {
		return fmt.Errorf("looking for earlier runs below %s: %w", root, err)
	}
	for _, path := range records {
		if err := sweepRun(filepath.Dir(path), log); err != nil {
			log.Printf("an earlier run cannot be cleaned up: %v", err)
		}
	}
	return nil
}

// sweepRun ends the processes of the run in dir and removes the folder, unless
// the run is alive.
func sweepRun(dir string, log *log.Logger) error {
	lock, err := flock.Try(filepath.Join(dir, lockName))
	if err != nil {
		return err
	}
	if lock == nil {
		return nil
	}
	defer func() { _ = lock.Release() }()

	content, err := os.ReadFile(filepath.Join(dir, recordName))
	if err != nil {
		return fmt.Errorf("reading the record of run %s: %w", dir, err)
	}
	var left record
	if err := json.Unmarshal(content, &left); err != nil {
		return fmt.Errorf("reading the record of run %s: %w", dir, err)
	}
	// Newest first, as a run itself ends them.
	for _, c := range slices.Backward(left.Children) {
		ended, err := process.EndOrphan(c.Identity, orphanGrace)
		if err != nil {
			return fmt.Errorf("ending %s of run %s: %w", c.Name, dir, err)
		}
		if ended {
			log.Printf("ended %s (process %d), left by a run that crashed", c.Name, c.PID)
		}
	}
	if err := left.remove(log); err != nil {
		return fmt.Errorf("cleaning up after run %s: %w", dir, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("removing run %s: %w", dir, err)
	}
	log.Printf("removed %s, left by a run that crashed", dir)
	return nil
}
