package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/certwire/certwire/test/harness"
)

// plugin runs kubectl-certwire against the cluster and returns what it prints and its exit code.
type plugin string

func (p plugin) run(t *testing.T, input string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), string(p), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig)
	cmd.Stdin = strings.NewReader(input)
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Fatal(err)
		}
		code = exit.ExitCode()
	}
	return out.String(), messages.String(), code
}

// must runs it and fails the test for another exit code.
func (p plugin) must(t *testing.T, want int, args ...string) string {
	t.Helper()
	out, messages, code := p.run(t, "", args...)
	if code != want {
		t.Fatalf("%v: exit code %d, want %d\n%s\n%s", args, code, want, out, messages)
	}
	return out
}

func TestCLI(t *testing.T) {
	t.Parallel()
	binary, err := harness.Build(t.Context(), os.Stderr, "kubectl-certwire", "./cmd/kubectl-certwire")
	if err != nil {
		t.Fatal(err)
	}
	p := plugin(binary)
	t.Run("lint", func(t *testing.T) { t.Parallel(); testCLILint(t, p) })
	t.Run("budget", func(t *testing.T) { t.Parallel(); testCLIBudget(t, p) })
	t.Run("status", func(t *testing.T) { t.Parallel(); testCLIStatus(t, p) })
	t.Run("check", func(t *testing.T) { t.Parallel(); testCLICheck(t, p) })
	t.Run("explain", func(t *testing.T) { t.Parallel(); testCLIExplain(t, p) })
	t.Run("doctor", func(t *testing.T) { t.Parallel(); testCLIDoctor(t, p) })
	t.Run("kubectl finds it as its plugin", func(t *testing.T) {
		t.Parallel()
		cmd := exec.CommandContext(t.Context(), cluster.KubectlPath(), "certwire", "version")
		cmd.Env = append(os.Environ(), "PATH="+strings.TrimSuffix(binary, "/kubectl-certwire")+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		contains(t, string(out), "kubectl-certwire ")
	})
}

// testCLILint: what the API server says of a Certificate, lint says of it together with what the cluster has around it.
func testCLILint(t *testing.T, p plugin) {
	t.Helper()
	ns := namespace(t)
	mustApply(t, ns, issuer("le", production01, dns01))
	kubectl(t, "label", "namespace", ns, "certwire.dev/issuance=deny")
	text := fromLE("web", "dnsNames: [www.example.com]")
	said := ""
	eventually(t, "it is refused", func() bool {
		out, err := apply(t, ns, text, "--dry-run=server")
		said = out
		return err != nil && strings.Contains(out, "is without an environment")
	})
	_, said, _ = strings.Cut(said, "denied the request: ")
	said, _, _ = strings.Cut(said, ". Use ") // which staging issuer there is depends on what other tests have made
	around := kubectl(t, "get", "namespace/"+ns, "-o", "yaml") + "---\n" + kubectl(t, "get", "issuers", "-n", ns, "-o", "json") + "\n---\n"
	out, messages, code := p.run(t, around+text, "lint", "-f", "-", "-n", ns)
	if code != 1 {
		t.Fatalf("exit code %d: %s%s", code, out, messages)
	}
	contains(t, out, " Certificate/web: error: "+said+". Use ", " [production-ca]\n", " Issuer/le: error: ")
}

// testCLIStatus shows deliveries that nobody has made: the controller that does is tested on a node.
func testCLIStatus(t *testing.T, p plugin) {
	t.Helper()
	if _, messages, code := p.run(t, "", "status", "-A"); code != 2 || !strings.Contains(messages, "install certwire's component delivery") {
		t.Errorf("without the component: exit code %d, %s", code, messages)
	}
	kubectl(t, "apply", "-f", "manifests/components/delivery/crd.yaml")
	kubectl(t, "wait", "--for=condition=Established", "crd/certificatedeliveries.certwire.dev")
	ns := namespace(t)
	for name, status := range map[string]string{
		"web": `{"state":"Delivered","replicas":"3/3","current":3,"total":3}`,
		"api": `{"state":"Stale","cause":"partial","replicas":"2/3","current":2,"total":3,"endpoints":[{"pod":"api-0","port":"8443","state":"previous","serial":"77"}]}`,
	} {
		mustApply(t, ns, "apiVersion: certwire.dev/v1alpha1\nkind: CertificateDelivery\nmetadata: {name: "+name+"}\n")
		kubectl(t, "patch", "certificatedelivery", name, "-n", ns, "--subresource=status", "--type=merge", "-p", `{"status":`+status+`}`)
	}
	contains(t, p.must(t, 1, "status", "-n", ns), "CERTIFICATE", "api           Stale", "web           Delivered")
	contains(t, p.must(t, 1, "status", "-A", "-o", "wide"), "NAMESPACE", ns, "PROVEN")
	contains(t, p.must(t, 1, "status", "api", "-n", ns), ns+"/api is Stale (partial)", "api-0   8443   previous, serial 77", "kubectl rollout restart")
	contains(t, p.must(t, 0, "status", "web", "-n", ns, "-o", "yaml"), "kind: CertificateDeliveryList", "state: Delivered")
	testCLIWatch(t, p, ns)
	if _, messages, code := p.run(t, "", "status", "nobody", "-n", ns); code != 2 || !strings.Contains(messages, "no delivery of a Certificate nobody") {
		t.Errorf("a name that is not there: exit code %d, %s", code, messages)
	}
}

// testCLIWatch: what there is comes first, then what changes, and Ctrl-C is no failure.
func testCLIWatch(t *testing.T, p plugin, ns string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), string(p), "status", "-n", ns, "--watch")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	next := func(want string) {
		t.Helper()
		if !lines.Scan() || !strings.HasPrefix(strings.Join(strings.Fields(lines.Text()), " "), want) {
			t.Errorf("%q, want %q", lines.Text(), want)
		}
	}
	next("CERTIFICATE STATE")
	next("api Stale 2/3 partial")
	next("web Delivered 3/3")
	kubectl(t, "patch", "certificatedelivery", "api", "-n", ns, "--subresource=status", "--type=merge", "-p", `{"status":{"state":"Delivered","cause":"","replicas":"3/3"}}`)
	next("api Delivered 3/3")
	kubectl(t, "patch", "certificatedelivery", "api", "-n", ns, "--subresource=status", "--type=merge", "-p", `{"status":{"state":"Stale","cause":"partial","replicas":"2/3"}}`)
	next("api Stale 2/3 partial")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		t.Errorf("after Ctrl-C: %q", lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("Ctrl-C: %v", err)
	}
}

