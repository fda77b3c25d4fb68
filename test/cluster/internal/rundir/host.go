package rundir

import (
	"context"
	"errors"
	"log"
	"time"

	"github.com/certwire/certwire/test/cluster/internal/bridge"
	"github.com/certwire/certwire/test/cluster/internal/cgroup"
)

// hostGrace is how long a killed container may take to be gone.
const hostGrace = 30 * time.Second

// remove ends what is in the cgroup and removes both. With the last process of a
// node its mounts and its pods' networks end, too: nothing outside its own mount
// namespace holds them. What is not there is no error.
func (h Host) remove(log *log.Logger) error {
	var problems []error
	if h.Cgroup != "" {
		ended, err := cgroup.Remove(h.Cgroup, hostGrace)
		if err != nil {
			problems = append(problems, err)
		}
		if ended > 0 {
			log.Printf("ended %d processes of pods", ended)
		}
	}
	if h.Bridge != "" {
		// Whatever ended the run must not keep it from cleaning up.
		ctx, cancel := context.WithTimeout(context.Background(), hostGrace)
		defer cancel()
		problems = append(problems, bridge.Remove(ctx, h.Bridge))
	}
	return errors.Join(problems...)
}
