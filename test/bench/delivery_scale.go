package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/test/harness"
)

const (
	// idleRound is longer than the time in which every endpoint is looked at once (pkg/delivery, idleSweep and its jitter).
	idleRound = 5*time.Minute + 45*time.Second
	// proofPatience ends a wait for all first proofs: a proof is a few writes, and certwire makes 100 a second.
	proofPatience = 30 * time.Minute
	// silentRenewals is how often the one endpoint that speaks is renewed.
	silentRenewals = 3
)

// scale measures many Certificates, each with one simulated endpoint.
type scale struct {
	*wire

	farm  *farm
	count int

	mu sync.Mutex
	// proven is the newest revision that was proven, by Certificate, and done how many have one.
	proven map[string]int64
	first  time.Time
}

// simulated measures deliveries with more endpoints than a machine has room for in pods: pods are objects without a node,
// and their addresses lead to this process.
func (b *bench) simulated(ctx context.Context) error {
	prepared, stop, err := b.wire(ctx)
	if err != nil {
		return err
	}
	defer stop()
	s := &scale{wire: prepared, count: b.options.deliveryCertificates, proven: map[string]int64{}}
	if s.farm, err = newFarm(ctx, s.count); err != nil {
		return err
	}
	defer s.farm.stop(context.WithoutCancel(ctx))
	if err := s.create(ctx); err != nil {
		return err
	}
	following, unfollow := context.WithCancel(ctx)
	defer unfollow()
	go s.follow(following)
	b.conditions("before")
	b.say("\n### %d Certificates with one simulated endpoint each (GOMEMLIMIT=%s)\n", s.count, memoryLimit)
	for _, part := range []func(context.Context) error{s.firstProofs, s.atRest, s.takeOver, s.silent} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	b.conditions("after")
	return nil
}

func nameOf(i int) (namespace, name string) { return fillNamespace(i), fmt.Sprintf("wire-%05d", i) }

// create makes all objects, issued before anybody looks.
func (s *scale) create(ctx context.Context) error {
	start := time.Now()
	for i := range min(fillNamespaces, s.count) {
		if err := s.namespaceWithAccount(ctx, fillNamespace(i)); err != nil {
			return err
		}
	}
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(creators)
	for i := range s.count {
		namespace, name := nameOf(i)
		host := name + ".example.com"
		pair := s.leaf(host)
		s.farm.serve(i, pair)
		g.Go(func() error {
			if err := s.certificateFor(inner, namespace, name, name, host); err != nil {
				return err
			}
			if err := s.pod(inner, namespace, name, i); err != nil {
				return err
			}
			return s.issue(inner, namespace, name, 1, pair)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	s.say("%d Certificates, CertificateRequests and pods created in %s", s.count, time.Since(start).Round(100*time.Millisecond))
	return nil
}

// pod makes a pod that nobody runs, Ready at an address of the farm.
func (s *scale) pod(ctx context.Context, namespace, name string, i int) error {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: map[string]string{"certwire.dev/verify": strconv.Itoa(int(s.farm.port()))}},
		Spec: corev1.PodSpec{
			SchedulerName: "nobody", AutomountServiceAccountToken: new(false),
			Containers: []corev1.Container{{
				Name: "server", Image: "registry.example.com/server:1", Ports: []corev1.ContainerPort{{ContainerPort: s.farm.port()}},
				VolumeMounts: []corev1.VolumeMount{{Name: "tls", MountPath: "/tls"}},
			}},
			Volumes: []corev1.Volume{{Name: "tls", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name}}}},
		},
	}
	if err := s.objects.Create(ctx, p); err != nil {
		return fmt.Errorf("creating pod %s/%s: %w", namespace, name, err)
	}
	now, address := metav1.Now(), s.farm.address(i)
	p.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: address, PodIPs: []corev1.PodIP{{IP: address}}, StartTime: &now,
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: now}},
	}
	if err := s.objects.Status().Update(ctx, p); err != nil {
		return fmt.Errorf("having pod %s/%s run: %w", namespace, name, err)
	}
	return nil
}

// follow notes what is proven. An API server ends the watch of who is too slow for it; the next one begins with all that
// there is.
func (s *scale) follow(ctx context.Context) {
	for ctx.Err() == nil {
		if w, err := s.objects.Watch(ctx, &v1alpha1.CertificateDeliveryList{}); err == nil {
			s.note(w)
		}
		_ = pause(ctx, time.Second) // also when the watch could not begin
	}
}

func (s *scale) note(w watch.Interface) {
	defer w.Stop()
	for event := range w.ResultChan() {
		d, ok := event.Object.(*v1alpha1.CertificateDelivery)
		if !ok || d.Status.State != v1alpha1.DeliveryDelivered {
			continue
		}
		s.mu.Lock()
		if len(s.proven) == 0 {
			s.first = time.Now()
		}
		s.proven[d.Name] = d.Status.Revision
		s.mu.Unlock()
	}
}

func (s *scale) provenCount() (int, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.proven), s.first
}

