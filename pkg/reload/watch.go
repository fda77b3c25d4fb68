package reload

import (
	"fmt"
	"slices"

	"github.com/fsnotify/fsnotify"
)

// watch tells when a directory may have changed. It is an accelerator and no more: inotify has limits on instances, and
// some sandboxes deliver no events, so the engine looks by itself as well.
type watch struct {
	watcher *fsnotify.Watcher
	dirs    []string
	// problem is why a directory is not watched; empty if all are.
	problem string
}

// newWatch watches the directories: the mounts' roots, since a file in them is a link whose target goes away at each
// update, and with it a watch on the file (kubernetes issue 112677).
func newWatch(dirs []string, off bool) *watch {
	w := &watch{dirs: dirs}
	if off {
		w.problem = "switched off"
		return w
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		w.problem = err.Error()
		return w
	}
	w.watcher = watcher
	w.ensure()
	return w
}

// ensure adds the directories that are not watched: they were not there before, or were replaced.
func (w *watch) ensure() {
	if w.watcher == nil {
		return
	}
	watched := w.watcher.WatchList()
	w.problem = ""
	for _, dir := range w.dirs {
		if slices.Contains(watched, dir) {
			continue
		}
		if err := w.watcher.Add(dir); err != nil {
			w.problem = fmt.Sprintf("watching %s: %v", dir, err)
		}
	}
}

// events is nil, which blocks for ever, when nothing is watched.
func (w *watch) events() chan fsnotify.Event {
	if w.watcher == nil {
		return nil
	}
	return w.watcher.Events
}

func (w *watch) errors() chan error {
	if w.watcher == nil {
		return nil
	}
	return w.watcher.Errors
}

func (w *watch) close() {
	if w.watcher != nil {
		_ = w.watcher.Close()
	}
}
