package certs

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
)

// checkInterval is how soon a CA that is no longer needed is noticed; everything else comes by a watch.
const checkInterval = time.Minute

// Bundler keeps the caBundles of the webhook configurations current: the CA in the Secret, and the CAs before it for as
// long as a leaf from them can be alive. It writes nothing but the caBundle fields, and those only if they differ.
//
// One replica should run it, the leader. It harms nothing if two do: both come to the same bytes.
type Bundler struct {
	retention retention
	watches   *watches
	client    kubernetes.Interface
	clock     clock.Clock
	// writes bounds how often another writer can make us answer it, should one insist on a caBundle of its own.
	writes flowcontrol.RateLimiter
}

// Run works until ctx ends, then returns nil; it may be called again after that. The SelfManaged source that it comes
// from must be started, else it waits. The logger is taken from ctx.
func (b *Bundler) Run(ctx context.Context) error {
	ctx = klog.NewContext(ctx, klog.FromContext(ctx).WithName("certs"))
	changes, stop := b.watches.subscribe()
	defer stop()
	backoff := retry()
	for {
		pause := checkInterval
		if err := b.sync(ctx); err == nil {
			backoff = retry()
		} else {
			pause = backoff.Step()
			b.report(ctx, err)
		}
		timer := b.clock.NewTimer(pause)
		select {
		case <-changes:
		case <-timer.C():
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		timer.Stop()
	}
}

// retry is the back-off after a failed write: at once for a conflict, patient while the API server is down.
func retry() wait.Backoff {
	return wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 8, Cap: 15 * time.Second}
}

// sync brings every configuration that exists up to date, as far as the watches know. The error joins all that failed.
func (b *Bundler) sync(ctx context.Context) error {
	ca := b.watches.ca()
	if ca == nil || !b.watches.synced() {
		return nil // a change comes
	}
	known, now := b.watches.published.known(), b.clock.Now()
	want := func(existing []byte) []byte { return b.retention.bundle(existing, ca, known, now) }

	var failed []error
	for _, c := range b.watches.configurations() {
		patch, err := c.patch(want)
		if err == nil && patch != nil {
			err = b.write(ctx, c, patch)
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

func (b *Bundler) write(ctx context.Context, c configuration, patch []byte) error {
	if err := b.writes.Wait(ctx); err != nil {
		return fmt.Errorf("waiting to write the caBundles of %s: %w", c.key(), err)
	}
	var err error
	options, api := metav1.PatchOptions{FieldManager: fieldManager}, b.client.AdmissionregistrationV1()
	switch c.kind {
	case mutatingKind:
		_, err = api.MutatingWebhookConfigurations().Patch(ctx, c.name, types.JSONPatchType, patch, options)
	case validatingKind:
		_, err = api.ValidatingWebhookConfigurations().Patch(ctx, c.name, types.JSONPatchType, patch, options)
	}
	if err != nil {
		return fmt.Errorf("writing the caBundles of %s: %w", c.key(), err)
	}
	klog.FromContext(ctx).Info("CA bundle published", "configuration", c.key())
	return nil
}

func (b *Bundler) report(ctx context.Context, err error) {
	log := klog.FromContext(ctx)
	switch {
	case ctx.Err() != nil:
	case onlyRaces(err):
		log.V(1).Info("CA bundle not published, another writer was faster, retrying", "reason", err.Error())
	default:
		log.Error(err, "CA bundle not published, retrying")
	}
}

// onlyRaces tells whether all failures mean that the watch is a moment behind: changed or deleted meanwhile.
func onlyRaces(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			if !onlyRaces(err) {
				return false
			}
		}
		return true
	}
	return apierrors.IsConflict(err) || apierrors.IsNotFound(err)
}
