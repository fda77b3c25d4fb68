package rundir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/certwire/certwire/test/cluster/internal/flock"
	"github.com/certwire/certwire/test/cluster/internal/process"
)

const (
	// recordName is the file that says which processes a run started. A folder
	// without it belongs to nobody and is never cleaned up.
	recordName = "pids.json"
	// lockName is the file that a run holds locked as long as it lives.
	lockName = "lock"
	// rootLockName serialises creating a folder and looking for abandoned ones.
	rootLockName = ".lock"
)

// Dir is the folder of one run.
type Dir struct {
	// Path is its absolute path.
	Path string

	lock   *flock.Lock
	record record
	log    *log.Logger
}

// record is the content of the file recordName.
type record struct {
	// Owner is the process id of the command, for a reader; whether it lives is
	// told by the lock.
	Owner int `json:"owner"`
	// Children are the processes it started, oldest first.
	Children []child `json:"children"`
	// Host is what it made outside the folder.
	Host
}

// Host is what a run with a node makes on the machine outside its folder.
type Host struct {
	// Cgroup holds the containers, and Bridge is the network that they are on. Either
	// may be recorded and not, or no more, be there.
	Cgroup string `json:"cgroup,omitempty"`
	Bridge string `json:"bridge,omitempty"`
}

type child struct {
	Name string `json:"name"`
	process.Identity
}

// Create removes what crashed runs left below root, their processes included,
// and then makes a new folder there.
func Create(ctx context.Context, root string, log *log.Logger) (*Dir, error) {
	rootLock, err := flock.Acquire(ctx, filepath.Join(root, rootLockName), func() {
		log.Printf("another command is cleaning up below %s: waiting for it", root)
	})
	if err != nil {
		return nil, fmt.Errorf("creating a run folder: %w", err)
	}
	defer func() { _ = rootLock.Release() }()

	if err := sweep(root, log); err != nil {
		return nil, err
	}
	// MkdirTemp lets only the owner look inside, where keys of administrators are.
	path, err := os.MkdirTemp(root, time.Now().UTC().Format("20060102-150405-")+"*")
	if err != nil {
		return nil, fmt.Errorf("creating a run folder: %w", err)
	}
	d := &Dir{Path: path, record: record{Owner: os.Getpid(), Children: []child{}}, log: log}
	if d.lock, err = flock.Try(filepath.Join(path, lockName)); err != nil {
		return nil, fmt.Errorf("locking run folder %s: %w", path, err)
	}
	return d, d.save()
}

// Add records a process that this run has started.
func (d *Dir) Add(name string, id process.Identity) error {
	d.record.Children = append(d.record.Children, child{name, id})
	return d.save()
}

// Own records what this run is about to make on the machine. Close removes it.
func (d *Dir) Own(host Host) error {
	d.record.Host = host
	return d.save()
}

// Close ends the run, whose processes must have ended: it removes what Own was told
// of, and the folder or, with keep, makes it a folder that no run cleans up. If the
// former fails the folder stays as it is, and the next run tries again.
func (d *Dir) Close(keep bool) error {
	if err := d.record.remove(d.log); err != nil {
		return errors.Join(fmt.Errorf("cleaning up after run %s: %w", d.Path, err), d.lock.Release())
	}
	what := d.Path
	if keep {
		what = filepath.Join(d.Path, recordName)
	}
	err := os.RemoveAll(what)
	if err != nil {
		err = fmt.Errorf("removing %s: %w", what, err)
	}
	return errors.Join(err, d.lock.Release())
}

// save writes the record in one step, so that a reader never sees half of it.
func (d *Dir) save() error {
	content, err := json.MarshalIndent(d.record, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the record of run %s: %w", d.Path, err)
	}
	path := filepath.Join(d.Path, recordName)
	if err := os.WriteFile(path+".partial", append(content, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the record of run %s: %w", d.Path, err)
	}
	if err := os.Rename(path+".partial", path); err != nil {
		return fmt.Errorf("replacing the record of run %s: %w", d.Path, err)
	}
	return nil
}
