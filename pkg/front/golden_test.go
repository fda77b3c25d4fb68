package front

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	yamldocs "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/certwire/certwire/test/golden"
)

// TestGolden reads the objects of each testdata/<case>/in.yaml, a Certificate among them, and compares its fronts with
// want.yaml. UPDATE_GOLDEN=true writes that anew.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, in := range golden.Cases(t, "testdata/*/in.yaml", 15) {
		dir := filepath.Dir(in)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			lists, certificate := load(t, in)
			got, err := yaml.Marshal(described(lists, certificate))
			if err != nil {
				t.Fatal(err)
			}
			golden.Same(t, filepath.Join(dir, "want.yaml"), got)
		})
	}
}

// told is a front as want.yaml shows it.
type told struct {
	For     string   `json:"for"`
	Missing string   `json:"missing,omitempty"`
	Left    int      `json:"left,omitempty"`
	Places  []string `json:"places,omitempty"`
}

func described(c Cluster, of Certificate) map[string]any {
	fronts := []told{}
	for _, f := range Of(c, of) {
		out := told{For: f.For(of.Namespace), Missing: f.Missing, Left: f.Left}
		for _, r := range f.Replicas {
			for _, p := range r.Places {
				line := fmt.Sprintf("%s/%s %s:%d=%s", r.Namespace, r.Pod, p.Address, p.Port, p.ServerName)
				if len(p.Bundle) > 0 {
					line += " trusting " + string(p.Bundle)
				}
				if p.Rival != "" {
					line += " beside " + p.Rival
				}
				out.Places = append(out.Places, line)
			}
		}
		fronts = append(fronts, out)
	}
	got := map[string]any{"fronts": fronts}
	var offers []string
	for _, p := range of.Pods {
		for _, o := range Offers(c, p) {
			offers = append(offers, fmt.Sprintf("%s %d for %s, asked for as %q", p.Name, o.Port, strings.Join(o.Services, " "), OwnName(of.Names, of.Namespace, o.Services)))
		}
	}
	if len(offers) > 0 {
		got["offers"] = offers
	}
	return got
}

// typed are the kinds that come as Kubernetes' own types.
var typed = map[string]func() any{
	"Ingress":                        func() any { return &networkingv1.Ingress{} },
	"IngressClass":                   func() any { return &networkingv1.IngressClass{} },
	"Service":                        func() any { return &corev1.Service{} },
	"EndpointSlice":                  func() any { return &discoveryv1.EndpointSlice{} },
	"ValidatingWebhookConfiguration": func() any { return &admissionv1.ValidatingWebhookConfiguration{} },
	"MutatingWebhookConfiguration":   func() any { return &admissionv1.MutatingWebhookConfiguration{} },
}

// load reads a file of objects. Pods that have a volume of the Certificate's Secret are said to mount it.
func load(t *testing.T, path string) (*Lists, Certificate) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lists, certificate, pods := &Lists{}, cmapi.Certificate{}, []corev1.Pod{}
	into := func(u *unstructured.Unstructured, object any) any {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(u.Object, object, true); err != nil {
			t.Fatalf("%s: %v", u.GetKind(), err)
		}
		return object
	}
	decoder := yamldocs.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		u := &unstructured.Unstructured{}
		if err := decoder.Decode(&u.Object); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		switch object, known := typed[u.GetKind()]; {
		case u.GetKind() == KindConversion: // of which not all fields are known here
			d := &CustomResourceDefinition{}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, d); err != nil {
				t.Fatal(err)
			}
			lists.Add(d)
		case u.GetKind() == "Certificate":
			into(u, &certificate)
		case u.GetKind() == "Pod":
			p := corev1.Pod{}
			into(u, &p)
			pods = append(pods, p)
		case known:
			lists.Add(into(u, object()))
		case !lists.Add(u):
			t.Fatalf("nobody knows what a %s is for", u.GetKind())
		}
	}
	of := Certificate{Namespace: certificate.Namespace, Secret: certificate.Spec.SecretName, Names: certificate.Spec.DNSNames}
	for i := range pods {
		p := Pod{Namespace: pods[i].Namespace, Name: pods[i].Name, UID: pods[i].UID}
		for _, ip := range pods[i].Status.PodIPs {
			p.IPs = append(p.IPs, ip.IP)
		}
		lists.AddPod(p)
		for _, v := range pods[i].Spec.Volumes {
			if v.Secret != nil && v.Secret.SecretName == of.Secret && p.Namespace == of.Namespace {
				of.Pods = append(of.Pods, p)
			}
		}
	}
	return lists, of
}
