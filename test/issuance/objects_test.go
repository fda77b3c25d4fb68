package issuance

import (
	"context"
	"fmt"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/inventory"
)

// newObjects returns a client of the administrator's for cert-manager's and certwire's objects, for tests that look
// more often than kubectl can.
func newObjects() (client.Client, error) {
	scheme, err := inventory.Scheme()
	if err != nil {
		return nil, err
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	return client.New(cluster.Rest, client.Options{Scheme: scheme})
}

// list reads all objects of a kind in a namespace.
func list[T client.ObjectList](t *testing.T, ns string, into T) T {
	t.Helper()
	if err := objects.List(t.Context(), into, client.InNamespace(ns)); err != nil {
		t.Fatal(err)
	}
	return into
}

// budgetOf reads the budget of a domain; nil when there is none. An account has one, too, so a domain may have several:
// one for each CA, and each test uses one CA for a domain.
func budgetOf(ctx context.Context, domain string) (*v1alpha1.IssuanceBudget, error) {
	all := &v1alpha1.IssuanceBudgetList{}
	if err := objects.List(ctx, all); err != nil {
		return nil, fmt.Errorf("listing the budgets: %w", err)
	}
	for i := range all.Items {
		if all.Items[i].Spec.Domain == domain {
			return &all.Items[i], nil
		}
	}
	return nil, nil //nolint:nilnil // none is an answer
}