// testCLICheck: no controller issues here, and nothing serves. What a whole chain looks like is tested on a node.
func testCLICheck(t *testing.T, p plugin) {
	t.Helper()
	ns := namespace(t)
	mustApply(t, ns, certificate("web", "web-tls"))
	contains(t, p.must(t, 1, "check", "web", "-n", ns), "Certificate "+ns+"/web", "it was never issued", "first stale layer", "kubectl certwire explain certificate/web -n "+ns)
	var tree struct {
		Verdict, Layer string
		Chain          struct {
			Children []struct{ Name, State string }
		}
	}
	if err := json.Unmarshal([]byte(p.must(t, 1, "check", "web", "-n", ns, "-o", "json")), &tree); err != nil {
		t.Fatal(err)
	}
	if tree.Verdict != "stale" || tree.Layer != "issuance" || len(tree.Chain.Children) != 1 || tree.Chain.Children[0].Name != "Secret web-tls" {
		t.Errorf("%+v", tree)
	}
	_, messages, code := p.run(t, "", "check", "nobody", "-n", ns)
	if code != 2 {
		t.Errorf("exit code %d", code)
	}
	contains(t, messages, "reading Certificate "+ns+"/nobody", "not found")
	contains(t, p.must(t, 0, "__complete", "check", "-n", ns, "w"), "web\n:4\n")
	contains(t, p.must(t, 0, "__complete", "explain", "-n", ns, "certificate/"), "certificate/web\n:4\n")
}

// ingressController is a DaemonSet that looks like one, with an Ingress of its class that uses a Certificate's Secret.
const ingressController = `apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: NAMESPACE}
spec: {controller: k8s.io/ingress-nginx}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  ingressClassName: NAMESPACE
  tls: [{hosts: [www.example.com], secretName: web-tls}]
  defaultBackend: {service: {name: web, port: {number: 80}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: controller}
spec:
  selector: {matchLabels: {app: controller}}
  template:
    metadata: {labels: {app: controller}}
    spec:
      serviceAccountName: nginx
      nodeSelector: {none: of-them}
      containers: [{name: controller, image: registry.example.com/ingress-nginx/controller:v1}]
`

