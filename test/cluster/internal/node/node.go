package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/certwire/certwire/test/cluster/internal/bridge"
	"github.com/certwire/certwire/test/cluster/internal/cgroup"
	"github.com/certwire/certwire/test/cluster/internal/controlplane"
	"github.com/certwire/certwire/test/cluster/internal/mountns"
	"github.com/certwire/certwire/test/cluster/internal/process"
	"github.com/certwire/certwire/test/cluster/internal/rundir"
)

// Name is the node's.
const Name = "certwire-node"

const (
	// pollEvery is the time between two looks at what is starting.
	pollEvery = 100 * time.Millisecond
	// readyTimeout is generous: a busy machine takes far longer than an idle one.
	readyTimeout = 3 * time.Minute
	// stopGrace is how long the kubelet and containerd may take to end by SIGTERM.
	stopGrace = 10 * time.Second
)

// Image is an image for pods.
type Image struct {
	// Name is the image's, with its tag.
	Name string
	// Path is a static program, a folder, or an archive of "docker save". An archive
	// has names of its own, and Name must be among them.
	Path string
}

// Config says what to run and where.
type Config struct {
	// Bin is the folder of the built programs, and Module that of this module.
	Bin, Module string
	// Dir is the run's folder. The node is in the folder "node" in it.
	Dir *rundir.Dir
	// Images are what pods may use.
	Images []Image
	// Log gets progress lines.
	Log *log.Logger
}

// Node is a node: first a network, then running, then gone.
type Node struct {
	config Config
	// dir is the node's own folder.
	dir     string
	host    rundir.Host
	bridge  bridge.Bridge
	binds   []mountns.Bind
	thread  *process.Thread
	running []*process.Process
	failed  chan error
}

// New makes the node's network and cgroup, which the control plane must find. They
// are removed when the run's folder is closed.
func New(ctx context.Context, config Config) (*Node, error) {
	// A run's folder is never used twice, so this is a name that nobody else has.
	sum := sha256.Sum256([]byte(config.Dir.Path))
	id := hex.EncodeToString(sum[:5])
	n := &Node{
		config: config,
		dir:    filepath.Join(config.Dir.Path, "node"),
		host:   rundir.Host{Cgroup: "certwire-" + id, Bridge: "cw" + id},
		failed: make(chan error, 1),
	}
	var err error
	if n.binds, err = makeFolders(n.dir); err != nil {
		return nil, err
	}
	if n.bridge, err = bridge.New(n.host.Bridge, [2]byte(sum[:2])); err != nil {
		return nil, err
	}
	if n.thread, err = mountns.Enter(n.binds); err != nil {
		return nil, err
	}
	// Noted first, so that a kill in between leaves nothing that is not known.
	if err := config.Dir.Own(n.host); err != nil {
		return nil, err
	}
	if err := n.bridge.Create(ctx); err != nil {
		return nil, err
	}
	return n, cgroup.Create(n.host.Cgroup)
}

// Address is the address of the node, on the bridge.
func (n *Node) Address() string {
	return n.bridge.Address.String()
}

// Start starts containerd, imports the images, starts the kubelet and returns when
// the node takes pods. After an error Stop ends what runs.
func (n *Node) Start(ctx context.Context, plane *controlplane.ControlPlane) error {
	started := time.Now()
	runtime, err := n.startContainerd(ctx)
	if err != nil {
		return err
	}
	if err := n.importImages(ctx, runtime); err != nil {
		return err
	}
	n.config.Log.Printf("containerd has its images after %s", time.Since(started).Round(100*time.Millisecond))

	started = time.Now()
	if err := n.startKubelet(ctx, plane); err != nil {
		return err
	}
	n.config.Log.Printf("the node is ready after %s", time.Since(started).Round(100*time.Millisecond))
	for _, p := range n.running {
		go func() {
			<-p.Done()
			select {
			case n.failed <- p.Failure():
			default: // another one failed first
			}
		}()
	}
	return nil
}

// Failed yields an error when the kubelet or containerd ends without having been
// asked to.
func (n *Node) Failed() <-chan error {
	return n.failed
}

// Stop ends the kubelet and containerd. Pods run on until the run's folder is closed:
// they need not end in good order, and a grace period would be waited for.
func (n *Node) Stop() {
	for _, p := range slices.Backward(n.running) {
		if !p.Stop(stopGrace) {
			n.config.Log.Printf("killed %s: it did not end within %s", p.Name, stopGrace)
		}
	}
	n.running = nil
}

// launch starts a process with the node's mounts and makes it known.
func (n *Node) launch(name, binary string, args ...string) (*process.Process, error) {
	p, err := process.Start(process.Spec{
		Name:    name,
		Binary:  binary,
		Args:    args,
		Dir:     n.dir,
		LogFile: filepath.Join(n.config.Dir.Path, name+".log"),
		From:    n.thread,
	})
	if err != nil {
		return nil, err
	}
	n.running = append(n.running, p)
	return p, n.config.Dir.Add(name, p.Identity)
}

// await asks ready again and again until it returns nil. It gives up when the
// process ends, when ctx does, or after readyTimeout.
func await(ctx context.Context, p *process.Process, ready func(context.Context) error) error {
	deadline := time.After(readyTimeout)
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.Done():
			return p.Failure()
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-deadline:
			return fmt.Errorf("waiting for %s: not ready after %s: %w", p.Name, readyTimeout, err)
		case <-ticker.C:
		}
	}
}

// write writes a configuration file into the node's folder and returns its path.
func (n *Node) write(name, content string) (string, error) {
	path := filepath.Join(n.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("creating the folder of %s: %w", path, err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return "", fmt.Errorf("writing %s: %w", path, err)
	}
	return path, nil
}
