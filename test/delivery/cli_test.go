package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/test/harness"
)

// plugin builds kubectl-certwire, once.
var plugin = sync.OnceValues(func() (string, error) {
	return harness.Build(context.Background(), os.Stderr, "kubectl-certwire", "./cmd/kubectl-certwire")
})

// certwire runs kubectl certwire in the rig's namespace, and fails the test for another exit code.
func (r *rig) certwire(code int, args ...string) string {
	r.t.Helper()
	binary, err := plugin()
	r.must(err)
	cmd := exec.CommandContext(r.t.Context(), binary, append(args, "-n", r.namespace)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig)
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	got := 0
	var exit *exec.ExitError
	if err := cmd.Run(); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		r.must(err)
	}
	r.t.Logf("$ kubectl certwire %s\n%s%s", strings.Join(args, " "), out.String(), messages.String())
	if got != code {
		r.t.Fatalf("exit code %d, want %d", got, code)
	}
	return out.String()
}

// cast is a person who may read Certificates and look into pods, and neither Secrets nor what certwire has written.
func (r *rig) cast(name string) {
	r.t.Helper()
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"cert-manager.io"}, Resources: []string{"certificates", "certificaterequests"}, Verbs: []string{"get", "list"}},
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}},
		{APIGroups: []string{""}, Resources: []string{"pods/portforward"}, Verbs: []string{"create", "get"}},
	}}
	_, err := cluster.Client.RbacV1().Roles(r.namespace).Create(r.t.Context(), role, metav1.CreateOptions{})
	r.must(err)
	_, err = cluster.Client.RbacV1().RoleBindings(r.namespace).Create(r.t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
	}, metav1.CreateOptions{})
	r.must(err)
}

func TestCheckShowsTheSameSerialAtEachLayer(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	r.deploy("web", server{from: "watch", replicas: 3, port: 8443})
	r.becomes(1, v1alpha1.DeliveryDelivered, "", "3/3")
	r.renew()
	serial := r.becomes(2, v1alpha1.DeliveryDelivered, "", "3/3").Status.Leaf.Serial

	for _, args := range [][]string{{"check", "web"}, {"check", "web", "--dial"}} {
		out := r.certwire(0, args...)
		tree, _, _ := strings.Cut(out, "\n\n")
		if n := strings.Count(tree, serial); n != 5 { // the Certificate, the Secret, and three pods
			t.Errorf("%v: the serial is there %d times", args, n)
		}
		if strings.Contains(out, "PRIVATE KEY") {
			t.Error("a key is shown")
		}
	}
	var tree struct {
		Verdict string
		Chain   struct{ Certificate struct{ Serial string } }
	}
	r.must(json.Unmarshal([]byte(r.certwire(0, "check", "web", "-o", "json")), &tree))
	if tree.Verdict != "current" || tree.Chain.Certificate.Serial != serial {
		t.Errorf("%+v", tree)
	}

	t.Run("and so does it for who may read neither Secrets nor deliveries", func(t *testing.T) {
		r.cast("jane")
		out := r.certwire(0, "check", "web", "--dial", "--as", "jane")
		for _, want := range []string{"not readable, assumed", "3 of 3 current", "Everything serves serial " + serial, "the CertificateDelivery (you may not read it)"} {
			if !strings.Contains(out, want) {
				t.Errorf("not there: %s", want)
			}
		}
		if out := r.certwire(2, "check", "web", "--as", "jane"); !strings.Contains(out, "with --dial this command looks itself") {
			t.Error("without --dial it does not say how to find out")
		}
	})
}

func TestCheckMarksTheFirstStaleLayerAndItsRemedyHelps(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	r.deploy("web", server{from: "once", replicas: 2, port: 8443})
	first := r.becomes(1, v1alpha1.DeliveryDelivered, "", "2/2").Status.Leaf.Serial
	r.renew()
	second := r.becomes(2, v1alpha1.DeliveryStale, "reload-missing", "0/2").Status.Leaf.Serial

	remedy := "kubectl rollout restart deployment/web -n " + r.namespace
	for _, args := range [][]string{{"check", "web"}, {"check", "web", "--dial"}} {
		out := r.certwire(1, args...)
		tree, rest, _ := strings.Cut(out, "\n\n")
		if !strings.Contains(rest, "The first stale layer is the pods: Deployment web (0 of 2 current)") || !strings.Contains(rest, "\n  "+remedy+"\n") {
			t.Errorf("%v: layer or remedy are not there", args)
		}
		if strings.Count(tree, first) != 2 || strings.Count(tree, second) != 2 {
			t.Errorf("%v: serials %s and %s", args, first, second)
		}
		for line := range strings.Lines(tree) {
			if strings.Contains(line, "first stale layer") != strings.Contains(line, "Deployment web") {
				t.Errorf("%v: it is not the Deployment that is marked: %s", args, line)
			}
		}
	}
	words := strings.Fields(remedy)
	if out, err := cluster.Kubectl(t.Context(), "", words[1:]...); err != nil {
		t.Fatal(out, err)
	}
	r.becomes(2, v1alpha1.DeliveryDelivered, "", "2/2")
	r.certwire(0, "check", "web", "--dial")
}

func TestCheckOfAServerThatCannotBeSeen(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	r.deploy("web", server{from: "watch", replicas: 1, port: 8443, annotations: map[string]string{"certwire.dev/verify": "9443"}})
	out := r.certwire(2, "check", "web", "--dial")
	if !strings.Contains(out, "no certificate was seen (refused)") {
		t.Error("it does not say why")
	}
}
