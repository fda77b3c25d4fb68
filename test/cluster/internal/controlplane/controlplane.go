package controlplane

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"github.com/certwire/certwire/test/cluster/internal/process"
)

// Config says what to run and where.
type Config struct {
	// Bin is the folder of the built programs.
	Bin string
	// Dir is an empty folder for data, keys and logs.
	Dir string
	// Kubeconfig is the path of the administrator's kubeconfig, which Start writes.
	Kubeconfig string
	// AuditLog is the file that audit events go to. Defaults to none.
	AuditLog string
	// APIServerArgs and ControllerManagerArgs come after our own arguments.
	APIServerArgs, ControllerManagerArgs []string
	// Node is the node that the cluster is to have. Defaults to none.
	Node *Node
	// Started is told of every process, so that a later run can end what a crash
	// leaves behind.
	Started func(name string, id process.Identity) error
	// Log gets progress lines.
	Log *log.Logger
}

// ControlPlane is a running cluster.
type ControlPlane struct {
	config Config
	creds  *credentials
	client *http.Client
	// etcd and api are the URLs that the two answer on.
	etcd, api string
	running   []*process.Process
	failed    chan error
}

// Start starts the components one after the other and returns when the last one
// works. When it fails it leaves nothing running.
func Start(ctx context.Context, config Config) (*ControlPlane, error) {
	cp := &ControlPlane{config: config, failed: make(chan error, 1)}
	if err := cp.start(ctx); err != nil {
		cp.Stop()
		return nil, err
	}
	return cp, nil
}

func (cp *ControlPlane) start(ctx context.Context) error {
	var err error
	if cp.creds, err = newCredentials(cp.config.Dir, cp.config.Node, time.Now()); err != nil {
		return err
	}
	if cp.client, err = cp.creds.httpClient(); err != nil {
		return err
	}
	if err := writeAuditPolicy(cp.config); err != nil {
		return err
	}
	if err := cp.run(ctx, cp.etcdComponent()); err != nil {
		return err
	}
	if err := cp.run(ctx, cp.apiServer()); err != nil {
		return err
	}
	if err := cp.writeKubeconfigs(); err != nil {
		return err
	}
	if err := cp.run(ctx, cp.controllerManager()); err != nil {
		return err
	}
	if cp.config.Node != nil {
		if err := cp.run(ctx, cp.scheduler()); err != nil {
			return err
		}
	}
	for _, p := range cp.running {
		go func() {
			<-p.Done()
			select {
			case cp.failed <- p.Failure():
			default: // another one failed first
			}
		}()
	}
	return nil
}

// Failed yields an error when a component ends without having been asked to.
func (cp *ControlPlane) Failed() <-chan error {
	return cp.failed
}

// Stop ends the components, the one that needs the others first.
func (cp *ControlPlane) Stop() {
	for _, p := range slices.Backward(cp.running) {
		if !p.Stop(stopGrace) {
			cp.config.Log.Printf("killed %s: it did not end within %s", p.Name, stopGrace)
		}
	}
	cp.running = nil
}

// run starts c and waits until it is ready. Its ports are free when they are
// picked and may be taken when it opens them, so that failure is tried again.
func (cp *ControlPlane) run(ctx context.Context, c component) error {
	const attempts = 3
	for attempt := 1; ; attempt++ {
		started := time.Now()
		p, err := cp.launch(c)
		if err != nil {
			return err
		}
		err = waitUntil(ctx, p, readyTimeout, c.ready)
		if err == nil {
			cp.config.Log.Printf("%s is ready after %s", c.name, time.Since(started).Round(100*time.Millisecond))
			return nil
		}
		if attempt == attempts || !p.LogHas("address already in use") {
			return fmt.Errorf("starting %s: %w", c.name, err)
		}
		p.Stop(stopGrace)
		cp.running = cp.running[:len(cp.running)-1]
	}
}

// launch starts c's process and makes it known.
func (cp *ControlPlane) launch(c component) (*process.Process, error) {
	args, err := c.args()
	if err != nil {
		return nil, err
	}
	p, err := process.Start(process.Spec{
		Name:    c.name,
		Binary:  filepath.Join(cp.config.Bin, c.name),
		Args:    args,
		Dir:     cp.config.Dir,
		LogFile: filepath.Join(cp.config.Dir, c.name+".log"),
	})
	if err != nil {
		return nil, err
	}
	cp.running = append(cp.running, p)
	if err := cp.config.Started(c.name, p.Identity); err != nil {
		return nil, err
	}
	return p, nil
}
