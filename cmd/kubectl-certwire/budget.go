package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/yaml"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/budgets"
	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/cluster"
	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/terminal"
	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

func newBudget() *cobra.Command {
	var flags cluster.Flags
	var output string
	cmd := &cobra.Command{
		Use:     "budget [DOMAIN]",
		Aliases: []string{"budgets"},
		Short:   "Show what is left of a CA's limits, and who uses it up",
		Long: `Show what is left of a CA's limits, and who uses it up.

Without a name there is a line for each budget. With a registered domain, a name below it or the end of an account's URL,
its budgets are shown in full: what is left in each bucket, when the next order is possible, who ordered most, and what was
ordered last.

Needs: list on issuancebudgets.certwire.dev.`,
		Example: `  kubectl certwire budget
  kubectl certwire budget www.example.com -o wide`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeDomain(&flags),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := flags.Connect()
			if err != nil {
				return err
			}
			var list v1alpha1.IssuanceBudgetList
			if err := c.List(cmd.Context(), &list); meta.IsNoMatchError(err) {
				return errors.New("this cluster has no IssuanceBudgets: certwire is not installed in it (kubectl certwire doctor says more)")
			} else if err != nil {
				return fmt.Errorf("listing the budgets: %w", err)
			}
			name := ""
			if len(args) > 0 {
				name = args[0]
			}
			return showBudgets(cmd, budgets.Choose(list.Items, name), name, output)
		},
	}
	outputFlag(cmd, &output)
	flags.Add(cmd.Flags())
	return cmd
}

// outputs are the formats of commands that show objects. The empty one is for people.
var outputs = []string{"wide", "json", "yaml"}

func outputFlag(cmd *cobra.Command, to *string) {
	cmd.Flags().StringVarP(to, "output", "o", "", "wide, json or yaml")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(outputs, cobra.ShellCompDirectiveNoFileComp))
}

// anOutput refuses a format that there is not.
func anOutput(output string) error {
	if output != "" && !slices.Contains(outputs, output) {
		return fmt.Errorf("--output must be wide, json or yaml, got %q", output)
	}
	return nil
}

func showBudgets(cmd *cobra.Command, chosen []v1alpha1.IssuanceBudget, name, output string) error {
	w := cmd.OutOrStdout()
	style := budgets.Style{Wide: output == "wide", Paint: terminal.For(w), Now: time.Now()}
	switch {
	case output == "json" || output == "yaml":
		return encodeBudgets(cmd, chosen, output)
	case anOutput(output) != nil:
		return anOutput(output)
	case len(chosen) == 0 && name != "":
		return fmt.Errorf("there is no budget of %s: nothing was ordered for it yet, or its CA's limits are not known", name)
	case len(chosen) == 0:
		cmd.PrintErrln("There are no budgets: nothing was ordered yet from a CA whose limits are known.")
		return nil
	case name == "":
		return budgets.Table(w, chosen, style)
	}
	for i := range chosen {
		if i > 0 {
			_, _ = fmt.Fprintln(w)
		}
		if err := budgets.Details(w, &chosen[i], style); err != nil {
			return err
		}
	}
	return nil
}

// encodeBudgets writes the objects as they are, but for the packed state and what servers note down.
func encodeBudgets(cmd *cobra.Command, chosen []v1alpha1.IssuanceBudget, output string) error {
	list := v1alpha1.IssuanceBudgetList{Items: chosen}
	list.APIVersion, list.Kind = v1alpha1.GroupVersion.String(), "IssuanceBudgetList"
	for i := range list.Items {
		b := &list.Items[i]
		b.APIVersion, b.Kind = list.APIVersion, "IssuanceBudget"
		b.ManagedFields, b.Status.State = nil, nil
	}
	out, err := json.MarshalIndent(list, "", "  ")
	if err == nil && output == "yaml" {
		out, err = yaml.JSONToYAML(out)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", trimNewline(out))
	return err
}

func trimNewline(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		return b[:n-1]
	}
	return b
}
