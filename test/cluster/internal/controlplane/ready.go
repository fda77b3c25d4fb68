package controlplane

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/certwire/certwire/test/cluster/internal/process"
)

const (
	// pollEvery is the time between two looks at a component that starts.
	pollEvery = 100 * time.Millisecond
	// readyTimeout is generous: a busy machine takes far longer than an idle one.
	readyTimeout = 2 * time.Minute
	// stopGrace is how long a component may take to end by SIGTERM.
	stopGrace = 10 * time.Second
)

// waitUntil asks ready again and again until it returns nil. It gives up when the
// process ends, when ctx does, or after timeout.
func waitUntil(ctx context.Context, p *process.Process, timeout time.Duration, ready func(context.Context) error) error {
	deadline := time.After(timeout)
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
			return fmt.Errorf("not ready after %s: %w", timeout, err)
		case <-ticker.C:
		}
	}
}

// get asks for url as the administrator and returns an error unless the answer
// is 200 OK.
func (cp *ControlPlane) get(ctx context.Context, url string) error {
	_, err := cp.read(ctx, url)
	return err
}

// read is get with what was answered, cut off where no answer of use here ends.
func (cp *ControlPlane) read(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", url, err)
	}
	response, err := cp.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", url, err)
	}
	defer func() { _ = response.Body.Close() }()
	const enough = 1 << 20
	body, err := io.ReadAll(io.LimitReader(response.Body, enough))
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("asking %s: %s: %s", url, response.Status, body[:min(len(body), 2<<10)])
	}
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", url, err)
	}
	return body, nil
}