// firstProofs starts certwire on all of it.
func (s *scale) firstProofs(ctx context.Context) error {
	start := time.Now()
	if err := s.deploy(ctx); err != nil {
		return err
	}
	s.say("ready %s s after its start, manifests included", seconds(time.Since(start)))
	err := s.until(ctx, "all first proofs", proofPatience, func() (bool, error) {
		n, _ := s.provenCount()
		return n == s.count, s.alive()
	})
	n, first := s.provenCount()
	if err != nil {
		return fmt.Errorf("%d of %d are proven: %w", n, s.count, err)
	}
	took := time.Since(start)
	s.say("first proof after %s s, all %d after %s s: %.0f proofs and %.0f probes a second, one object made and one or two writes of its status for each",
		seconds(first.Sub(start)), n, seconds(took), float64(n)/took.Seconds(), float64(s.farm.dials.Load())/took.Seconds())
	return s.resident("just after that")
}

// alive is an error when the replica has ended.
func (s *scale) alive() error {
	r := s.certwire.Replicas[len(s.certwire.Replicas)-1]
	select {
	case <-r.Ended():
		return fmt.Errorf("the replica has ended with code %d", r.ExitCode())
	default:
		return nil
	}
}

func (s *scale) pid() int { return s.certwire.Replicas[len(s.certwire.Replicas)-1].PID() }

// resident prints the replica's memory.
func (s *scale) resident(when string) error {
	m, err := readMemory(s.pid())
	if err != nil {
		return err
	}
	s.say("memory of the replica %s: VmRSS %.1f MiB, VmHWM %.1f MiB, anonymous %.1f MiB", when, m.resident, m.peak, m.anonymous)
	return nil
}

// atRest lets a whole round of looks go by. The harness asks /readyz meanwhile, more often than a kubelet would.
func (s *scale) atRest(ctx context.Context) error {
	s.farm.reset()
	before, err := cpuTime(s.pid())
	if err != nil {
		return err
	}
	start := time.Now()
	if err := pause(ctx, idleRound); err != nil {
		return err
	}
	after, err := cpuTime(s.pid())
	if err != nil {
		return err
	}
	used, took, dials := after-before, time.Since(start), s.farm.dials.Load()
	s.say("\nat rest, for %s: %d of %d endpoints looked at, %d probes; CPU of the replica %s s, %.2f %% of one core",
		took.Round(time.Second), s.farm.seen.Load(), s.count, dials, seconds(used), 100*used.Seconds()/took.Seconds())
	return s.resident("after that")
}

// takeOver has a replica that knows nothing look at everything at once.
func (s *scale) takeOver(ctx context.Context) error {
	if err := s.replace(ctx); err != nil {
		return err
	}
	if err := s.until(ctx, "the first look", harness.Patience, func() (bool, error) { return s.farm.seen.Load() > 0, s.alive() }); err != nil {
		return err
	}
	start := time.Now()
	before, err := cpuTime(s.pid())
	if err != nil {
		return err
	}
	err = s.until(ctx, "a look at everything", proofPatience, func() (bool, error) { return int(s.farm.seen.Load()) == s.count, s.alive() })
	if err != nil {
		return fmt.Errorf("%d of %d endpoints were looked at: %w", s.farm.seen.Load(), s.count, err)
	}
	took, dials := time.Since(start), s.farm.dials.Load()
	after, err := cpuTime(s.pid())
	if err != nil {
		return err
	}
	s.say("\na replica that takes over looks at all %d in %s s: %.0f probes a second, %s s of CPU", s.count, seconds(took), float64(dials)/took.Seconds(), seconds(after-before))
	return s.resident("after that")
}

// replace ends the replica in good order, so that the lease is free at once, and starts another one.
func (s *scale) replace(ctx context.Context) error {
	old := s.certwire.Replicas[0]
	old.Terminate()
	select {
	case <-old.Ended():
	case <-time.After(harness.Patience):
		old.Kill()
	}
	s.certwire.Service.Remove(old)
	s.certwire.Replicas = nil
	s.farm.reset()
	_, err := s.certwire.Scale(ctx)
	return err
}

// silent has all endpoints but one accept connections and say nothing, as behind a firewall that swallows packets, and
// sees how long a renewal of that one waits for its proof. It begins where that is worst: a replica that takes over.
func (s *scale) silent(ctx context.Context) error {
	const one = 0
	s.farm.speaks.Store(one)
	if err := s.replace(ctx); err != nil {
		return err
	}
	busy := int64(min(s.count/2, 16)) // as many Certificates are looked after at a time
	if err := s.until(ctx, "silent endpoints to be dialled", harness.Patience, func() (bool, error) { return s.farm.open.Load() >= busy, s.alive() }); err != nil {
		return err
	}
	namespace, name := nameOf(one)
	var took []string
	for revision := 2; revision < 2+silentRenewals; revision++ {
		pair := s.leaf(name + ".example.com")
		s.farm.serve(one, pair)
		start := time.Now()
		if err := s.issue(ctx, namespace, name, revision, pair); err != nil {
			return err
		}
		err := s.until(ctx, "a proof among silent endpoints", s.options.silence, func() (bool, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.proven[name] == int64(revision), nil
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		if err != nil {
			took = append(took, "not within "+s.options.silence.String())
			break
		}
		took = append(took, seconds(time.Since(start))+" s")
	}
	s.say("\n%d of %d endpoints silent: a renewal of the one that is not is proven after %v; %d connections are open, %d endpoints were looked at",
		s.count-1, s.count, took, s.farm.open.Load(), s.farm.seen.Load())
	var object v1alpha1.CertificateDelivery
	if err := s.objects.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &object); err != nil {
		return fmt.Errorf("reading a delivery: %w", err)
	}
	s.say("(its delivery is %s at revision %d)", object.Status.State, object.Status.Revision)
	return s.resident("after that")
}
