package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/cluster"
	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/deliveries"
	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/terminal"
	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

// found is the exit code of a command that found what it is there to find.
const found = 1

func newStatus() *cobra.Command {
	var flags cluster.Flags
	var output string
	var all, watch bool
	cmd := &cobra.Command{
		Use:   "status [CERTIFICATE]",
		Short: "Show which certificates are on the wire, and which are not",
		Long: `Show which certificates are on the wire, and which are not.

Without a name there is a line for each Certificate, those that need somebody first. With one, there is what is to be
served, what each replica serves, and what helps. The exit code is 1 when one of them is Stale: a replica is known to serve
something else than its newest certificate.

With --watch there is a further line for each change, until Ctrl-C; with -o json, an object on each line.

Needs: get and list (watch for --watch) on certificatedeliveries.certwire.dev, which certwire writes where its component delivery is installed.`,
		Example: `  kubectl certwire status -A
  kubectl certwire status web -n shop
  kubectl certwire status -A --watch`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeCertificate(&flags),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all && len(args) > 0 {
				return errors.New("--all-namespaces and a name do not go together")
			}
			if err := anOutput(output); err != nil {
				return err
			}
			c, err := flags.Connect()
			if err != nil {
				return err
			}
			if watch {
				return watchDeliveries(cmd, c, args, all, output)
			}
			list, err := deliveriesOf(cmd, c, args, all)
			if err != nil {
				return err
			}
			return showDeliveries(cmd, list, len(args) > 0, all, output)
		},
	}
	cmd.Flags().BoolVarP(&all, "all-namespaces", "A", false, "all namespaces")
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "go on, with a line for each change")
	outputFlag(cmd, &output)
	flags.Add(cmd.Flags())
	return cmd
}

// noDeliveries is said where the API server does not know them.
const noDeliveries = "this cluster has no CertificateDeliveries: install certwire's component delivery (manifests/components/delivery)"

// watchDeliveries shows one delivery, or all of a namespace or of the cluster, and how they change.
func watchDeliveries(cmd *cobra.Command, c *cluster.Cluster, args []string, all bool, output string) error {
	if output == "yaml" {
		return errors.New("--watch goes with -o wide or json")
	}
	watching, err := c.Watching()
	if err != nil {
		return err
	}
	var options []client.ListOption
	if !all {
		options = append(options, client.InNamespace(c.Namespace))
	}
	if len(args) > 0 {
		options = append(options, client.MatchingFields{"metadata.name": args[0]})
	}
	w := cmd.OutOrStdout()
	stream := &deliveries.Stream{W: w, Style: deliveries.Style{Wide: output == "wide", Namespaces: all, Now: time.Now()}}
	show := stream.Line
	if output == "json" {
		show = func(d *v1alpha1.CertificateDelivery, gone bool) error {
			d.APIVersion, d.Kind, d.ManagedFields = v1alpha1.GroupVersion.String(), "CertificateDelivery", nil
			if gone {
				d.Status = v1alpha1.CertificateDeliveryStatus{}
			}
			return json.NewEncoder(w).Encode(d)
		}
	}
	err = deliveries.Watch(cmd.Context(), watching, options, show)
	if meta.IsNoMatchError(err) {
		return errors.New(noDeliveries)
	}
	return err
}

// deliveriesOf asks for one delivery, or for all of a namespace, or of the cluster.
func deliveriesOf(cmd *cobra.Command, c *cluster.Cluster, args []string, all bool) ([]v1alpha1.CertificateDelivery, error) {
	if len(args) > 0 {
		var d v1alpha1.CertificateDelivery
		err := c.Get(cmd.Context(), client.ObjectKey{Namespace: c.Namespace, Name: args[0]}, &d)
		switch {
		case meta.IsNoMatchError(err):
			return nil, errors.New(noDeliveries)
		case apierrors.IsNotFound(err):
			return nil, fmt.Errorf("there is no delivery of a Certificate %s in namespace %s", args[0], c.Namespace)
		case err != nil:
			return nil, fmt.Errorf("reading the delivery: %w", err)
		}
		return []v1alpha1.CertificateDelivery{d}, nil
	}
	var options []client.ListOption
	if !all {
		options = append(options, client.InNamespace(c.Namespace))
	}
	var list v1alpha1.CertificateDeliveryList
	if err := c.List(cmd.Context(), &list, options...); meta.IsNoMatchError(err) {
		return nil, errors.New(noDeliveries)
	} else if err != nil {
		return nil, fmt.Errorf("listing the deliveries: %w", err)
	}
	deliveries.Sort(list.Items)
	return list.Items, nil
}

func showDeliveries(cmd *cobra.Command, list []v1alpha1.CertificateDelivery, one, all bool, output string) error {
	w := cmd.OutOrStdout()
	style := deliveries.Style{Wide: output == "wide", Namespaces: all, Paint: terminal.For(w), Now: time.Now()}
	var err error
	switch {
	case output == "json" || output == "yaml":
		err = encodeDeliveries(cmd, list, output)
	case one:
		err = deliveries.Details(w, &list[0], style)
	case len(list) == 0:
		cmd.PrintErrln("There are no deliveries here: no Certificate, or certwire has not looked yet.")
	default:
		err = deliveries.Table(w, list, style)
	}
	if err != nil {
		return err
	}
	if deliveries.Stale(list) > 0 {
		return outcome(found)
	}
	return nil
}

func encodeDeliveries(cmd *cobra.Command, items []v1alpha1.CertificateDelivery, output string) error {
	list := v1alpha1.CertificateDeliveryList{Items: items}
	list.APIVersion, list.Kind = v1alpha1.GroupVersion.String(), "CertificateDeliveryList"
	for i := range list.Items {
		list.Items[i].APIVersion, list.Items[i].Kind, list.Items[i].ManagedFields = list.APIVersion, "CertificateDelivery", nil
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
