package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/cluster"
	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/doctor"
	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/terminal"
)

func newDoctor() *cobra.Command {
	var flags cluster.Flags
	var system, output string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look whether certwire is installed as it should be, and really works",
		Long: `Look whether certwire is installed as it should be, and really works.

It looks for the CRDs, the server, its webhooks and their authority, Reloader, and what the cluster can do for the agent. Then
it tries, as a dry run on the server that stores nothing, whether a workload is mutated and an Issuer that can never work is
refused; whether Ingress controllers may read the Secrets of their Ingresses; and whether deliveries are on and see anything.
What could not be tried is a warning that says why.

Exit code: 0, 1 when a check failed, 2 when nothing could be checked.`,
		Example: `  kubectl certwire doctor
  kubectl certwire doctor -n shop     # try in this namespace first`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "" && output != "json" {
				return fmt.Errorf("--output must be json, got %q", output)
			}
			c, err := flags.Connect()
			if err != nil {
				return err
			}
			counter := terminal.NewCounter(cmd.ErrOrStderr(), "looking: %d of %d parts are done")
			findings, err := doctor.Examine(cmd.Context(), c, system, time.Now(), counter.Set)
			counter.Clear()
			if err != nil {
				return err
			}
			write := doctor.Write
			if output == "json" {
				write = doctor.WriteJSON
			}
			if err := write(cmd.OutOrStdout(), findings); err != nil {
				return err
			}
			return outcome(doctor.ExitCode(findings))
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json")
	systemFlag(cmd, &system)
	flags.Add(cmd.Flags())
	return cmd
}
