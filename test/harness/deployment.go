package harness

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// Certwire is an installed certwire: manifests applied, replicas running behind the service.
type Certwire struct {
	Cluster  *Cluster
	Service  *Service
	Replicas []*Replica
	// Installed is what kubectl printed.
	Installed string

	options ReplicaOptions
	folder  string
}

// Deploy installs certwire and waits until all replicas are ready.
func Deploy(ctx context.Context, c *Cluster, log io.Writer, replicas int, args ...string) (*Certwire, error) {
	w := &Certwire{Cluster: c}
	var err error
	if w.folder, err = os.MkdirTemp("", "certwire-"); err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	binary, err := Build(ctx, log, "webhook", "./cmd/webhook")
	if err != nil {
		return nil, err
	}
	if w.Service, err = StartService(ctx); err != nil {
		return nil, err
	}
	if w.Installed, err = c.Install(ctx, w.Service.URL()); err != nil {
		return nil, err
	}
	kubeconfig := filepath.Join(w.folder, "kubeconfig")
	if err := c.ServiceAccountKubeconfig(ctx, kubeconfig); err != nil {
		return nil, err
	}
	config, err := os.ReadFile(filepath.Join(Root(), "manifests", "base", "config.yaml"))
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	w.options = ReplicaOptions{Binary: binary, Kubeconfig: kubeconfig, Config: w.ConfigFile(), Log: log, Args: args}
	if err := os.WriteFile(w.ConfigFile(), config, 0o600); err != nil {
		return nil, fmt.Errorf("writing the configuration: %w", err)
	}
	for range replicas {
		if _, err := w.Scale(ctx); err != nil {
			return w, err
		}
	}
	return w, w.Service.WaitReady(ctx, replicas)
}

// ConfigFile is where the replicas read their configuration: a copy of the manifests' own.
func (w *Certwire) ConfigFile() string { return filepath.Join(w.folder, "config.yaml") }

// Binary is what the replicas run.
func (w *Certwire) Binary() string { return w.options.Binary }

// Aside starts a replica with further flags that the service does not know of: nothing reaches it but what is sent to it.
// It is not ready yet, and Kill must be called.
func (w *Certwire) Aside(ctx context.Context, args ...string) (*Replica, error) {
	o := w.options
	o.Args = append(slices.Clip(o.Args), args...)
	return StartReplica(ctx, o)
}

// Scale adds a replica.
func (w *Certwire) Scale(ctx context.Context) (*Replica, error) {
	r, err := StartReplica(ctx, w.options)
	if err != nil {
		return nil, err
	}
	w.Replicas = append(w.Replicas, r)
	w.Service.Add(r)
	return r, nil
}

// Stop ends all replicas and the service. On a cluster that goes on living, certwire is uninstalled, together with the
// further objects that are named as kubectl names them ("namespace/shop").
func (w *Certwire) Stop(further ...string) {
	for _, r := range w.Replicas {
		r.Kill()
	}
	w.Service.Stop()
	if w.Cluster.command == nil {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		_, _ = w.Cluster.Kubectl(ctx, "", "delete", "-k", "manifests/", "--ignore-not-found")
		for _, name := range further {
			_, _ = w.Cluster.Kubectl(ctx, "", "delete", name, "--ignore-not-found")
		}
	}
	_ = os.RemoveAll(w.folder)
}
