package delivery

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/inventory"
	"github.com/certwire/certwire/pkg/mutate"
)

// deployment has the inventory and the API server know of Deployment web.
func (w *world) deployment(atATime int32, annotations map[string]string) *inventory.Workload {
	w.t.Helper()
	w.must(w.client.Create(w.t.Context(), &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}))
	key := inventory.WorkloadKey{Kind: "Deployment", Namespace: "shop", Name: "web"}
	w.workloads[key] = &inventory.Workload{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, AtATime: atATime,
		Workload: mutate.Workload{Kind: "Deployment", Metadata: &mutate.Meta{Name: "web", Annotations: annotations}},
	}
	return w.workloads[key]
}

// restartedAt is what is in Deployment web's template.
func (w *world) restartedAt() string {
	w.t.Helper()
	d := &appsv1.Deployment{}
	w.must(w.client.Get(w.t.Context(), client.ObjectKey{Namespace: "shop", Name: "web"}, d))
	return d.Spec.Template.Annotations[restartedAt]
}

// stale has a renewal that no pod took up.
func (w *world) stale(pods ...string) {
	w.t.Helper()
	w.issue("web", "1")
	for _, name := range pods {
		w.pod(name, "", w.issued["web"].Leaf, "web-tls")
	}
	w.sweep("web")
	w.sweep("web")
	w.issue("web", "2")
	w.says(w.sweep("web"), "Delivering 0/"+string(rune('0'+len(pods)))+" reload-missing")
	w.now = w.now.Add(3 * time.Minute)
}

var escalates = map[string]string{inventory.EscalateKey: "rollout"}

func TestAStaleWorkloadIsRolledOutOnceWhereItsOwnerAllowsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployment(1, escalates)
	w.stale("a", "b")
	if got := w.restartedAt(); got != "" {
		t.Fatalf("it was rolled out before its deadline, at %s", got)
	}
	d := w.sweep("web")
	w.says(d, "Stale 0/2 reload-missing")
	if got := w.restartedAt(); len(d.Status.Rollouts) != 1 || got != d.Status.Rollouts[0].At.UTC().Format(time.RFC3339) {
		t.Fatalf("%+v, and the template says %q", d.Status.Rollouts, got)
	}
	first := w.restartedAt()
	w.lead() // another one does not know of what was done but from what is stored
	for range 5 {
		w.now = w.now.Add(time.Minute)
		w.sweep("web")
	}
	if got := w.restartedAt(); got != first {
		t.Errorf("it was rolled out again at %s", got)
	}
	if !slices.ContainsFunc(w.told, func(text string) bool { return strings.HasPrefix(text, "RolledOut: Deployment/web went on") }) {
		t.Errorf("told %q", w.told)
	}
	if len(w.rolled) == 0 || slices.Contains(w.rolled, "failed") {
		t.Errorf("counted %q", w.rolled)
	}
}

func TestARolloutThatWasStoredAndNotMadeIsMadeByTheNextLeader(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployment(1, escalates)
	w.stale("a")
	w.sweep("web")
	at := w.restartedAt()
	// The one before ended in between.
	d := &appsv1.Deployment{}
	w.must(w.client.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "web"}, d))
	d.Spec.Template.Annotations = nil
	w.must(w.client.Update(t.Context(), d))
	w.lead()
	w.sweep("web")
	if got := w.restartedAt(); got != at {
		t.Errorf("%q, want %q", got, at)
	}
}

