package inventory

import (
	"context"
	"errors"
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/certwire/certwire/pkg/diagnose"
)

// Solver is an Ingress that cert-manager made for a Challenge, as the cache keeps it.
type Solver struct {
	metav1.ObjectMeta
	diagnose.Ingress
}

func stripSolver(object any) (any, error) {
	in, ok := object.(*networkingv1.Ingress)
	if !ok {
		return strip(object)
	}
	return &Solver{ObjectMeta: identity(in.ObjectMeta), Ingress: diagnose.NewIngress(in)}, nil
}

// byChallenge indexes them under namespace/Challenge.
const byChallenge = "challenge"

var solverIndexers = toolscache.Indexers{
	byChallenge: func(object any) ([]string, error) {
		s, ok := object.(*Solver)
		if !ok || s.Challenge == "" {
			return nil, nil
		}
		return []string{s.ObjectMeta.Namespace + "/" + s.Challenge}, nil
	},
}

// startSolvers makes the informer. Nothing waits for it: what it knows makes a diagnosis more exact, and no more.
func (i *Inventory) startSolvers(ctx context.Context) error {
	got, err := i.solvers.GetInformer(ctx, &networkingv1.Ingress{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("starting the informer for the Ingresses of Challenges: %w", err)
	}
	shared, ok := got.(toolscache.SharedIndexInformer)
	if !ok {
		return errors.New("starting the informer for the Ingresses of Challenges: it has no index")
	}
	if _, there := shared.GetIndexer().GetIndexers()[byChallenge]; !there {
		if err := shared.AddIndexers(solverIndexers); err != nil {
			return fmt.Errorf("indexing the Ingresses of Challenges: %w", err)
		}
	}
	if _, err := shared.AddEventHandler(handler(i.onSolver)); err != nil {
		return fmt.Errorf("listening to the Ingresses of Challenges: %w", err)
	}
	i.solverIngresses.Store(&shared)
	return nil
}

// onSolver notices when the Ingress of a Challenge gets its address, or loses it.
func (i *Inventory) onSolver(before, after any) {
	was, _ := before.(*Solver)
	is, _ := after.(*Solver)
	if is == nil || (was != nil && was.Address == is.Address) {
		return
	}
	s := i.certManager.Load()
	if s == nil {
		return
	}
	object, _, err := s.challenges.GetIndexer().GetByKey(is.ObjectMeta.Namespace + "/" + is.Challenge)
	if ch, ok := object.(*Challenge); err == nil && ok && ch.Waiting != nil {
		i.waitsFor(s, ch.Waiting)
	}
}

// onClass notices that there are other IngressClasses than before.
func (i *Inventory) onClass(before, after any) {
	s := i.certManager.Load()
	if s == nil || (before != nil && after != nil) {
		return
	}
	for _, object := range s.challenges.GetIndexer().List() {
		if ch, ok := object.(*Challenge); ok && ch.Waiting != nil && ch.Waiting.Class != "" {
			i.waitsFor(s, ch.Waiting)
		}
	}
}
