package explain

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/cluster"
	"github.com/certwire/certwire/pkg/mutate"
)

// kinds are the ways to write a kind on the command line.
var kinds = map[string][]string{
	"Deployment":  {"deployment", "deployments", "deploy", "deployment.apps", "deployments.apps"},
	"StatefulSet": {"statefulset", "statefulsets", "sts", "statefulset.apps", "statefulsets.apps"},
	"DaemonSet":   {"daemonset", "daemonsets", "ds", "daemonset.apps", "daemonsets.apps"},
	"Pod":         {"pod", "pods", "po"},
}

// ParseName reads "deployment/web", "sts/db" or "pod/x".
func ParseName(text string) (kind, name string, err error) {
	word, name, ok := strings.Cut(text, "/")
	for kind, words := range kinds {
		if ok && name != "" && slices.Contains(words, strings.ToLower(word)) {
			return kind, name, nil
		}
	}
	return "", "", fmt.Errorf("%q is not a workload such as deployment/web, sts/db, ds/proxy or pod/x", text)
}

// Get reads the object to explain.
func Get(ctx context.Context, c *cluster.Cluster, kind, name string) (Object, error) {
	o := Object{Kind: kind, Namespace: c.Namespace, Name: name, Stored: true}
	object := newObject(kind)
	if err := c.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: name}, object); err != nil {
		return o, fmt.Errorf("reading %s: %w", o, err)
	}
	object.SetManagedFields(nil)
	var err error
	if o.JSON, err = json.Marshal(object); err != nil {
		return o, fmt.Errorf("encoding %s: %w", o, err)
	}
	return o, nil
}

func newObject(kind string) client.Object {
	switch kind {
	case "Deployment":
		return &appsv1.Deployment{}
	case "StatefulSet":
		return &appsv1.StatefulSet{}
	case "DaemonSet":
		return &appsv1.DaemonSet{}
	default:
		return &corev1.Pod{}
	}
}

// Look reads the surroundings of an object with the caller's permissions. system is certwire's own namespace. What cannot be
// read is noted, with what is assumed instead; it is an error only when nothing can be known at all.
func Look(ctx context.Context, c *cluster.Cluster, o Object, system string) (Facts, error) {
	var f Facts
	unseen := func(what string, err error, instead string) {
		if err != nil {
			f.Unseen = append(f.Unseen, fmt.Sprintf("%s (%s): %s", what, cluster.Why(err), instead))
		}
	}
	var err error
	if f.Settings, err = c.Settings(ctx, system); f.Settings == nil {
		return f, err
	}
	unseen(fmt.Sprintf("certwire's configuration, ConfigMap %s/certwire", system), err, "its defaults are assumed")
	var namespace corev1.Namespace
	unseen("Namespace "+o.Namespace, c.Get(ctx, client.ObjectKey{Name: o.Namespace}, &namespace), "it is taken to have no labels")
	f.Labels = namespace.Labels
	var certificates cmapi.CertificateList
	err = c.List(ctx, &certificates, client.InNamespace(o.Namespace))
	unseen("the Certificates of Namespace "+o.Namespace, err, "nobody knows which Secrets are written by one")
	f.Certificates, f.CertificatesUnseen = certificates.Items, err != nil
	f.Reloader, f.ReloaderAt, err = c.Reloader(ctx)
	if err != nil && f.ReloaderAt == "" {
		f.Reloader = mutate.Reloader{Found: true, Keys: mutate.DefaultKeys()}
	}
	unseen("Reloader", err, "it is taken to be there, with its usual options")
	versions, err := c.Versions(ctx)
	unseen("the nodes' versions", err, "all of them are taken to be as new as the API server")
	f.Features = versions.Features()
	var limits corev1.LimitRangeList
	unseen("the LimitRanges of Namespace "+o.Namespace, c.List(ctx, &limits, client.InNamespace(o.Namespace)), "there are taken to be none")
	for _, l := range limits.Items {
		f.Limits = append(f.Limits, l.Spec.Limits...)
	}
	return f, relatives(ctx, c, o, &f, unseen)
}

// relatives reads a workload's Pods, or the workload that a Pod belongs to.
func relatives(ctx context.Context, c *cluster.Cluster, o Object, f *Facts, unseen func(what string, err error, instead string)) error {
	if o.Kind == "Pod" {
		pod, err := mutate.DecodePod(o.JSON)
		if err != nil || pod.Metadata == nil {
			return err
		}
		if kind, name, ok := pod.Metadata.Workload(); ok {
			owner := newObject(kind)
			unseen(fmt.Sprintf("%s %s/%s, which it belongs to", kind, o.Namespace, name),
				c.Get(ctx, client.ObjectKey{Namespace: o.Namespace, Name: name}, owner), "it is taken to have no labels")
			f.Owner = owner.GetLabels()[mutate.ReloadLabel]
		}
		return nil
	}
	var w struct {
		Spec struct {
			Selector *metav1.LabelSelector `json:"selector"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(o.JSON, &w); err != nil || w.Spec.Selector == nil || !o.Stored {
		return err
	}
	selector, err := metav1.LabelSelectorAsSelector(w.Spec.Selector)
	if err != nil {
		return fmt.Errorf("reading the selector of %s: %w", o, err)
	}
	var pods corev1.PodList
	unseen("its Pods", c.List(ctx, &pods, client.InNamespace(o.Namespace), client.MatchingLabelsSelector{Selector: selector}), "whether they have the agent is not known")
	f.Pods = slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool {
		return p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
	})
	return nil
}
