package main

import (
	"context"
	"fmt"
	"net"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/test/pki"
	"github.com/certwire/certwire/test/pods"
)

const (
	// maxPods is how many the test's node has room for, beside those that a rollout makes.
	maxPods = 150
	// pokedRounds is how often the quickest way is measured.
	pokedRounds = 3
	// kubeletPatience is beyond what the kubelet needs by itself.
	kubeletPatience = 5 * time.Minute
	// workloadName is the name of the workload's Certificate, Deployment and namespace.
	workloadName = "wire"
)

// workload is a Deployment whose pods use one Secret.
type workload struct {
	*wire

	// served is what all pods serve.
	served   probe.Fingerprint
	revision int
}

// renewedPods measures how long it takes from the write of a Secret until all pods of a Deployment serve it: by the
// kubelet alone, with certwire's pokes, and by a rollout as Reloader has it done.
func (b *bench) renewedPods(ctx context.Context) error {
	flags, err := pods.Images(ctx, b.folder, b.progress)
	if err != nil {
		return err
	}
	prepared, stop, err := b.wire(ctx, flags...)
	if err != nil {
		return err
	}
	defer stop()
	if err := prepared.deploy(ctx); err != nil {
		return err
	}
	w := &workload{wire: prepared}
	if err := w.create(ctx); err != nil {
		return err
	}
	b.conditions("before")
	b.say("\n### From the write of a Secret until %d pods of a Deployment served it, in seconds\n", b.options.deliveryPods)
	row := "| %-26s | %7s | %6s | %6s | %6s |"
	b.say(row, "way", "renewed", "p50", "p99", "last")
	b.say("|%s|%s|%s|%s|%s|", dashes(28), dashes(9), dashes(8), dashes(8), dashes(8))
	for _, way := range []struct {
		name   string
		rounds int
		do     func(context.Context) ([]time.Duration, error)
	}{
		{"the kubelet alone", 1, w.alone},
		{"poked by certwire", pokedRounds, w.poked},
		{"kubectl rollout restart", 1, w.rolledOut},
	} {
		var took []time.Duration
		for range way.rounds {
			one, err := way.do(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", way.name, err)
			}
			took = append(took, one...)
		}
		t := timingOf(took)
		b.say(row, way.name, fmt.Sprint(way.rounds), seconds(t.p50), seconds(t.p99), seconds(lastOf(took)))
	}
	b.say("\nSeen by this command, which dials each pod every 0.1 s or so, on the machine that all of it runs on. A rollout's pods" +
		"\nare new ones; it begins with the write, as if Reloader needed no time to see it.")
	b.conditions("after")
	return nil
}

// create makes the workload, and waits until certwire has proven its first certificate.
func (w *workload) create(ctx context.Context) error {
	if err := w.namespaceWithAccount(ctx, workloadName); err != nil {
		return err
	}
	if err := w.certificateFor(ctx, workloadName, workloadName, pods.SecretName, "web.example.com"); err != nil {
		return err
	}
	pair := w.leaf("web.example.com")
	secret := w.secret(pair)
	if err := w.objects.Create(ctx, secret); err != nil {
		return fmt.Errorf("creating the Secret: %w", err)
	}
	w.note(pair)
	w.revision++
	if err := w.issue(ctx, workloadName, workloadName, w.revision, pair); err != nil {
		return err
	}
	labels, pod := map[string]string{"app": workloadName}, pods.App("watch", nil).Pod()
	pod.Spec.AutomountServiceAccountToken = new(false)
	err := w.objects.Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: workloadName, Name: workloadName},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(w.options.deliveryPods)), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod.Spec},
		},
	})
	if err != nil {
		return fmt.Errorf("creating the Deployment: %w", err)
	}
	if err := w.until(ctx, "the pods", 10*time.Minute, func() (bool, error) { return w.rolled(ctx) }); err != nil {
		return err
	}
	return w.proven(ctx)
}

func (w *workload) secret(pair pki.Pair) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: workloadName, Name: pods.SecretName}, Type: corev1.SecretTypeTLS, Data: pair.Files(),
	}
}

func (w *workload) note(pair pki.Pair) { w.served = probe.FingerprintOf(pair.Chain[0].Raw) }

// write replaces the Secret, and returns when that was done.
func (w *workload) write(ctx context.Context, pair pki.Pair) (time.Time, error) {
	if err := w.objects.Update(ctx, w.secret(pair)); err != nil {
		return time.Time{}, fmt.Errorf("writing the Secret: %w", err)
	}
	return time.Now(), nil
}

// alone has nobody but the kubelet know of the new Secret.
func (w *workload) alone(ctx context.Context) ([]time.Duration, error) {
	return w.inPlace(ctx, func(pki.Pair) error { return nil })
}

