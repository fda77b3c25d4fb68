package main

import (
	"context"
	"slices"
	"strings"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/cluster"
	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

// Bounds of a completion: somebody waits at a shell.
const (
	completionTime = 2 * time.Second
	completionMost = 500
)

// explained are the words before the slash that explain completes.
var explained = map[string]schema.GroupVersionKind{
	"certificate": cmapi.SchemeGroupVersion.WithKind("Certificate"),
	"deployment":  appsv1.SchemeGroupVersion.WithKind("Deployment"),
	"statefulset": appsv1.SchemeGroupVersion.WithKind("StatefulSet"),
	"daemonset":   appsv1.SchemeGroupVersion.WithKind("DaemonSet"),
	"pod":         corev1.SchemeGroupVersion.WithKind("Pod"),
}

// completeCertificate completes one argument with the Certificates of the namespace.
func completeCertificate(flags *cluster.Flags) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return beginning(begun, namesOf(cmd, flags, explained["certificate"])), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeExplained completes a kind, and behind the slash the names of that kind.
func completeExplained(flags *cluster.Flags) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		kind, _, named := strings.Cut(begun, "/")
		of, known := explained[kind]
		var out []string
		switch {
		case named && known:
			for _, name := range namesOf(cmd, flags, of) {
				out = append(out, kind+"/"+name)
			}
			return beginning(begun, out), cobra.ShellCompDirectiveNoFileComp
		case named:
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		for word := range explained {
			out = append(out, word+"/")
		}
		return beginning(begun, out), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

// completeDomain completes one argument with the registered domains that have a budget.
func completeDomain(flags *cluster.Flags) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		var list v1alpha1.IssuanceBudgetList
		if len(args) == 0 && listed(cmd, flags, &list, "") != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var out []string
		for i := range list.Items {
			out = append(out, list.Items[i].Spec.Domain)
		}
		return beginning(begun, out), cobra.ShellCompDirectiveNoFileComp
	}
}

// namesOf are the names of a namespace's objects of a kind; none when they cannot be had in time.
func namesOf(cmd *cobra.Command, flags *cluster.Flags, kind schema.GroupVersionKind) []string {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	if listed(cmd, flags, list, "own") != nil {
		return nil
	}
	var out []string
	for i := range list.Items {
		out = append(out, list.Items[i].Name)
	}
	return out
}

// listed asks for some objects: of the chosen namespace, or with no word for it of the cluster.
func listed(cmd *cobra.Command, flags *cluster.Flags, list client.ObjectList, namespace string) error {
	c, err := flags.Connect()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	options := []client.ListOption{client.Limit(completionMost)}
	if namespace != "" {
		options = append(options, client.InNamespace(c.Namespace))
	}
	return c.List(ctx, list, options...)
}

// beginning are the words that begin with what is there already, sorted, each once.
func beginning(begun string, words []string) []string {
	words = slices.DeleteFunc(words, func(w string) bool { return w == "" || !strings.HasPrefix(w, begun) })
	slices.Sort(words)
	return slices.Compact(words)
}
