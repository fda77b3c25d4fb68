package issuance

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/test/harness"
)

// patience is for what certwire tells only after a grace of up to two minutes.
const patience = 6 * time.Minute

// stuck is the plugin, and what each test of what it says shares.
type stuck struct{ plugin string }

func TestWhatIsStuckSaysWhy(t *testing.T) {
	t.Parallel()
	plugin, err := harness.Build(t.Context(), os.Stderr, "kubectl-certwire", "./cmd/kubectl-certwire")
	if err != nil {
		t.Fatal(err)
	}
	s := stuck{plugin}
	for sentence, test := range map[string]func(*testing.T){
		"no solver for a name":             s.noSolver,
		"no issuer":                        s.noIssuer,
		"an issuer that is not ready":      s.issuerNotReady,
		"another Certificate's Secret":     s.duplicateSecret,
		"a failed request":                 s.failedRequest,
		"a name that the CA refuses":       s.refusedName,
		"an Order that certwire refused":   s.refused,
		"self-checks, one after the other": s.selfChecks,
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// issuerWith is the YAML of a ClusterIssuer at a server, with these solvers as YAML in one line.
func issuerWith(t *testing.T, name, server, solvers string) string {
	t.Helper()
	return fmt.Sprintf(`
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: %s}
spec:
  acme:
    server: %s
    caBundle: %s
    privateKeySecretRef: {name: %[1]s-account}
    solvers: %[4]s
`, name, server, base64.StdEncoding.EncodeToString(certManager.CA()), solvers)
}

// applyIssuer makes it, until the test ends.
func (s stuck) applyIssuer(t *testing.T, text, name string) {
	t.Helper()
	mustApply(t, "default", text)
	t.Cleanup(func() {
		_, _ = cluster.Kubectl(context.Background(), "", "delete", "clusterissuer", name, "--ignore-not-found", "--wait=false")
	})
}

// says waits until a delivery and the plugin say that a Certificate is stuck for a cause, with these words: what they are made
// of is written by cert-manager one after the other.
func (s stuck) says(t *testing.T, ns, name, cause string, words ...string) v1alpha1.CertificateDelivery {
	t.Helper()
	var d v1alpha1.CertificateDelivery
	last := ""
	defer func() {
		if t.Failed() {
			t.Logf("last seen: %s", last)
		}
	}()
	within(t, patience, "the delivery of "+name+" says "+cause, func() bool {
		err := objects.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: name}, &d)
		if err != nil && !apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
		last = fmt.Sprintf("%+v", d.Status.Issuance)
		return d.Status.Issuance != nil && d.Status.Issuance.Cause == cause && holds(d.Status.Issuance.Message, words)
	})
	t.Logf("%s: %s", cause, d.Status.Issuance.Message)
	eventually(t, "the plugin says of "+name+" that it is stuck for "+cause, func() bool {
		out, code := s.explain(t, ns, name)
		last = fmt.Sprintf("the plugin ends with %d and says:\n%s", code, out)
		return code == 1 && strings.Contains(out, "is stuck ["+cause+"]") && !strings.Contains(out, "Not seen") && holds(out, words)
	})
	return d
}

func holds(text string, words []string) bool {
	return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
}

// goesOn waits until nothing is said any longer.
func (s stuck) goesOn(t *testing.T, ns, name string) {
	t.Helper()
	ready(t, ns, name)
	within(t, patience, "the delivery of "+name+" says nothing of its issuance", func() bool {
		var d v1alpha1.CertificateDelivery
		err := objects.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: name}, &d)
		return err == nil && d.Status.Issuance == nil && d.Status.Revision == 1 && d.Status.Layer != "issuance"
	})
	eventually(t, "the plugin says that "+name+" is issued", func() bool {
		out, code := s.explain(t, ns, name)
		return code == 0 && strings.Contains(out, "is issued [issued]")
	})
}

func (s stuck) explain(t *testing.T, ns, name string) (text string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), s.plugin, "explain", "certificate/"+name, "-n", ns)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Fatal(err)
		}
		code = exit.ExitCode()
	}
	return out.String(), code
}

// until waits until a delivery says when it is tried again: cert-manager writes of a failure to the request before it does to
// the Certificate.
func until(t *testing.T, ns, name string) time.Time {
	t.Helper()
	var d v1alpha1.CertificateDelivery
	within(t, patience, "the delivery of "+name+" says when it is tried again", func() bool {
		err := objects.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: name}, &d)
		return err == nil && d.Status.Issuance != nil && d.Status.Issuance.Until != nil
	})
	return d.Status.Issuance.Until.Time
}

// toldOnce fails the test unless an Event on the Certificate says so once.
func toldOnce(t *testing.T, ns, name string) {
	t.Helper()
	eventually(t, "an Event on "+name, func() bool {
		out := kubectl(t, "get", "events", "-n", ns, "--field-selector", "reason=IssuanceStuck,involvedObject.kind=Certificate,involvedObject.name="+name, "-o", "name")
		return strings.Count(out, "\n") == 1
	})
}

const waits = `[{http01: {ingress: {ingressClassName: none}}, waitInsteadOfSelfCheck: 1s}]`

func (s stuck) noSolver(t *testing.T) {
	t.Helper()
	ns := namespace(t)
	name := "solver-" + ns
	s.applyIssuer(t, issuerWith(t, name, certManager.ACME(staging), strings.Replace(waits, "{http01", "{selector: {dnsZones: [elsewhere.example]}, http01", 1)), name)
	mustApply(t, ns, certificate("web", name, ns+".example.com"))
	d := s.says(t, ns, "web", "order-no-solver", "no solver of ClusterIssuer "+name+" can prove "+ns+".example.com: no selector matches", "is left pending")
	if st := d.Status; st.State != v1alpha1.DeliveryPending || st.Cause != "not-issued" || st.Layer != "issuance" || st.Message != st.Issuance.Message {
		t.Errorf("the delivery is %s for %s, in layer %s: %s", st.State, st.Cause, st.Layer, st.Message)
	}
	toldOnce(t, ns, "web")
	mustApply(t, "default", issuerWith(t, name, certManager.ACME(staging), waits))
	s.goesOn(t, ns, "web")
}