// poked has certwire know of it.
func (w *workload) poked(ctx context.Context) ([]time.Duration, error) {
	took, err := w.inPlace(ctx, func(pair pki.Pair) error {
		w.revision++
		return w.issue(ctx, workloadName, workloadName, w.revision, pair)
	})
	if err != nil {
		return nil, err
	}
	return took, w.proven(ctx)
}

// inPlace renews the certificate of pods that stay.
func (w *workload) inPlace(ctx context.Context, tell func(pki.Pair) error) ([]time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, kubeletPatience)
	defer cancel()
	list, err := w.pods(ctx)
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, p := range list {
		addresses = append(addresses, addressOf(p))
	}
	pair := w.leaf("web.example.com")
	written, err := w.write(ctx, pair)
	if err != nil {
		return nil, err
	}
	told := make(chan error, 1)
	go func() { told <- tell(pair) }()
	took, err := pods.Watch(ctx, addresses, w.served, written)
	if err != nil {
		return nil, fmt.Errorf("%d of %d pods serve the new certificate: %w", len(took), len(addresses), err)
	}
	w.note(pair)
	return took, <-told
}

// rolledOut has all pods replaced. What is counted are the pods that are there in the end.
func (w *workload) rolledOut(ctx context.Context) ([]time.Duration, error) {
	pair := w.leaf("web.example.com")
	w.note(pair)
	written, err := w.write(ctx, pair)
	if err != nil {
		return nil, err
	}
	if _, err := w.cluster.Kubectl(ctx, "", "rollout", "restart", "deployment/"+workloadName, "-n", workloadName); err != nil {
		return nil, err
	}
	seen := map[types.UID]time.Duration{}
	var took []time.Duration
	err = w.until(ctx, "the rollout", 20*time.Minute, func() (bool, error) {
		list, err := w.pods(ctx)
		if err != nil {
			return false, err
		}
		if err := w.look(ctx, list, written, seen); err != nil {
			return false, err
		}
		took = took[:0]
		for _, p := range list {
			if at, ok := seen[p.UID]; ok {
				took = append(took, at)
			}
		}
		done, err := w.rolled(ctx)
		return done && len(took) == len(list) && len(list) == w.options.deliveryPods, err
	})
	return took, err
}

// look notes which pods serve the newest certificate for the first time.
func (w *workload) look(ctx context.Context, list []corev1.Pod, since time.Time, seen map[types.UID]time.Duration) error {
	var addresses []string
	var uids []types.UID
	for _, p := range list {
		if _, is := seen[p.UID]; !is && p.Status.PodIP != "" {
			addresses, uids = append(addresses, addressOf(p)), append(uids, p.UID)
		}
	}
	for i, s := range pods.Look(ctx, addresses) {
		if s.Leaf == w.served {
			seen[uids[i]] = s.At.Sub(since)
		}
	}
	return ctx.Err()
}

func addressOf(p corev1.Pod) string { return net.JoinHostPort(p.Status.PodIP, "8443") }

// pods are those of the Deployment that are not on their way out.
func (w *workload) pods(ctx context.Context) ([]corev1.Pod, error) {
	list := &corev1.PodList{}
	if err := w.objects.List(ctx, list, client.InNamespace(workloadName), client.MatchingLabels{"app": workloadName}); err != nil {
		return nil, fmt.Errorf("listing the pods: %w", err)
	}
	var there []corev1.Pod
	for _, p := range list.Items {
		if p.DeletionTimestamp.IsZero() {
			there = append(there, p)
		}
	}
	return there, nil
}

// rolled reports whether all pods are of the newest template, and Ready.
func (w *workload) rolled(ctx context.Context) (bool, error) {
	d := &appsv1.Deployment{}
	if err := w.objects.Get(ctx, client.ObjectKey{Namespace: workloadName, Name: workloadName}, d); err != nil {
		return false, fmt.Errorf("reading the Deployment: %w", err)
	}
	want := int32(w.options.deliveryPods)
	return d.Status.ObservedGeneration == d.Generation && d.Status.UpdatedReplicas == want && d.Status.ReadyReplicas == want && d.Status.Replicas == want, nil
}

// proven waits until certwire has proven the newest revision.
func (w *workload) proven(ctx context.Context) error {
	return w.until(ctx, "the proof", kubeletPatience, func() (bool, error) {
		d := &v1alpha1.CertificateDelivery{}
		err := w.objects.Get(ctx, client.ObjectKey{Namespace: workloadName, Name: workloadName}, d)
		return err == nil && d.Status.Revision == int64(w.revision) && d.Status.State == v1alpha1.DeliveryDelivered, client.IgnoreNotFound(err)
	})
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()) }

func lastOf(took []time.Duration) time.Duration {
	var last time.Duration
	for _, d := range took {
		last = max(last, d)
	}
	return last
}
