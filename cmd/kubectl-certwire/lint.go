package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/lint"
	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/manifest"
	"github.com/certwire/certwire/pkg/config"
)

// lintOptions are the flags of lint.
type lintOptions struct {
	files           []string
	config          string
	namespace       string
	namespaceLabels map[string]string
	output          string
	strict          bool
}

func newLint() *cobra.Command {
	o := &lintOptions{}
	cmd := &cobra.Command{
		Use:   "lint -f FILE|DIR|-",
		Short: "Check manifests as certwire would at admission, without a cluster",
		Long: `Check manifests as certwire would at admission, without a cluster.

All objects of the input are taken as applied together: an issuer, a namespace or a Certificate that is in it is found.
What is not in it may be in your cluster, so that is a note and never an error.

Exit code: 0 for nothing or warnings, 1 for an object that would be refused (with --strict also for warnings), 2 for
input that cannot be used.`,
		Example: `  kubectl certwire lint -f deploy/
  helm template web ./chart | kubectl certwire lint -f - --namespace shop --namespace-labels certwire.dev/issuance=deny
  kubectl certwire lint -f deploy/ -o sarif > certwire.sarif`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringArrayVarP(&o.files, "filename", "f", nil, `file, folder (with all below it) or "-" for standard input; may be repeated`)
	f.StringVar(&o.config, "config", "", "certwire's configuration file; without one, its defaults hold")
	f.StringVarP(&o.namespace, "namespace", "n", "default", "namespace of objects that name none")
	f.StringToStringVar(&o.namespaceLabels, "namespace-labels", nil, "labels of every namespace that is not in the input, as in certwire.dev/environment=production")
	f.StringVarP(&o.output, "output", "o", "human", "one of "+strings.Join(lint.Formats, ", "))
	f.BoolVar(&o.strict, "strict", false, "exit with 1 for warnings, too")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(lint.Formats, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (o *lintOptions) run(cmd *cobra.Command) error {
	if len(o.files) == 0 {
		return errors.New("say what to check: -f FILE, -f DIR or -f -")
	}
	if !slices.Contains(lint.Formats, o.output) {
		return fmt.Errorf("--output must be one of %s, got %q", strings.Join(lint.Formats, ", "), o.output)
	}
	settings, err := loadSettings(o.config)
	if err != nil {
		return err
	}
	objects, problems := manifest.ReadAll(o.files, cmd.InOrStdin())
	if len(objects) == 0 && len(problems) == 0 {
		return fmt.Errorf("there is no Kubernetes object in %s", strings.Join(o.files, ", "))
	}
	report := lint.Check(objects, problems, lint.Options{
		Namespace: o.namespace, NamespaceLabels: o.namespaceLabels, Settings: settings, Now: time.Now(),
	})
	if err := lint.Write(cmd.OutOrStdout(), report, o.output, versionString()); err != nil {
		return err
	}
	if o.output == "human" {
		cmd.PrintErrln(report.Summary())
	}
	return outcome(report.ExitCode(o.strict))
}

// usualImage stands for the agent's where no configuration names it: what is checked is not whether it is set.
const usualImage = "ghcr.io/certwire/agent"

// loadSettings reads certwire's configuration; its defaults for an empty path.
func loadSettings(path string) (*config.Settings, error) {
	c, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	settings, err := c.Settings()
	if err != nil {
		return nil, err
	}
	if path == "" {
		settings.Agent.Image = usualImage
	}
	return settings, nil
}
