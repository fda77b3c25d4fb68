package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/chain"
	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/cluster"
	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/forward"
	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/terminal"
	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/walk"
)

// The ways to dial. An option without a value is through the API server.
const (
	dialForward = "forward"
	dialDirect  = "direct"
)

type checkOptions struct {
	flags        cluster.Flags
	system       string
	dial, output string
	public       bool
}

func newCheck() *cobra.Command {
	o := &checkOptions{}
	cmd := &cobra.Command{
		Use:   "check CERTIFICATE",
		Short: "Draw the way of a certificate to the wire, and name the first stale layer",
		Long: `Draw the way of a certificate to the wire, and name the first stale layer.

It compares the serial number at each layer: what was issued, the Secret, its mirrors, the pods and Ingress controllers that
serve it, and the public address. What is served is known from certwire's CertificateDelivery, if there is one. With --dial
the command looks itself, through the API server as kubectl port-forward does, or with --dial=direct at the pods' own
addresses: certwire need not be installed for that. With --public it dials the names of Ingresses and Gateways that are in
the certificate, from this machine.

Nothing is changed, and of Secrets nothing but the certificate is used.

Exit code: 0 when everything that was found serves what was issued, 1 when a layer is stale, 2 when that could not be told.

Needs: get on the Certificate, list on certificaterequests and pods. It uses, and says so where you may not: get on the
Secret, list on Secrets elsewhere, get on certificatedeliveries, list on ingresses; create on pods/portforward for --dial.`,
		Example: `  kubectl certwire check web -n shop
  kubectl certwire check web -n shop --dial --public`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeCertificate(&o.flags),
		RunE:              func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.dial, "dial", "", `look at the pods now: "forward" (through the API server) or "direct"`)
	f.Lookup("dial").NoOptDefVal = dialForward
	_ = cmd.RegisterFlagCompletionFunc("dial", cobra.FixedCompletions([]string{dialForward, dialDirect}, cobra.ShellCompDirectiveNoFileComp))
	f.BoolVar(&o.public, "public", false, "dial the public names, too, from this machine")
	outputFlag(cmd, &o.output)
	systemFlag(cmd, &o.system)
	o.flags.Add(f)
	return cmd
}

func (o *checkOptions) run(cmd *cobra.Command, name string) error {
	if err := anOutput(o.output); err != nil {
		return err
	}
	c, err := o.flags.Connect()
	if err != nil {
		return err
	}
	counter := terminal.NewCounter(cmd.ErrOrStderr(), "looking at the wire: %d of %d pods")
	look := walk.Options{System: o.system, Now: time.Now(), Progress: counter.Set}
	switch o.dial {
	case "":
	case dialDirect:
		look.Reach = walk.Direct
	case dialForward:
		f, err := forward.New(c.Config())
		if err != nil {
			return err
		}
		look.Reach = walk.Through(f)
	default:
		return fmt.Errorf("--dial must be %s or %s, got %q", dialForward, dialDirect, o.dial)
	}
	if o.public {
		look.Public = walk.At
	}
	facts, err := walk.Look(cmd.Context(), c, name, look)
	counter.Clear()
	if err != nil {
		return err
	}
	tree := chain.Assemble(facts)
	if err := o.write(cmd, tree); err != nil {
		return err
	}
	return outcome(tree.ExitCode())
}

func (o *checkOptions) write(cmd *cobra.Command, tree *chain.Tree) error {
	w := cmd.OutOrStdout()
	if o.output == "" || o.output == "wide" {
		return chain.Write(w, tree, chain.Style{Wide: o.output == "wide", Paint: terminal.For(w), Lines: terminal.Lines(w)})
	}
	out, err := json.MarshalIndent(tree, "", "  ")
	if err == nil && o.output == "yaml" {
		out, err = yaml.JSONToYAML(out)
	}
	if err != nil {
		return fmt.Errorf("encoding the chain: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s\n", trimNewline(out))
	return err
}
