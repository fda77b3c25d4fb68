package mirror

import (
	"encoding/json"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Tool is who keeps a copy: a closed set.
type Tool string

// The tools.
const (
	Reflector       Tool = "reflector"        // emberstack/kubernetes-reflector
	Replicator      Tool = "replicator"       // mittwald/kubernetes-replicator
	ConfigSyncer    Tool = "config-syncer"    // kubeops/config-syncer, once called kubed
	Kyverno         Tool = "kyverno"          // a generate rule that clones
	ExternalSecrets Tool = "external-secrets" // an ExternalSecret
	SealedSecrets   Tool = "sealed-secrets"   // a SealedSecret, which is frozen
	Content         Tool = "content"          // nobody who leaves marks: a PushSecret, Vault, a pipeline, a person
)

// Mark is what one tool has written on a Secret about where it comes from.
type Mark struct {
	Tool Tool
	// Of is namespace/name of what it is a copy of, and UID that one's; empty when the tool does not say.
	Of  string
	UID types.UID
	// By is the name of the object by which the tool does it: an ExternalSecret, a SealedSecret, a policy. Empty when it
	// does not say.
	By string
	// pushed says that it is under the name of its source, in another namespace.
	pushed bool
	// elsewhere says that Of may be in another cluster, so that it proves nothing without UID.
	elsewhere bool
}

// The tools' keys on a copy. See src/.../Annotations.cs of reflector, replicate/common/consts.go of replicator,
// pkg/syncer/syncer.go of config-syncer, pkg/background/common/{constants,labels}.go of Kyverno, and
// apis/externalsecrets/v1/externalsecret_types.go of External Secrets.
const (
	reflectsKey        = "reflector.v1.k8s.emberstack.com/reflects"
	replicateFromKey   = "replicator.v1.mittwald.de/replicate-from"
	replicatedAtKey    = "replicator.v1.mittwald.de/replicated-at"
	originKey          = "kubed.appscode.com/origin"
	originNameKey      = "kubed.appscode.com/origin.name"
	originNamespaceKey = "kubed.appscode.com/origin.namespace"
	originClusterKey   = "kubed.appscode.com/origin.cluster"
	managedByKey       = "app.kubernetes.io/managed-by"
	sourceUIDKey       = "generate.kyverno.io/source-uid"
	sourceNamespaceKey = "generate.kyverno.io/source-namespace"
	sourceNameKey      = "generate.kyverno.io/source-name"
	policyNameKey      = "generate.kyverno.io/policy-name"
	esoManagedKey      = "reconcile.external-secrets.io/managed"
)

// marksOf reads the marks. A tool that copies everything copies other tools' marks, too: those that are put on the copy
// alone come first. The keys of cert-manager are copied as well, and are no evidence of anything here.
func marksOf(s *corev1.Secret) []Mark {
	var marks []Mark
	for _, read := range []func(*corev1.Secret) (Mark, bool){kyverno, configSyncer, reflector, replicator, owned} {
		if m, ok := read(s); ok {
			marks = append(marks, m)
		}
	}
	return marks
}

func kyverno(s *corev1.Secret) (Mark, bool) {
	uid, from := s.Labels[sourceUIDKey], s.Labels[sourceNamespaceKey]
	if uid == "" && (from == "" || s.Labels[managedByKey] != "kyverno") {
		return Mark{}, false
	}
	name := s.Labels[sourceNameKey]
	if name == "" {
		name = s.Name // a clone of another name is found by the UID alone
	}
	return Mark{Tool: Kyverno, Of: reference(from, name), UID: types.UID(word(uid, 64)), By: word(s.Labels[policyNameKey], maxName)}, true
}

func configSyncer(s *corev1.Secret) (Mark, bool) {
	of := reference(s.Labels[originNamespaceKey], s.Labels[originNameKey])
	text := s.Annotations[originKey]
	if of == "" && text == "" {
		return Mark{}, false
	}
	m := Mark{Tool: ConfigSyncer, Of: of, elsewhere: s.Labels[originClusterKey] != ""}
	var origin struct {
		Namespace string    `json:"namespace"`
		Name      string    `json:"name"`
		UID       types.UID `json:"uid"`
	}
	if len(text) <= maxOrigin && json.Unmarshal([]byte(text), &origin) == nil {
		m.UID = types.UID(word(string(origin.UID), 64))
		if m.Of == "" {
			m.Of = reference(origin.Namespace, origin.Name)
		}
	}
	return m, m.Of != "" || m.UID != ""
}

func reflector(s *corev1.Secret) (Mark, bool) {
	of := s.Annotations[reflectsKey]
	if of == "" {
		return Mark{}, false
	}
	namespace, name, has := strings.Cut(of, "/")
	if !has {
		namespace, name = s.Namespace, of
	}
	return Mark{Tool: Reflector, Of: reference(namespace, name)}, true
}

func replicator(s *corev1.Secret) (Mark, bool) {
	if of := s.Annotations[replicateFromKey]; of != "" {
		namespace, name, _ := strings.Cut(of, "/")
		return Mark{Tool: Replicator, Of: reference(namespace, name)}, true
	}
	_, pushed := s.Annotations[replicatedAtKey]
	return Mark{Tool: Replicator, pushed: true}, pushed
}

// owned is for tools that say what made the Secret, and not where its content comes from.
func owned(s *corev1.Secret) (Mark, bool) {
	for _, o := range s.OwnerReferences {
		switch {
		case o.Kind == "ExternalSecret" && groupOf(o) == "external-secrets.io":
			return Mark{Tool: ExternalSecrets, By: word(o.Name, maxName)}, true
		case o.Kind == "SealedSecret" && groupOf(o) == "bitnami.com":
			return Mark{Tool: SealedSecrets, By: word(o.Name, maxName)}, true
		}
	}
	return Mark{Tool: ExternalSecrets}, s.Labels[esoManagedKey] == "true"
}

func groupOf(o metav1.OwnerReference) string {
	group, _, _ := strings.Cut(o.APIVersion, "/")
	return group
}

// Bounds on what is kept of a mark: anybody may write any text there.
const (
	maxName      = 253
	maxNamespace = 63
	maxOrigin    = 4 << 10
)

// reference is namespace/name of what can be a Secret, and empty for what cannot.
func reference(namespace, name string) string {
	namespace, name = strings.TrimSpace(namespace), strings.TrimSpace(name)
	if word(namespace, maxNamespace) == "" || word(name, maxName) == "" {
		return ""
	}
	return namespace + "/" + name
}

// word copies a text of the characters that names of objects have; empty when it is another text, or too long.
func word(text string, most int) string {
	if len(text) > most {
		return ""
	}
	for _, c := range []byte(text) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' {
			return ""
		}
	}
	return strings.Clone(text)
}
