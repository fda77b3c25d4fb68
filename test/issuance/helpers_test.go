package issuance

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var counter atomic.Int64

// namespace makes a namespace with these labels ("key=value") and removes it afterwards. Its name is used in the names
// that certificates are for, so no two tests share one.
func namespace(t *testing.T, labels ...string) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("t%d", counter.Add(1)), Labels: map[string]string{}}}
	for _, l := range labels {
		k, v, _ := strings.Cut(l, "=")
		ns.Labels[k] = v
	}
	if _, err := cluster.Client.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Client.CoreV1().Namespaces().Delete(context.Background(), ns.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return ns.Name
}

// kubectl runs it and fails the test when it does.
func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := cluster.Kubectl(t.Context(), "", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// apply applies YAML and returns what kubectl says, warnings and refusals included.
func apply(t *testing.T, namespace, text string, flags ...string) (string, error) {
	t.Helper()
	return cluster.Kubectl(t.Context(), text, append([]string{"apply", "-f", "-", "-n", namespace}, flags...)...)
}

func mustApply(t *testing.T, namespace, text string, flags ...string) {
	t.Helper()
	if _, err := apply(t, namespace, text, flags...); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for a condition; the limit only says when to stop hoping.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	within(t, 3*time.Minute, what, condition)
}

// within is the same for what takes long by its nature.
func within(t *testing.T, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("never: %s", what)
		case <-t.Context().Done():
			t.Fatalf("ended while waiting: %s", what)
		case <-tick.C:
		}
	}
}

// certificate is a Certificate and the Secret "<name>-tls" for these names.
func certificate(name, issuer string, dnsNames ...string) string {
	return fmt.Sprintf(`
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: %s}
spec:
  secretName: %[1]s-tls
  dnsNames: [%s]
  issuerRef: {name: %s, kind: ClusterIssuer}
`, name, strings.Join(dnsNames, ", "), issuer)
}

// ready waits until the Certificate is Ready and its Secret there.
func ready(t *testing.T, namespace, name string) {
	t.Helper()
	started := time.Now()
	eventually(t, "Certificate "+name+" is ready", func() bool {
		out, err := cluster.Kubectl(t.Context(), "", "get", "certificate", name, "-n", namespace, "-o",
			`jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.conditions[?(@.type=="Issuing")].status}`)
		return err == nil && out == "True "
	})
	kubectl(t, "get", "secret", name+"-tls", "-n", namespace)
	t.Logf("%s was ready %s after it was asked for", name, time.Since(started).Round(10*time.Millisecond))
}

// counts checks what the CA has taken and issued for these names.
func counts(t *testing.T, server, want int, names ...string) {
	t.Helper()
	if orders, issued := certManager.Orders(server, names...), certManager.Issued(server, names...); orders != want || issued != want {
		history, err := certManager.History(server)
		t.Errorf("the CA has %d orders and %d certificates for %q, want %d; all: %+v (%v)", orders, issued, names, want, history, err)
	}
}
