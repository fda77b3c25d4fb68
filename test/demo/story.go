package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/certwire/certwire/test/harness"
)

// step is a sentence, and commands that are run as they are shown.
type step struct {
	sentence string
	commands []string
	// refused is true when the last command must fail.
	refused bool
}

// reloads shows the one annotation that matters.
const reloads = `kubectl get deployments -n shop -o custom-columns='NAME:.metadata.name,RELOADS ON:.metadata.annotations.secret\.reloader\.stakater\.com/reload'`

// made is what the story leaves behind.
var made = []string{
	"namespace/shop", "clusterrole/certwire-delivery", "clusterrolebinding/certwire-delivery", "crd/certificatedeliveries.certwire.dev",
	"validatingadmissionpolicy/certwire-restraint-delivery", "validatingadmissionpolicybinding/certwire-restraint-delivery", "clusterissuer/demo-ca", "clusterissuer/letsencrypt-prod", "clusterissuer/letsencrypt-staging",
}

// story is what the demo plays, once certwire is installed.
var story = []step{
	{
		sentence: "A cluster has two issuers. Nothing but the directory's host tells them apart.",
		commands: []string{"kubectl apply -f docs/demo/issuers.yaml"},
	},
	{
		sentence: "Reload: label a namespace, and a workload that uses a cert-manager Secret gets its reload annotation.",
		commands: []string{
			"kubectl create namespace shop",
			"kubectl label namespace shop certwire.dev/reload=auto",
			"kubectl apply -f docs/demo/web-certificate.yaml",
			"kubectl apply -f docs/demo/web-deployment.yaml",
			reloads,
		},
	},
	{
		sentence: "A Deployment that arrives before its Certificate is brought in as soon as the Certificate is there, without a rollout.",
		commands: []string{
			"kubectl apply -f docs/demo/api-deployment.yaml",
			reloads,
			"kubectl apply -f docs/demo/api-certificate.yaml",
			`kubectl wait deployment/api -n shop --for=jsonpath='{.metadata.annotations.secret\.reloader\.stakater\.com/reload}'=api-tls`,
			reloads,
		},
	},
	{
		sentence: "Guard: a Certificate from a production CA in a namespace that is not production. At first, certwire only warns.",
		commands: []string{"kubectl apply --dry-run=server -f docs/demo/preview-certificate.yaml"},
	},
	{
		sentence: "Where the namespace says deny, it is refused, with what to do instead.",
		commands: []string{
			"kubectl label namespace shop certwire.dev/environment=staging certwire.dev/issuance=deny",
			"kubectl apply -f docs/demo/preview-certificate.yaml",
		},
		refused: true,
	},
	{
		sentence: "In a production namespace the same Certificate is welcome.",
		commands: []string{
			"kubectl label namespace shop certwire.dev/environment=production --overwrite",
			"kubectl apply -f docs/demo/preview-certificate.yaml",
		},
	},
	{
		sentence: "Take the label away, and what certwire added goes with it, and only that.",
		commands: []string{
			"kubectl label namespace shop certwire.dev/reload-",
			`until [ -z "$(kubectl get deployments -n shop -o jsonpath='{.items[*].metadata.annotations.certwire\.dev/status}')" ]; do sleep 0.2; done`,
			reloads,
		},
	},
}

// budgets is what the demo plays with a CA that counts.
var budgets = []step{
	{
		sentence: "The CA's limits: from here on there are cert-manager's controllers and an ACME server, with the limits of Let's Encrypt. " +
			"A pipeline deletes a Certificate with its Secret and makes it again.",
		commands: []string{
			`for i in 1 2 3 4 5; do
    kubectl apply -f docs/demo/checkout-certificate.yaml
    kubectl wait --for=condition=Ready certificate/checkout -n shop
    kubectl delete --cascade=foreground -n shop certificate/checkout secret/checkout-tls
  done`,
		},
	},
	{
		sentence: "The sixth would be the CA's to refuse, for a day or more. certwire is first, and says when the next one is possible.",
		commands: []string{
			"kubectl get issuancebudgets --field-selector spec.domain=example.com",
			"kubectl apply -f docs/demo/checkout-certificate.yaml",
		},
		refused: true,
	},
}

// ownLog are lines of kubectl's own log, such as that of a watch which ends while it waits for something: they come now and
// then, and are about kubectl.
var ownLog = regexp.MustCompile(`(?m)^[IWE]\d{4} \d{2}:\d{2}:\d{2}\.\d+ .*\n`)

// path is where kubectl and its plugin are found.
func path(c *harness.Cluster) string {
	return strings.Join([]string{filepath.Dir(c.KubectlPath()), filepath.Join(harness.Root(), ".cache", "bin"), os.Getenv("PATH")}, ":")
}

// play runs the steps and prints them. It stops at the first that does not end as it should.
func play(ctx context.Context, c *harness.Cluster, out io.Writer, steps []step) error {
	for _, s := range steps {
		fmt.Fprintf(out, "# %s\n", s.sentence)
		for i, command := range s.commands {
			fmt.Fprintf(out, "$ %s\n", command)
			cmd := exec.CommandContext(ctx, "bash", "-c", command)
			cmd.Dir = harness.Root()
			cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig, "PATH="+path(c))
			text, err := cmd.CombinedOutput()
			text = ownLog.ReplaceAll(text, nil)
			fmt.Fprint(out, string(text))
			if len(text) > 0 && !strings.HasSuffix(string(text), "\n") {
				fmt.Fprintln(out)
			}
			switch mustFail := s.refused && i == len(s.commands)-1; {
			case err != nil && !mustFail:
				return fmt.Errorf("running %s: %w", command, err)
			case err == nil && mustFail:
				return fmt.Errorf("running %s: it was not refused", command)
			}
		}
		fmt.Fprintln(out)
	}
	return nil
}
