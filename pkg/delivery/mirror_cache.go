package delivery

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/mirror"
)

const (
	// byLineage indexes Secrets under [mirror.Secret.Keys], and byLeaf deliveries under the fingerprints of their leaves.
	byLineage, byLeaf = "lineage", "leaf"
	// secretsFor is how long deliveries wait for the Secrets before they go on without.
	secretsFor = 30 * time.Second
)

var secretIndexers = toolscache.Indexers{
	byLineage: func(object any) ([]string, error) {
		s, ok := object.(*mirror.Secret)
		if !ok {
			return nil, nil
		}
		return s.Keys(), nil
	},
}

var deliveryIndexers = toolscache.Indexers{
	byLeaf: func(object any) ([]string, error) {
		d, ok := object.(*v1alpha1.CertificateDelivery)
		if !ok || d.Status.Leaf == nil {
			return nil, nil
		}
		return append([]string{d.Status.Leaf.Fingerprint}, d.Status.Previous...), nil
	},
}

// mirrored are types of Secrets that can hold a certificate. Those that cannot are not even asked for: there are many of
// them, and what they hold is nobody's business here.
func mirrored() fields.Selector {
	var not []fields.Selector
	for _, t := range []corev1.SecretType{
		corev1.SecretTypeServiceAccountToken, corev1.SecretTypeBootstrapToken, corev1.SecretTypeDockercfg, corev1.SecretTypeDockerConfigJson,
		corev1.SecretTypeBasicAuth, corev1.SecretTypeSSHAuth, "helm.sh/release.v1",
	} {
		not = append(not, fields.OneTermNotEqualSelector("type", string(t)))
	}
	return fields.AndSelectors(not...)
}

// stripSecret runs on every Secret before it enters the cache, and overwrites what does not.
func stripSecret(object any) (any, error) {
	s, ok := object.(*corev1.Secret)
	if !ok {
		return strip(object)
	}
	kept := mirror.Lean(s)
	for _, value := range s.Data {
		clear(value)
	}
	return kept, nil
}

// secrets is what is known of Secrets while this replica leads.
type secrets struct {
	indexer toolscache.Indexer
	synced  func() bool

	mu sync.Mutex
	// certificates are those of which a Secret is a copy, by its namespace/name; mirrors, the other way round.
	certificates map[string][]types.NamespacedName
	mirrors      map[types.NamespacedName][]string
}

func newSecrets(indexer toolscache.Indexer, synced func() bool) *secrets {
	return &secrets{
		indexer: indexer, synced: synced, certificates: map[string][]types.NamespacedName{}, mirrors: map[types.NamespacedName][]string{},
	}
}

// get returns a Secret; nil when there is none, or it is of a type that is not looked at.
func (s *secrets) get(namespace, name string) *mirror.Secret {
	object, _, err := s.indexer.GetByKey(namespace + "/" + name)
	if err != nil {
		return nil // only for an index that does not exist
	}
	secret, _ := object.(*mirror.Secret)
	return secret
}

// at returns the Secrets under index keys, some of them several times.
func (s *secrets) at(keys []string) []*mirror.Secret {
	var out []*mirror.Secret
	for _, key := range keys {
		objects, err := s.indexer.ByIndex(byLineage, key)
		if err != nil {
			return nil // only for an index that does not exist
		}
		for _, object := range objects {
			if secret, ok := object.(*mirror.Secret); ok {
				out = append(out, secret)
			}
		}
	}
	return out
}

// remember notes which Secrets are copies of a Certificate's; none for a Certificate that is gone.
func (s *secrets) remember(certificate types.NamespacedName, mirrors []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Equal(s.mirrors[certificate], mirrors) {
		return
	}
	for _, key := range s.mirrors[certificate] {
		left := slices.DeleteFunc(s.certificates[key], func(c types.NamespacedName) bool { return c == certificate })
		if s.certificates[key] = left; len(left) == 0 {
			delete(s.certificates, key)
		}
	}
	for _, key := range mirrors {
		s.certificates[key] = append(s.certificates[key], certificate)
	}
	if s.mirrors[certificate] = mirrors; len(mirrors) == 0 {
		delete(s.mirrors, certificate)
	}
}

