package walk

import (
	"context"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/chain"
	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/cluster"
	"github.com/certwire/certwire/pkg/mirror"
)

// page is how many Secrets are asked for at a time, and kept as they are while they are looked at.
const page = 250

// lookAtMirrors looks for copies of the Secret among all that the caller may list, or else takes those that certwire has
// found.
func (l *look) lookAtMirrors(ctx context.Context) {
	if l.want.Fingerprint == "" {
		return
	}
	among, err := l.secrets(ctx)
	if err != nil {
		l.facts.MirrorsUnseen = cluster.Why(err)
		l.writtenMirrors()
		return
	}
	source := mirror.Source{
		Namespace: l.certificate.Namespace, Name: l.certificate.Spec.SecretName, Leaf: l.want, Previous: l.previous,
	}
	if l.secret != nil {
		source.UID, source.Offers = l.secret.UID, l.secret.Offers
	}
	for _, m := range mirror.Find(source, among, l.owners(ctx)) {
		out := chain.Mirror{Namespace: m.Namespace, Name: m.Name, Tool: string(m.Tool), State: string(m.State)}
		if m.Leaf != nil {
			out.Leaf = short(*m.Leaf)
		}
		if m.Behind() {
			out.Remedy = mirror.Remedy(m, source)
		}
		l.facts.Mirrors = append(l.facts.Mirrors, out)
	}
}

func (l *look) secrets(ctx context.Context) ([]*mirror.Secret, error) {
	var out []*mirror.Secret
	for next := ""; ; {
		var list corev1.SecretList
		if err := l.cluster.List(ctx, &list, client.Limit(page), client.Continue(next)); err != nil {
			return nil, err
		}
		for i := range list.Items {
			out = append(out, mirror.Lean(&list.Items[i]))
		}
		if next = list.Continue; next == "" {
			return out, nil
		}
	}
}

// owners tells which Secrets are written by a Certificate of their own.
func (l *look) owners(ctx context.Context) func(namespace, name string) bool {
	var list cmapi.CertificateList
	l.unseen("the Certificates of other namespaces", l.cluster.List(ctx, &list), "a Secret of theirs may be taken for a copy")
	owned := map[string]bool{l.certificate.Namespace + "/" + l.certificate.Spec.SecretName: true}
	for i := range list.Items {
		owned[list.Items[i].Namespace+"/"+list.Items[i].Spec.SecretName] = true
	}
	return func(namespace, name string) bool { return owned[namespace+"/"+name] }
}

// writtenMirrors takes what certwire has found.
func (l *look) writtenMirrors() {
	if !l.current() {
		return
	}
	for _, m := range l.delivery.Status.Mirrors {
		l.facts.Mirrors = append(l.facts.Mirrors, chain.Mirror{
			Namespace: m.Namespace, Name: m.Name, Tool: m.Tool, State: m.State, Leaf: chain.Leaf{Serial: m.Serial},
		})
	}
}
