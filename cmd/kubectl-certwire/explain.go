package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/cluster"
	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/explain"
	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/manifest"
	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/terminal"
)

type explainOptions struct {
	flags  cluster.Flags
	system string
	files  []string
	output string
}

func newExplain() *cobra.Command {
	o := &explainOptions{}
	cmd := &cobra.Command{
		Use:   "explain (KIND/NAME | -f FILE)",
		Short: "Say why a workload is or is not enrolled and what comes at the next renewal, or why a certificate is not issued",
		Long: `Say why a workload is or is not enrolled, and what will happen at the next renewal; or, of a Certificate, what is in the
way of its issuance.

It makes the very plan that certwire makes, from what you may read: the workload, its namespace, Certificates, pods and
LimitRanges, Reloader, the nodes, and certwire's configuration. What you may not read is listed at the end, with what is
assumed instead. With -f the workloads come from files, and all else from the cluster.

Of a Certificate it reads the CertificateRequests, Orders and Challenges, the issuer, and the Ingresses of the Challenges, and
ends with exit code 1 when something is in the way.`,
		Example: `  kubectl certwire explain deployment/web -n shop
  kubectl certwire explain pod/web-0
  kubectl certwire explain certificate/web
  kubectl certwire explain -f deploy/web.yaml`,
		ValidArgsFunction: completeExplained(&o.flags),
		RunE:              func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	f := cmd.Flags()
	f.StringArrayVarP(&o.files, "filename", "f", nil, `file, folder or "-" for standard input; may be repeated`)
	f.StringVarP(&o.output, "output", "o", "", "json or yaml")
	systemFlag(cmd, &o.system)
	o.flags.Add(f)
	return cmd
}

func systemFlag(cmd *cobra.Command, to *string) {
	cmd.Flags().StringVar(to, "certwire-namespace", cluster.SystemNamespace, "the namespace that certwire runs in")
}

func (o *explainOptions) run(cmd *cobra.Command, args []string) error {
	if (len(args) > 0) == (len(o.files) > 0) {
		return errors.New("say what to explain: a workload such as deployment/web, or -f FILE")
	}
	if !slices.Contains([]string{"", "json", "yaml"}, o.output) {
		return fmt.Errorf("--output must be json or yaml, got %q", o.output)
	}
	c, err := o.flags.Connect()
	if err != nil {
		return err
	}
	if names, err := certificateNames(args); err != nil || len(names) > 0 {
		if err != nil {
			return err
		}
		return o.issuances(cmd, c, names)
	}
	objects, err := o.objects(cmd, c, args)
	if err != nil {
		return err
	}
	var all []*explain.Explanation
	for _, object := range objects {
		facts, err := explain.Look(cmd.Context(), c, object, o.system)
		if err != nil {
			return fmt.Errorf("looking around %s: %w", object, err)
		}
		e, err := explain.Explain(object, facts)
		if err != nil {
			return fmt.Errorf("explaining %s: %w", object, err)
		}
		all = append(all, e)
	}
	return o.write(cmd, all)
}

// objects are those of the command line, or of the files.
func (o *explainOptions) objects(cmd *cobra.Command, c *cluster.Cluster, args []string) ([]explain.Object, error) {
	var out []explain.Object
	for _, arg := range args {
		kind, name, err := explain.ParseName(arg)
		if err != nil {
			return nil, err
		}
		object, err := explain.Get(cmd.Context(), c, kind, name)
		if err != nil {
			return nil, err
		}
		out = append(out, object)
	}
	objects, problems := manifest.ReadAll(o.files, cmd.InOrStdin())
	for _, p := range problems {
		return nil, fmt.Errorf("%s:%d: %s", p.File, p.Line, p.Text)
	}
	for _, m := range objects {
		if m.Group != "apps" && m.Group != "" || !isWorkload(m.Kind) {
			continue
		}
		object := explain.Object{Kind: m.Kind, Namespace: m.Namespace, Name: m.Name, JSON: m.JSON}
		if object.Namespace == "" {
			object.Namespace = c.Namespace
		}
		out = append(out, object)
	}
	if len(out) == 0 {
		return nil, errors.New("there is no workload and no Pod in the files")
	}
	return out, nil
}

func isWorkload(kind string) bool {
	return slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet", "Pod"}, kind)
}

func (o *explainOptions) write(cmd *cobra.Command, all []*explain.Explanation) error {
	w := cmd.OutOrStdout()
	if o.output == "" {
		for i, e := range all {
			if i > 0 {
				_, _ = fmt.Fprintln(w)
			}
			if err := explain.Write(w, e, terminal.For(w)); err != nil {
				return err
			}
		}
		return nil
	}
	return encodeExplained(w, all, o.output)
}

// encodeExplained writes explanations for programs, as json or yaml.
func encodeExplained(w io.Writer, all any, output string) error {
	out, err := json.MarshalIndent(all, "", "  ")
	if err == nil && output == "yaml" {
		out, err = yaml.JSONToYAML(out)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", trimNewline(out))
	return err
}
