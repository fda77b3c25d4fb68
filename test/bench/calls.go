package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/certwire/certwire/test/harness"
)

// calls compares how often the webhooks were called with how often they had to be. Dry runs are the benchmark's alone.
func (b *bench) calls(ctx context.Context) error {
	reasons, err := b.decisions(ctx)
	if err != nil {
		return err
	}
	answered := 0
	for _, n := range reasons {
		answered += n
	}
	sent := b.sent[certwire]
	due := sent[needs] + sent[carries] + sent[plain]
	b.say("\ncertwire answered %d reviews %v for %d requests with a Secret and %d without; target no call without: %s",
		answered, reasons, due, sent[without], met(answered == due))
	if answered < due {
		return fmt.Errorf("certwire was called %d times, want %d: the API server could not reach it and let objects pass", answered, due)
	}
	want := 0
	for _, c := range []contender{noopWebhook, constantPatch} {
		for _, n := range b.sent[c] {
			want += n
		}
	}
	if got := b.noop.stop(); got != want {
		return fmt.Errorf("the no-op was called %d times, want %d", got, want)
	}
	return nil
}

// decisions reads certwire_decisions_total of dry runs, by reason.
func (b *bench) decisions(ctx context.Context) (map[string]int, error) {
	raw, err := metricsOf(ctx, b.certwire.Replicas[0])
	if err != nil {
		return nil, err
	}
	reasons := map[string]int{}
	for line := range strings.Lines(string(raw)) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		labels, ok := strings.CutPrefix(series, "certwire_decisions_total{")
		if !ok || !strings.Contains(labels, `hook="reload"`) || !strings.Contains(labels, `dry_run="true"`) {
			continue
		}
		_, reason, _ := strings.Cut(labels, `reason="`)
		reason, _, _ = strings.Cut(reason, `"`)
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, fmt.Errorf("reading metrics: %w", err)
		}
		reasons[reason] += int(n)
	}
	return reasons, nil
}

func metricsOf(ctx context.Context, r *harness.Replica) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.Metrics+"/metrics", nil)
	if err != nil {
		return nil, fmt.Errorf("asking for metrics: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking for metrics: %w", err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("reading metrics: %w", err)
	}
	return raw, nil
}