func TestNoRolloutWithoutLeaveOrUse(t *testing.T) {
	t.Parallel()
	for sentence, change := range map[string]func(*world, *inventory.Workload){
		"the owner has not said so": func(_ *world, of *inventory.Workload) { of.Workload.Metadata.Annotations = nil },
		"the template says no": func(_ *world, of *inventory.Workload) {
			of.Workload.Spec.Template.Metadata.Annotations = map[string]string{inventory.EscalateKey: "off"}
		},
		"the cluster's owner has not":          func(w *world, _ *inventory.Workload) { w.run.Rollouts = false },
		"it is paused":                         func(_ *world, of *inventory.Workload) { of.Workload.Spec.Paused = true },
		"its pods wait to be deleted":          func(_ *world, of *inventory.Workload) { of.Workload.Spec.UpdateStrategy.Type = "OnDelete" },
		"a partition keeps pods as they are":   func(_ *world, of *inventory.Workload) { of.Workload.Spec.UpdateStrategy.RollingUpdate.Partition = 1 },
		"nobody knows of it":                   func(w *world, _ *inventory.Workload) { clear(w.workloads) },
		"a pod younger than the leaf is stale": func(w *world, _ *inventory.Workload) { w.started("b", w.now.Add(-time.Minute)) },
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			of := w.deployment(1, escalates)
			w.stale("a", "b")
			change(w, of)
			for range 3 {
				w.now = w.now.Add(time.Minute)
				if d := w.sweep("web"); d.Status.State != "Stale" {
					w.says(d, "Stale")
				}
			}
			if got := w.restartedAt(); got != "" {
				t.Errorf("it was rolled out at %s", got)
			}
		})
	}
}

// started changes when a pod began.
func (w *world) started(name string, at time.Time) {
	w.t.Helper()
	p := &corev1.Pod{}
	w.must(w.client.Get(w.t.Context(), client.ObjectKey{Namespace: "shop", Name: name}, p))
	p.Status.StartTime = &metav1.Time{Time: at}
	w.must(w.client.Status().Update(w.t.Context(), p))
	w.sync()
}

func TestWhoTakesUpByThemselvesIsNoticed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issue("web", "1")
	w.pod("a", "", w.issued["web"].Leaf, "web-tls")
	w.sweep("web")
	if d := w.sweep("web"); len(d.Status.TakesUp) != 0 {
		t.Errorf("without a renewal: %q", d.Status.TakesUp)
	}
	w.issue("web", "2")
	w.sweep("web")
	w.change("a", w.issued["web"].Leaf, true)
	w.sweep("web")
	d := w.sweep("web")
	w.says(d, "Delivered 1/1")
	if !slices.Equal(d.Status.TakesUp, []string{"Deployment/web"}) {
		t.Errorf("noticed %q", d.Status.TakesUp)
	}
	// The next renewal is not taken up: what was said is taken back.
	w.issue("web", "3")
	if d := w.sweep("web"); len(d.Status.TakesUp) != 1 {
		t.Errorf("too soon: %q", d.Status.TakesUp)
	}
	w.now = w.now.Add(3 * time.Minute)
	if d := w.sweep("web"); len(d.Status.TakesUp) != 0 {
		t.Errorf("it is still said of %q", d.Status.TakesUp)
	}
}

func TestAPokeThatCameTooEarlyIsMadeOnceMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issue("web", "1")
	w.pod("a", "", w.issued["web"].Leaf, "web-tls")
	w.sweep("web")
	w.sweep("web")
	w.issue("web", "2")
	w.sweep("web")
	once := string(fingerprint("2"))
	w.sweep("web")
	if got := w.word("a"); got != once {
		t.Fatalf("it holds %q", got)
	}
	w.now = w.now.Add(pokeTwice)
	w.sweep("web")
	if got := w.word("a"); got != once+","+once {
		t.Errorf("it was not poked again: %q", got)
	}
	for range 3 {
		w.now = w.now.Add(pokeTwice)
		w.sweep("web")
	}
	if got := w.word("a"); got != once+","+once {
		t.Errorf("it was poked a third time: %q", got)
	}
}