// testCLIReaders: the API server itself says what the controller may do.
func testCLIReaders(t *testing.T, p plugin, ns string) {
	t.Helper()
	mustApply(t, ns, strings.ReplaceAll(ingressController, "NAMESPACE", ns))
	t.Cleanup(func() { kubectlAfterwards("delete", "ingressclass,clusterrole,clusterrolebinding", ns+"-reader", ns) })
	user := "system:serviceaccount:" + ns + ":nginx"
	for _, c := range []struct{ verbs, want string }{
		{"get", "warn  ingress controllers: DaemonSet " + ns + "/controller may not list Secrets in namespace " + ns},
		{"get,list,watch", "ok    ingress controllers: DaemonSet " + ns + "/controller may read Secrets"},
	} {
		kubectl(t, "delete", "clusterrole,clusterrolebinding", ns+"-reader", "--ignore-not-found")
		kubectl(t, "create", "clusterrole", ns+"-reader", "--verb="+c.verbs, "--resource=secrets")
		kubectl(t, "create", "clusterrolebinding", ns+"-reader", "--clusterrole="+ns+"-reader", "--serviceaccount="+ns+":nginx")
		out := ""
		eventually(t, "the API server knows of it", func() bool {
			out, _, _ = p.run(t, "", "doctor", "-n", ns)
			return strings.Contains(out, c.want)
		})
	}
	if out, _, _ := p.run(t, "", "doctor", "-n", ns); strings.Contains(out, user) {
		t.Errorf("a remedy for what is well: %s", out)
	}
}

func testCLIBudget(t *testing.T, p plugin) {
	t.Helper()
	ns := withIssuer(t, "deny", dns01)
	domain := registered(ns)
	removeBudget(t, domain)
	issues(t, ns, "web-1", "www."+domain)
	counted(t, domain, "certificates-per-set", 1)
	eventually(t, "the order is among the recent ones", func() bool { return budgetColumn(t, domain, ".status.recent[0].certificate") == "web" })

	contains(t, p.must(t, 0, "budget"), "DOMAIN", domain)
	details := p.must(t, 0, "budget", "deep.www."+domain)
	contains(t, details, domain+" at "+productionHost, "4 of 5 ", "certificates-per-set", "an order is possible now", "1   "+ns+"/web", "www."+domain)
	var list struct {
		Kind  string
		Items []struct {
			Spec   struct{ Domain string }
			Status map[string]any
		}
	}
	if err := json.Unmarshal([]byte(p.must(t, 0, "budget", domain, "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	if list.Kind != "IssuanceBudgetList" || len(list.Items) != 1 || list.Items[0].Spec.Domain != domain || list.Items[0].Status["state"] != nil {
		t.Errorf("json: %+v", list)
	}
	contains(t, p.must(t, 0, "budget", domain, "-o", "yaml"), "kind: IssuanceBudgetList", "domain: "+domain)
	_, messages, code := p.run(t, "", "budget", "nobody-orders.example")
	if code != 2 {
		t.Errorf("exit code %d", code)
	}
	contains(t, messages, "there is no budget of nobody-orders.example")
	_, messages, code = p.run(t, "", "budget", "--as", "jane")
	if code != 2 {
		t.Errorf("exit code %d", code)
	}
	contains(t, messages, "listing the budgets", "forbidden")
}

func testCLIExplain(t *testing.T, p plugin) {
	t.Helper()
	ns := namespace(t)
	mustApply(t, ns, certificate("web", "web-tls"))
	mustApply(t, ns, deploymentText("web", "{}"))
	contains(t, p.must(t, 0, "explain", "deployment/web", "-n", ns),
		"Deployment "+ns+"/web is not enrolled [off]", "Secret web-tls (volume tls) is written by Certificate web",
		"no label certwire.dev/reload", "kubectl label namespace "+ns)

	kubectl(t, "label", "namespace", ns, "certwire.dev/reload=auto")
	eventually(t, "the Deployment is adopted", func() bool { return get(t, ns, "web").Annotations[reloadKey] != "" })
	out := p.must(t, 0, "explain", "deploy/web", "-n", ns)
	contains(t, out, "is enrolled [annotated]", "label certwire.dev/reload=auto on Namespace "+ns+" opts it in",
		`annotation `+reloadKey+`="web-tls" is on Deployment `+ns+"/web", "Certificate web was not issued yet")
	containsNot(t, out, "Not seen")

	text := strings.ReplaceAll(deploymentText("new", "{}"), "metadata: {labels: {app: web}}", "metadata: {labels: {app: web}, annotations: {certwire.dev/preset: caddy}}")
	fromFile, messages, code := p.run(t, text, "explain", "-f", "-", "-n", ns)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, messages)
	}
	contains(t, fromFile, "Deployment "+ns+"/new is enrolled", "certwire.dev/preset=caddy")

	t.Run("who may read little is told what was not seen", func(t *testing.T) {
		kubectl(t, "create", "role", "reader", "-n", ns, "--verb=get,list", "--resource=deployments.apps,pods")
		kubectl(t, "create", "rolebinding", "reader", "-n", ns, "--role=reader", "--user=jane")
		var all []struct {
			Enrolled bool
			Unseen   []string
		}
		eventually(t, "jane may read the Deployment", func() bool {
			out, _, code := p.run(t, "", "explain", "deployment/web", "-n", ns, "--as", "jane", "-o", "json")
			return code == 0 && json.Unmarshal([]byte(out), &all) == nil
		})
		unseen := strings.Join(all[0].Unseen, "\n")
		contains(t, unseen, "the Certificates of Namespace "+ns+" (you may not read it)", "Namespace "+ns+" (you may not read it)", "Reloader (you may not read it)", "the nodes' versions", "ConfigMap "+harness.Namespace+"/certwire")
		if all[0].Enrolled || len(all) != 1 {
			t.Errorf("%+v", all)
		}
	})
	_, messages, code = p.run(t, "", "explain", "deployment/nothing", "-n", ns)
	if code != 2 {
		t.Errorf("exit code %d", code)
	}
	contains(t, messages, "reading Deployment "+ns+"/nothing", "not found")
}