// copied returns the Certificates of which a Secret is known to be a copy.
func (s *secrets) copied(key string) []types.NamespacedName {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.certificates[key])
}

// watchSecrets adds them to a cache that has not started.
func (r *run) watchSecrets(ctx context.Context, from cache.Cache) error {
	if !r.Mirrors {
		return nil
	}
	informer, err := informer(ctx, from, &corev1.Secret{}, secretIndexers)
	if err != nil {
		return err
	}
	handled, err := informer.AddEventHandler(r.handler(r.onSecret))
	if err != nil {
		return fmt.Errorf("listening to Secrets: %w", err)
	}
	r.secrets = newSecrets(informer.GetIndexer(), handled.HasSynced)
	return nil
}

// awaitSecrets waits for the Secrets, but not for ever: without the permission they never come, and deliveries are looked
// after all the same.
func (r *run) awaitSecrets(ctx context.Context) {
	if r.secrets == nil {
		return
	}
	waiting, cancel := context.WithTimeout(ctx, secretsFor)
	defer cancel()
	if !toolscache.WaitForCacheSync(waiting.Done(), r.secrets.synced) && ctx.Err() == nil {
		r.Log.Error(waiting.Err(), "Secrets cannot be read yet, so copies of them are not looked at: --delivery-mirrors needs the component mirrors")
	}
}

// byObject adds how Secrets are watched, where they are.
func (r *run) byObject(kinds map[client.Object]cache.ByObject) map[client.Object]cache.ByObject {
	if r.Mirrors {
		kinds[&corev1.Secret{}] = cache.ByObject{Field: mirrored(), Transform: stripSecret}
	}
	return kinds
}

// onSecret has those Certificates looked after whose Secret, or a copy of it, has changed.
func (r *run) onSecret(before, after any) {
	was, _ := before.(*mirror.Secret)
	is, _ := after.(*mirror.Secret)
	if was != nil && is != nil && sameCopy(was, is) {
		return
	}
	for _, s := range []*mirror.Secret{was, is} {
		if s == nil {
			continue
		}
		for _, key := range r.concerned(s) {
			r.queue.AddAfter(key, settle)
		}
	}
}

func sameCopy(a, b *mirror.Secret) bool {
	held := func(s *mirror.Secret) string {
		if s.Leaf == nil {
			return ""
		}
		return string(s.Leaf.Fingerprint)
	}
	return a.UID == b.UID && held(a) == held(b) && reflect.DeepEqual(a.Marks, b.Marks) && reflect.DeepEqual(a.Offers, b.Offers)
}

// concerned are the Certificates to which a Secret may mean something.
func (r *run) concerned(s *mirror.Secret) []types.NamespacedName {
	out := r.certificatesOf(s.Namespace, s.Name)
	for _, m := range s.Marks {
		if namespace, name, ok := strings.Cut(m.Of, "/"); ok {
			out = append(out, r.writers(namespace, name)...)
		}
	}
	if s.Leaf != nil {
		objects, err := r.deliveries.ByIndex(byLeaf, string(s.Leaf.Fingerprint))
		for _, object := range objects {
			if d, ok := object.(*v1alpha1.CertificateDelivery); ok && err == nil {
				out = append(out, types.NamespacedName{Namespace: d.Namespace, Name: d.Name})
			}
		}
	}
	return out
}

// certificatesOf are the Certificates that a Secret is about, be it theirs or a copy.
func (r *run) certificatesOf(namespace, secret string) []types.NamespacedName {
	return append(r.writers(namespace, secret), r.secrets.copied(namespace+"/"+secret)...)
}

// writers are the Certificates that write to a Secret.
func (r *run) writers(namespace, secret string) []types.NamespacedName {
	var out []types.NamespacedName
	for _, c := range r.Cluster.Certificates(namespace, secret) {
		out = append(out, types.NamespacedName{Namespace: namespace, Name: c.Name})
	}
	return out
}
