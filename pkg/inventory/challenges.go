package inventory

import (
	"time"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/certwire/certwire/pkg/diagnose"
	"github.com/certwire/certwire/pkg/policy"
)

// Challenge is a Challenge as the cache keeps it.
type Challenge struct {
	metav1.ObjectMeta
	Issuer policy.IssuerRef
	// Name is the identifier that was to be proven.
	Name string
	// Invalid is true once the CA has found that it was not.
	Invalid bool
	// Waiting is what is known of one that is not valid; only where leaves are kept, see [CacheOptions].
	Waiting *diagnose.Challenge
}

func stripChallenge(c *acmeapi.Challenge) *Challenge {
	kept := &Challenge{
		ObjectMeta: identity(c.ObjectMeta), Name: c.Spec.DNSName, Invalid: c.Status.State == acmeapi.Invalid,
		Issuer: policy.NewIssuerRef(c.Spec.IssuerRef.Name, c.Spec.IssuerRef.Kind, c.Spec.IssuerRef.Group),
	}
	kept.CreationTimestamp = c.CreationTimestamp
	if c.Spec.Wildcard { // the CA counts the name that was ordered; cert-manager takes the star off (acmeorders/util.go)
		kept.Name = "*." + c.Spec.DNSName
	}
	return kept
}

// byOrder indexes Challenges that are not valid under namespace/Order.
const byOrder = "order"

var challengeIndexers = toolscache.Indexers{
	byOrder: func(object any) ([]string, error) {
		c, ok := object.(*Challenge)
		if !ok || c.Waiting == nil || c.Waiting.Order == "" {
			return nil, nil
		}
		return []string{c.Namespace + "/" + c.Waiting.Order}, nil
	},
}

func (i *Inventory) onChallenge() toolscache.ResourceEventHandler {
	return handler(func(before, after any) {
		was, _ := before.(*Challenge)
		is, _ := after.(*Challenge)
		i.challengeWaits(was, is)
		if is == nil || !is.Invalid || (was != nil && was.Invalid) {
			return
		}
		at := time.Now()
		if was == nil { // seen for the first time: it can have failed any time since it was created
			at = is.CreationTimestamp.Time
		}
		i.failed(is, at)
	})
}
