package main

import (
	"github.com/spf13/cobra"
)

func newCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kubectl-certwire",
		Short: "What certwire says of your certificates, and does with them",
		Long: `What certwire says of your certificates, and does with them.

It works with your own permissions. lint needs no cluster at all.`,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl certwire"},
		Version:       versionString(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.AddCommand(newLint(), newStatus(), newCheck(), newBudget(), newExplain(), newDoctor(), newVersion())
	return cmd
}