// testCLIDoctor: the replicas of these tests are processes and no pods, so the Deployment is never ready; all else is as
// on any cluster.
func testCLIDoctor(t *testing.T, p plugin) {
	t.Helper()
	ns := namespace(t, "certwire.dev/reload=auto", "certwire.dev/issuance=deny")
	mustApply(t, ns, certificate("web", "web-tls"))
	known(t, ns, "web-tls")
	out := p.must(t, 1, "doctor", "-n", ns)
	contains(t, out,
		"ok    API server: it answers", "ok    configuration: it is valid", "ok    cert-manager: ", "ok    CRDs: ",
		"fail  server: Deployment certwire-system/certwire-webhook has no replica that is ready", "kubectl get pods -n certwire-system",
		"ok    webhooks: MutatingWebhookConfiguration certwire has 4 webhooks", "ok    webhooks: ValidatingWebhookConfiguration certwire has 3 webhooks",
		"ok    serving certificate: its authority ends on ", "ok    reload: a Deployment that uses Secret web-tls in namespace "+ns+" (a dry run) gets its reload annotation",
		"ok    guard: an Issuer that can never work, in namespace "+ns+" (a dry run) is refused", "agent: ")
	if strings.Contains(out, "\x1b") {
		t.Error("colour in what is no terminal")
	}

	t.Run("Ingress controllers", func(t *testing.T) { testCLIReaders(t, p, ns) })
	t.Run("nothing is stored", func(t *testing.T) {
		stored := kubectl(t, "get", "deployments,issuers,pods", "-A", "-o", "name")
		containsNot(t, stored, "certwire-doctor")
	})
	t.Run("where a namespace does not say deny, it says what would", func(t *testing.T) {
		other := namespace(t, "certwire.dev/issuance=warn")
		kubectl(t, "create", "role", "doctor", "-n", other, "--verb=create", "--resource=issuers.cert-manager.io")
		kubectl(t, "create", "rolebinding", "doctor", "-n", other, "--role=doctor", "--user=joe")
		kubectl(t, "create", "clusterrole", other, "--verb=get", "--resource=namespaces", "--resource-name="+other)
		t.Cleanup(func() { kubectlAfterwards("delete", "clusterrole,clusterrolebinding", other) })
		kubectl(t, "create", "clusterrolebinding", other, "--clusterrole="+other, "--user=joe")
		out := ""
		eventually(t, "joe may do what he may", func() bool {
			out, _, _ = p.run(t, "", "doctor", "-n", other, "--as", "joe")
			return strings.Contains(out, "is warned about and not refused")
		})
		contains(t, out, "kubectl label namespace "+other+" certwire.dev/issuance=deny", "warn  server: could not look: you may not read it",
			"warn  webhooks: could not look", "warn  reload: could not try: no namespace that you may see is opted in", "warn  Reloader: could not look for it")
	})
	t.Run("an API server that does not answer", func(t *testing.T) {
		out := p.must(t, 1, "doctor", "--server", "https://127.0.0.1:1")
		contains(t, out, "fail  API server: it does not answer")
	})
}

// kubectlAfterwards runs kubectl when the test's own context has ended.
func kubectlAfterwards(args ...string) {
	_, _ = cluster.Kubectl(context.Background(), "", args...)
}