func TestAsManyRestartAsStrategyAndBudgetsAllow(t *testing.T) {
	t.Parallel()
	pods := []string{"a", "b", "c", "d", "e"}
	for sentence, c := range map[string]struct {
		atATime int32
		budgets []int32 // how many disruptions each allows
		want    string
	}{
		"one, where nothing is known":                {0, nil, "a"},
		"as many as the strategy says":               {3, nil, "abc"},
		"as many as the PodDisruptionBudget says":    {3, []int32{2}, "ab"},
		"as many as the narrowest of them says":      {4, []int32{3, 1}, "a"},
		"none, where a PodDisruptionBudget says so":  {3, []int32{0}, ""},
		"no more than the strategy, whatever budget": {1, []int32{5}, "a"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if c.atATime > 0 {
				w.deployment(c.atATime, nil)
			}
			for i, allowed := range c.budgets {
				w.must(w.client.Create(t.Context(), &policyv1.PodDisruptionBudget{
					ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "budget-" + string(rune('a'+i))},
					Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"pod-template-hash": "5c"}}},
					Status:     policyv1.PodDisruptionBudgetStatus{DisruptionsAllowed: allowed},
				}))
			}
			w.must(w.client.Create(t.Context(), &policyv1.PodDisruptionBudget{ // of other pods
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "other"},
				Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"pod-template-hash": "other"}}},
			}))
			w.issue("web", "1")
			for _, name := range pods {
				w.pod(name, "restart", w.issued["web"].Leaf, "web-tls")
			}
			w.sweep("web")
			w.sweep("web")
			w.issue("web", "2")
			w.sweep("web")
			w.sweep("web")
			got := ""
			for _, name := range pods {
				if permitted(w.word(name), fingerprint("2")) {
					got += name
				}
			}
			if got != c.want {
				t.Errorf("%q restart, want %q", got, c.want)
			}
			if c.want != "" {
				return
			}
			w.now = w.now.Add(3 * time.Minute)
			w.sweep("web")
			w.now = w.now.Add(3 * time.Minute)
			w.says(w.sweep("web"), "Stale 0/5 restart-blocked")
		})
	}
}

func TestStatefulSetsGoFromTheHighestOrdinalDown(t *testing.T) {
	t.Parallel()
	var members []member
	for _, name := range []string{"db-0", "db-10", "db-2"} {
		members = append(members, member{name: name, rank: rank(&Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Workload: "StatefulSet/db"}), ready: true, stale: true})
	}
	if got := nextTurn(members, 1, noon, time.Minute); got.next != "db-10" {
		t.Errorf("%s goes first", got.next)
	}
	if got := rank(&Pod{ObjectMeta: metav1.ObjectMeta{Name: "web-5c-10"}, Workload: "Deployment/web"}); got != 0 {
		t.Errorf("a Deployment's pod has rank %d", got)
	}
}

func TestWhatIsKeptOfAPodForItsTurn(t *testing.T) {
	t.Parallel()
	p := &corev1.Pod{}
	if err := json.Unmarshal([]byte(`{"metadata":{"name":"a","labels":{"app":"web"}},
		"spec":{"containers":[{"name":"web","volumeMounts":[{"name":"tls"}]}],"volumes":[{"name":"tls","secret":{"secretName":"web-tls"}}],
			"initContainers":[{"name":"certwire-agent","env":[{"name":"CERTWIRE_AGENT","value":"{\"method\":\"restart\"}"}]}]},
		"status":{"containerStatuses":[{"state":{"running":{"startedAt":"2026-11-01T00:00:00Z"}}},{"state":{"running":{"startedAt":"2026-11-02T00:00:00Z"}}}]}}`), p); err != nil {
		t.Fatal(err)
	}
	kept := NewPod(p)
	if diff := cmp.Diff(map[string]string{"app": "web"}, kept.Labels); diff != "" {
		t.Error(diff)
	}
	if got := kept.Began.UTC().Format(time.DateOnly); got != "2026-11-02" {
		t.Errorf("it began on %s", got)
	}
	p.Status.ContainerStatuses[0].State = corev1.ContainerState{}
	p.Spec.InitContainers = nil
	if kept := NewPod(p); !kept.Began.IsZero() || kept.Labels != nil {
		t.Errorf("%+v", kept)
	}
}
