package harness

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Configure writes the replicas' configuration, which must differ from the one in force, and waits until every replica
// has taken it.
func (w *Certwire) Configure(ctx context.Context, text []byte) error {
	before, err := w.hashes(ctx)
	if err != nil {
		return err
	}
	if err := os.WriteFile(w.ConfigFile(), text, 0o600); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		now, err := w.hashes(ctx)
		if err == nil && !slices.ContainsFunc(now, func(hash string) bool { return slices.Contains(before, hash) }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the configuration to be in force: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// released is the agent's image in the manifests' configuration.
var released = regexp.MustCompile(`(?m)^( +image: ).*$`)

// Inject has the webhook inject the agent of an image, and takes the pods from the manifests' own Deployment: on a node
// they would be started, and the replicas are processes of this machine.
func (w *Certwire) Inject(ctx context.Context, image string) error {
	config, err := os.ReadFile(w.ConfigFile())
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	if err := w.Configure(ctx, released.ReplaceAll(config, []byte("${1}"+image))); err != nil {
		return err
	}
	_, err = w.Cluster.Kubectl(ctx, "", "scale", "--namespace", Namespace, "deployment/certwire-webhook", "--replicas=0")
	return err
}

// Keep remembers the configuration that is in force, and returns what brings it back and waits until every replica has
// taken it: what is tested next would meet the one before otherwise.
func (w *Certwire) Keep(ctx context.Context) (restore func() error, err error) {
	before, err := w.hashes(ctx)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(w.ConfigFile())
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return func() error {
		if err := os.WriteFile(w.ConfigFile(), text, 0o600); err != nil {
			return fmt.Errorf("writing the configuration: %w", err)
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), Patience)
		defer cancel()
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			now, err := w.hashes(ctx)
			if err == nil && !slices.ContainsFunc(now, func(hash string) bool { return !slices.Contains(before, hash) }) {
				return nil
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("waiting for the old configuration to be in force: %w", ctx.Err())
			case <-tick.C:
			}
		}
	}, nil
}

// hashes are those of the configuration in force on each replica.
func (w *Certwire) hashes(ctx context.Context) ([]string, error) {
	var out []string
	for _, r := range w.Replicas {
		line, err := r.Metric(ctx, "certwire_config_info{")
		if err != nil {
			return nil, err
		}
		out = append(out, line)
	}
	return out, nil
}

// Metric returns the first line of a replica's metrics that begins like this.
func (r *Replica) Metric(ctx context.Context, prefix string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.Metrics+"/metrics", nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", fmt.Errorf("reading a replica's metrics: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return "", fmt.Errorf("reading a replica's metrics: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, prefix) {
			return strings.TrimSpace(line), nil
		}
	}
	return "", fmt.Errorf("a replica has no metric %s", prefix)
}
