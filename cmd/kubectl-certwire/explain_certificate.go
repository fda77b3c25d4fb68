package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/cluster"
	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/issuance"
	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/terminal"
)

// certificateNames are the Certificates among the arguments. It is an error when there are workloads, too: what is said of
// them, and the exit code, mean something else.
func certificateNames(args []string) ([]string, error) {
	var names []string
	for _, arg := range args {
		if name, ok := issuance.ParseName(arg); ok {
			names = append(names, name)
		}
	}
	if len(names) > 0 && len(names) < len(args) {
		return nil, errors.New("explain Certificates and workloads apart from each other")
	}
	return names, nil
}

// issuances says what is in the way of Certificates.
func (o *explainOptions) issuances(cmd *cobra.Command, c *cluster.Cluster, names []string) error {
	all := make([]*issuance.Explanation, 0, len(names))
	code := 0
	for _, name := range names {
		seen, err := issuance.Look(cmd.Context(), c, c.Namespace, name)
		if err != nil {
			return err
		}
		e := issuance.Explain(seen, time.Now())
		if all = append(all, e); e.Stuck {
			code = found
		}
	}
	w := cmd.OutOrStdout()
	if o.output != "" {
		if err := encodeExplained(w, all, o.output); err != nil {
			return err
		}
		return outcome(code)
	}
	for i, e := range all {
		if i > 0 {
			_, _ = fmt.Fprintln(w)
		}
		if err := issuance.Write(w, e, terminal.For(w)); err != nil {
			return err
		}
	}
	return outcome(code)
}
