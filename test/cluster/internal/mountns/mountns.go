package mountns

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/certwire/certwire/test/cluster/internal/process"
)

// Bind shows what is at From also at Over, which exists and is of the same kind.
type Bind struct {
	From, Over string
}

// Available returns nil if this user may have mounts of its own, which root may
// except in a container that was denied it.
func Available() error {
	return process.NewThread().Do(unshare)
}

// Enter returns a thread whose mounts are those of this command with binds on top.
// A change to them is not seen outside.
func Enter(binds []Bind) (*process.Thread, error) {
	thread := process.NewThread()
	return thread, thread.Do(func() error {
		if err := unshare(); err != nil {
			return err
		}
		for _, b := range binds {
			if err := syscall.Mount(b.From, b.Over, "", syscall.MS_BIND, ""); err != nil {
				return fmt.Errorf("mounting %s over %s: %w", b.From, b.Over, err)
			}
		}
		// The kubelet and containerd expect mounts to spread to containers that ask for it.
		if err := syscall.Mount("", "/", "", syscall.MS_SHARED|syscall.MS_REC, ""); err != nil {
			return fmt.Errorf("letting mounts spread within the namespace: %w", err)
		}
		return nil
	})
}

// unshare gives the calling thread a mount namespace from which nothing gets out.
func unshare() error {
	if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
		return fmt.Errorf("making a mount namespace: %w", err)
	}
	if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
		return fmt.Errorf("closing the mount namespace: %w", err)
	}
	return nil
}

// Hidden returns an error that names the first of paths that binds would hide.
func Hidden(binds []Bind, paths ...string) error {
	for _, path := range paths {
		resolved, err := filepath.EvalSymlinks(path)
		if err != nil {
			return fmt.Errorf("resolving %s: %w", path, err)
		}
		for _, b := range binds {
			if strings.HasPrefix(resolved+"/", b.Over+"/") {
				return fmt.Errorf("%s is below %s, which the node has to itself: use --cache with another folder", resolved, b.Over)
			}
		}
	}
	return nil
}

// Of returns the path by which another process of this user reaches path as the
// process pid sees it. It is short, which matters for a socket: the kernel takes
// no more than 107 bytes.
func Of(pid int, path string) string {
	return filepath.Join("/proc", fmt.Sprint(pid), "root") + path
}
