package binaries

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/certwire/certwire/test/cluster/internal/flock"
)

const (
	kubernetesModule = "k8s.io/kubernetes"
	etcdModule       = "go.etcd.io/etcd/server/v3"
)

// Program is one program of the cluster.
type Program struct {
	// Name is its file name.
	Name string
	// Package is the Go package of its main function.
	Package string
}

// Programs are the programs of a cluster without a node. The first two build the packages
// that the others share, so the order decides only which one takes the time.
var Programs = []Program{
	{"etcd", etcdModule},
	{"kube-apiserver", kubernetesModule + "/cmd/kube-apiserver"},
	{"kube-controller-manager", kubernetesModule + "/cmd/kube-controller-manager"},
	{"kubectl", kubernetesModule + "/cmd/kubectl"},
}

// NodePrograms are those that a node needs beside Programs.
var NodePrograms = []Program{
	{"kube-scheduler", kubernetesModule + "/cmd/kube-scheduler"},
	{"kubelet", kubernetesModule + "/cmd/kubelet"},
}

// Cache holds built programs, in one folder per set of versions.
type Cache struct {
	module   string
	versions versions
	root     string
	log      *log.Logger
	// compile builds a Go package into a file, with the given linker arguments. It
	// may leave other files beside it.
	compile func(ctx context.Context, pkg, into, ldflags string) error
	// reportEvery is the time between two lines about one build.
	reportEvery time.Duration
}

// Open returns the cache below root for the versions that are pinned in the
// folder module. It builds nothing yet.
func Open(ctx context.Context, root, module string, log *log.Logger) (*Cache, error) {
	v, err := readVersions(ctx, module)
	if err != nil {
		return nil, err
	}
	g := &goBuild{module: module}
	return &Cache{module: module, versions: v, root: root, log: log, compile: g.run, reportEvery: 10 * time.Second}, nil
}

// Bin is the folder that Build puts the programs into.
func (c *Cache) Bin() string {
	return filepath.Join(c.root, c.versions.folder(), "bin")
}

// Build makes sure that every one of programs is in Bin. A program gets its name
// only when it is complete, so one that is there is used as it is.
func (c *Cache) Build(ctx context.Context, programs []Program) error {
	if missing, err := c.missing(programs); err != nil || len(missing) == 0 {
		return err
	}
	if err := os.MkdirAll(c.Bin(), 0o755); err != nil {
		return fmt.Errorf("creating the folder for built programs: %w", err)
	}
	lock, err := flock.Acquire(ctx, filepath.Join(c.root, c.versions.folder(), "build.lock"), func() {
		c.log.Printf("another command is building into %s: waiting for it", c.Bin())
	})
	if err != nil {
		return fmt.Errorf("waiting to build: %w", err)
	}
	defer func() { _ = lock.Release() }()

	// Whoever held the lock may have built some of them.
	missing, err := c.missing(programs)
	if err != nil {
		return err
	}
	for _, program := range missing {
		if err := c.build(ctx, program); err != nil {
			return fmt.Errorf("building %s: %w", program.Name, err)
		}
	}
	return nil
}

// missing returns those of programs that are not in Bin.
func (c *Cache) missing(programs []Program) ([]Program, error) {
	var missing []Program
	for _, program := range programs {
		_, err := os.Stat(filepath.Join(c.Bin(), program.Name))
		if errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, program)
		} else if err != nil {
			return nil, fmt.Errorf("looking for a built %s: %w", program.Name, err)
		}
	}
	return missing, nil
}

// build compiles one program in a folder of its own and then moves it to Bin.
func (c *Cache) build(ctx context.Context, program Program) (err error) {
	// The lock is held, so what is in there is left from a build that was killed.
	partial := filepath.Join(c.root, c.versions.folder(), "partial")
	if err := os.RemoveAll(partial); err != nil {
		return fmt.Errorf("removing the rest of an earlier build: %w", err)
	}
	if err := os.Mkdir(partial, 0o755); err != nil {
		return fmt.Errorf("creating a folder to build in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(partial)) }()

	built := filepath.Join(partial, program.Name)
	err = c.reporting(program.Name, func() error {
		return c.compile(ctx, program.Package, built, c.versions.ldflags())
	})
	if err != nil {
		return err
	}
	if err := os.Rename(built, filepath.Join(c.Bin(), program.Name)); err != nil {
		return fmt.Errorf("moving it into place: %w", err)
	}
	return nil
}