func (s stuck) noIssuer(t *testing.T) {
	t.Helper()
	ns := namespace(t)
	name := "late-" + ns
	mustApply(t, ns, certificate("web", name, ns+".example.com"))
	s.says(t, ns, "web", "issuer-missing", "ClusterIssuer "+name+" does not exist")
	s.applyIssuer(t, issuerWith(t, name, certManager.ACME(staging), waits), name)
	s.goesOn(t, ns, "web")
}

func (s stuck) issuerNotReady(t *testing.T) {
	t.Helper()
	ns := namespace(t)
	name := "away-" + ns
	s.applyIssuer(t, issuerWith(t, name, "https://127.0.0.1:9/dir", waits), name) // the port of discard: nobody is there
	mustApply(t, ns, certificate("web", name, ns+".example.com"))
	s.says(t, ns, "web", "issuer-not-ready", "ClusterIssuer "+name+" is not ready", "kubectl describe clusterissuer "+name)
}

func (s stuck) duplicateSecret(t *testing.T) {
	t.Helper()
	ns := namespace(t)
	mustApply(t, ns, certificate("one", stagingIssuer, ns+".example.com"))
	ready(t, ns, "one")
	mustApply(t, ns, strings.Replace(certificate("two", stagingIssuer, "two."+ns+".example.com"), "two-tls", "one-tls", 1))
	s.says(t, ns, "two", "duplicate-secret", "Secret "+ns+"/one-tls belongs to Certificate one")
	if out, code := s.explain(t, ns, "one"); code != 0 {
		t.Errorf("of the one that has it, the plugin says:\n%s", out)
	}
}

func (s stuck) failedRequest(t *testing.T) {
	t.Helper()
	ns := namespace(t)
	// A name that is in the request's subject alone: cert-manager fails it for good, without an Order.
	mustApply(t, ns, certificate("web", stagingIssuer, ns+".example.com")+"  commonName: old."+ns+".example.com\n")
	s.says(t, ns, "web", "request-failed", "commonName", "cmctl renew web -n "+ns)
	until := until(t, ns, "web")
	c := kubectl(t, "get", "certificate", "web", "-n", ns, "-o", "jsonpath={.status.lastFailureTime}")
	failed, err := time.Parse(time.RFC3339, c)
	if err != nil || !until.Equal(failed.Add(time.Hour)) {
		t.Errorf("it failed at %q and is tried again at %v", c, until)
	}
}

func (s stuck) refusedName(t *testing.T) {
	t.Helper()
	ns := namespace(t)
	mustApply(t, ns, certificate("web", stagingIssuer, "no_name."+ns+".example.com"))
	s.says(t, ns, "web", "order-failed", "urn:ietf:params:acme:error:malformed")
	until(t, ns, "web")
}

func (s stuck) refused(t *testing.T) {
	t.Helper()
	ns, domain := guarded(t)
	web := certificate("web", productionIssuer, domain)
	mustApply(t, ns, web)
	ready(t, ns, "web")
	for range 4 {
		recreate(t, ns, "web", web)
		ready(t, ns, "web")
	}
	kubectl(t, "delete", "secret", "web-tls", "-n", ns)
	d := s.says(t, ns, "web", "refused-by-certwire", "of 5 certificates in 7 days for the same set of names ("+domain+") at least 5 are used", "see kubectl certwire budget")
	if until := d.Status.Issuance.Until; until == nil || !strings.Contains(d.Status.Issuance.Message, until.UTC().Format("2006-01-02 15:04 MST")) {
		t.Errorf("it is tried again at %v: %s", until, d.Status.Issuance.Message)
	}
	if d.Status.State == v1alpha1.DeliveryPending || d.Status.Leaf == nil {
		t.Errorf("of the certificate that there is, the delivery says %s for %s", d.Status.State, d.Status.Cause)
	}
}

// selfChecks has no Ingress controller and no DNS: the test gives the Ingress its address, as a controller would.
func (s stuck) selfChecks(t *testing.T) {
	t.Helper()
	ns := namespace(t)
	name := "check-" + ns
	s.applyIssuer(t, issuerWith(t, name, certManager.ACME(staging), "[{http01: {ingress: {ingressClassName: "+name+"}}}]"), name)
	mustApply(t, ns, certificate("web", name, ns+".invalid"))
	s.says(t, ns, "web", "ingress-class-unknown", fmt.Sprintf("its ingressClassName %q names no IngressClass", name))
	class := "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: " + name + "}\nspec: {controller: example.com/none}\n"
	mustApply(t, ns, class)
	t.Cleanup(func() {
		_, _ = cluster.Kubectl(context.Background(), "", "delete", "ingressclass", name, "--wait=false")
	})
	s.says(t, ns, "web", "ingress-no-address", "no controller has given Ingress "+ns+"/cm-acme-http-solver-")
	ingresses := list(t, ns, &networkingv1.IngressList{})
	if len(ingresses.Items) != 1 {
		t.Fatalf("%d Ingresses", len(ingresses.Items))
	}
	in := &ingresses.Items[0]
	in.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: "192.0.2.1"}}
	if err := objects.Status().Update(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	s.says(t, ns, "web", "selfcheck-connect", "the self-check of Challenge "+ns+"/web-1-", "gets no answer")
}
