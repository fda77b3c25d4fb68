package adopt

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/certwire/certwire/pkg/config"
	"github.com/certwire/certwire/pkg/inventory"
	"github.com/certwire/certwire/pkg/mutate"
)

var web = inventory.WorkloadKey{Kind: "Deployment", Namespace: "shop", Name: "web"}

// world fakes the cluster and the API server's writes; the real ones are tested end to end.
type world struct {
	mu          sync.Mutex
	annotations map[string]string
	ready       bool
	label       string
	prune       bool  // an operator takes every annotation away again
	err         error // the next write's
	failing     int   // how often that fails, beyond the first time
	writes      int
	outcomes    chan Outcome
	again       func(inventory.WorkloadKey)
}

func (w *world) Ready() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ready {
		return nil
	}
	return inventory.ErrNotSynced
}
func (w *world) Installed() bool                      { return true }
func (w *world) Interesting() []inventory.WorkloadKey { return []inventory.WorkloadKey{web} }
func (w *world) Workload(key inventory.WorkloadKey) *inventory.Workload {
	w.mu.Lock()
	defer w.mu.Unlock()
	annotations := map[string]string{}
	maps.Copy(annotations, w.annotations)
	out := &inventory.Workload{ObjectMeta: metav1.ObjectMeta{Name: key.Name, Namespace: key.Namespace, UID: "1", ResourceVersion: "7"}}
	out.Workload = mutate.Workload{Kind: key.Kind, Metadata: &mutate.Meta{Name: key.Name, Annotations: annotations}}
	out.Workload.Spec.Template.Spec.Volumes = []mutate.Volume{{Secret: &mutate.SecretVolume{SecretName: "web-tls"}}}
	return out
}

func (w *world) NamespaceLabels(context.Context, string) (map[string]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return map[string]string{mutate.ReloadLabel: w.label}, nil
}

func (w *world) Certificates(string, string) []mutate.Certificate {
	return []mutate.Certificate{{Name: "web"}}
}
func (w *world) Reloader() mutate.Reloader { return mutate.NoReloader() }

func (w *world) Features() (mutate.Features, bool) { return mutate.Features{}, true }

func (w *world) Limits(string) []corev1.LimitRangeItem { return nil }

func (w *world) Annotate(_ context.Context, key inventory.WorkloadKey, version string, changes map[string]*string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if version != "7" {
		return errors.New("a write without the version that it was decided on")
	}
	if err := w.err; err != nil {
		if w.failing--; w.failing <= 0 {
			w.err = nil
		}
		return err
	}
	w.writes++
	for k, v := range changes {
		if v == nil || w.prune {
			delete(w.annotations, k)
		} else {
			w.annotations[k] = *v
		}
	}
	if w.prune {
		go w.again(key) // as the watch would
	}
	return nil
}

func (w *world) get(key string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.annotations[key]
}

func adopter(t *testing.T, w *world) *Adopter {
	t.Helper()
	on := true
	a := &Adopter{
		Cluster: w, Writer: w, Log: testr.New(t), Excluded: []string{"kube-system"},
		Settings: func() *config.Settings {
			return &config.Settings{Adoption: config.Adoption{Enabled: &on, WritesPerSecond: 1000, Burst: 1000}}
		},
	}
	w.outcomes = make(chan Outcome, 100)
	w.again = a.Add
	a.Count = func(_ string, o Outcome) { w.outcomes <- o }
	if w.annotations == nil {
		w.annotations = map[string]string{}
	}
	return a
}

func start(t *testing.T, a *Adopter) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); a.Run(ctx) }()
	return func() { cancel(); <-ended }
}

func (w *world) next(t *testing.T, want Outcome) {
	t.Helper()
	select {
	case got := <-w.outcomes:
		if got != want {
			t.Fatalf("outcome %s, want %s", got, want)
		}
	case <-time.After(time.Minute):
		t.Fatalf("no outcome, want %s", want)
	}
}

