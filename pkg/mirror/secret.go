package mirror

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/certwire/certwire/pkg/probe"
)

// Secret is what is kept of a Secret: nothing that is secret. One that holds no certificate and has no mark of a tool is
// its name alone.
type Secret struct {
	Namespace, Name string
	UID             types.UID
	ResourceVersion string
	Type            corev1.SecretType
	// Leaf is the certificate that it holds, without its issuer; nil when it holds none that can be read.
	Leaf *probe.Leaf
	// Marks are what tools have written on it, of which it may be a copy; the most telling comes first.
	Marks []Mark
	// Offers are the annotations by which tools may copy it, see [Offers].
	Offers map[string]string
	// Written is when its data was changed last, in whole seconds, and Writer who did that, as far as its managed fields
	// tell; zero and empty otherwise.
	Written time.Time
	Writer  string
}

// GetObjectMeta implements [metav1.ObjectMetaAccessor], so that a cache can keep it.
func (s *Secret) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name, UID: s.UID, ResourceVersion: s.ResourceVersion}
}

// Lean keeps of a Secret what lineage needs. What it returns shares no memory with the Secret.
func Lean(s *corev1.Secret) *Secret {
	out := &Secret{
		Namespace: strings.Clone(s.Namespace), Name: strings.Clone(s.Name), UID: types.UID(strings.Clone(string(s.UID))),
		ResourceVersion: strings.Clone(s.ResourceVersion), Type: typeOf(s.Type),
		Leaf: leafIn(s.Data), Marks: marksOf(s), Offers: Offers(s.Annotations),
	}
	if out.Leaf != nil || len(out.Marks) > 0 {
		out.Written, out.Writer = written(s.ManagedFields)
	}
	return out
}

// typeOf shares the memory of the usual words. Another type is of no interest, and can be any text.
func typeOf(t corev1.SecretType) corev1.SecretType {
	switch t {
	case corev1.SecretTypeTLS:
		return corev1.SecretTypeTLS
	case corev1.SecretTypeOpaque, "":
		return corev1.SecretTypeOpaque
	default:
		return "other"
	}
}

// maxWriter is how much of a manager's name is kept; the API server allows 128.
const maxWriter = 128

// written finds the last change of the data, and of tls.crt if anybody owns that: who changes a value takes it over from
// whoever had it. The API server notes a time for each manager, whenever it changes a value, in whole seconds.
func written(fields []metav1.ManagedFieldsEntry) (at time.Time, by string) {
	for _, owned := range []string{`"f:tls.crt"`, `"f:data"`} {
		for _, f := range fields {
			if f.Time != nil && f.Subresource == "" && f.FieldsV1 != nil && f.Time.After(at) && strings.Contains(f.FieldsV1.GetRawString(), owned) {
				at, by = f.Time.Time, f.Manager
			}
		}
		if by != "" {
			break
		}
	}
	return at, strings.Clone(by[:min(len(by), maxWriter)])
}

// Key is namespace/name.
func (s *Secret) Key() string { return s.Namespace + "/" + s.Name }

// Keys are what to index a Secret under, so that [Source.Keys] finds it. They are few, and none for most Secrets.
func (s *Secret) Keys() []string {
	var keys []string
	if s.Leaf != nil {
		keys = append(keys, leafKey(s.Leaf.Fingerprint))
	}
	for _, m := range s.Marks {
		switch {
		case m.Of != "":
			keys = append(keys, "of "+m.Of)
		case m.pushed:
			keys = append(keys, "name "+s.Name)
		}
		if m.UID != "" {
			keys = append(keys, "uid "+string(m.UID))
		}
	}
	return keys
}

func leafKey(f probe.Fingerprint) string { return "leaf " + string(f) }