func TestItAdoptsAndUndoes(t *testing.T) {
	t.Parallel()
	w := &world{ready: true, label: "auto"}
	a := adopter(t, w)
	stop := start(t, a)
	w.next(t, Adopted)
	if w.get("secret.reloader.stakater.com/reload") != "web-tls" {
		t.Errorf("annotations %v", w.annotations)
	}
	w.mu.Lock()
	w.label = ""
	w.mu.Unlock()
	a.Add(web)
	w.next(t, Undone)
	if len(w.annotations) > 0 {
		t.Errorf("left behind: %v", w.annotations)
	}
	stop()

	// Leadership comes back: what happened in between is found, though nobody called Add.
	a.Add(web) // not leading: no effect, no panic
	w.label = "auto"
	stop = start(t, a)
	w.next(t, Adopted)
	stop()
}

func TestItWaitsForTheCaches(t *testing.T) {
	t.Parallel()
	w := &world{label: "auto"}
	stop := start(t, adopter(t, w))
	if w.writes != 0 {
		t.Error("wrote before the caches were filled")
	}
	w.mu.Lock()
	w.ready = true
	w.mu.Unlock()
	w.next(t, Adopted)
	stop()
	stop = start(t, adopter(t, &world{})) // and ends while it waits
	stop()
}

func TestItTriesAgain(t *testing.T) {
	t.Parallel()
	gr := schema.GroupResource{Group: "apps", Resource: "deployments"}
	for sentence, c := range map[string]struct {
		err   error
		first Outcome
	}{
		"after a conflict":            {apierrors.NewConflict(gr, "web", errors.New("changed")), Conflict},
		"after an error":              {errors.New("the API server is away"), Failed},
		"after the policy refused it": {apierrors.NewForbidden(gr, "web", errors.New("restraint")), Failed},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := &world{ready: true, label: "auto", err: c.err}
			stop := start(t, adopter(t, w))
			w.next(t, c.first)
			w.next(t, Adopted)
			stop()
		})
	}
}

func TestItGivesInToAnOperatorThatPrunes(t *testing.T) {
	t.Parallel()
	w := &world{ready: true, label: "auto", prune: true}
	stop := start(t, adopter(t, w))
	for range maxRounds {
		w.next(t, Adopted)
	}
	w.next(t, Contested)
	stop()
	if w.writes != maxRounds {
		t.Errorf("%d writes", w.writes)
	}
}

// TestTroubleIsNoFight fails more writes than a fight has: the workload is tried again and not left alone.
func TestTroubleIsNoFight(t *testing.T) {
	t.Parallel()
	w := &world{ready: true, label: "auto", err: errors.New("away"), failing: maxRounds + 1}
	stop := start(t, adopter(t, w))
	for range maxRounds + 1 {
		w.next(t, Failed)
	}
	w.next(t, Adopted)
	stop()
}

func TestItLeavesExcludedNamespacesAlone(t *testing.T) {
	t.Parallel()
	w := &world{ready: true, label: "auto"}
	a := adopter(t, w)
	a.Excluded = []string{"shop"}
	stop := start(t, a)
	a.Add(web)
	stop()
	if w.writes != 0 {
		t.Error("wrote to an excluded namespace")
	}
}

func TestRounds(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	r := newRounds()
	for range maxRounds {
		if contested, _ := r.contested("a", now); contested {
			t.Fatal("stopped too early")
		}
		r.wrote("a", now)
	}
	if contested, fresh := r.contested("a", now); !contested || !fresh {
		t.Error("never stops")
	}
	if contested, fresh := r.contested("a", now.Add(roundsWindow+time.Second)); !contested || fresh {
		t.Error("is not left alone for long, or is reported again and again")
	}
	if contested, _ := r.contested("a", now.Add(contestedFor+time.Second)); contested {
		t.Error("never begins again")
	}
	for range maxRounds {
		r.wrote("slow", now)
		now = now.Add(roundsWindow)
	}
	if contested, _ := r.contested("slow", now); contested {
		t.Error("writes that are far apart count as a fight")
	}
	for i := range maxTracked + 10 {
		r.wrote(time.Unix(int64(i), 0).String(), now.Add(time.Duration(i)))
	}
	if len(r.tracked) > maxTracked {
		t.Errorf("%d workloads tracked", len(r.tracked))
	}
}
