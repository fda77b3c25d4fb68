package delivery

import (
	"fmt"
	"time"

	"github.com/certwire/certwire/pkg/mirror"
	"github.com/certwire/certwire/pkg/probe"
)

const (
	// overwrittenFor is how long the Certificate's own Secret may hold something else than was issued: what is known of it
	// comes by two watches.
	overwrittenFor = 10 * time.Second
)

// lookAtOwn looks whether the Certificate's own Secret holds what was issued.
func (s *sweep) lookAtOwn(own *mirror.Secret) (problem string) {
	m := &s.m.copies
	if own == nil || own.Leaf != nil && own.Leaf.Fingerprint == s.leaf.Fingerprint {
		m.wrong, m.looks, m.held = time.Time{}, 0, ""
		return "" // cert-manager makes one anew that is gone
	}
	held, holds := probe.Fingerprint(""), "holds no certificate"
	if own.Leaf != nil {
		held, holds = own.Leaf.Fingerprint, "holds serial "+own.Leaf.Serial[:min(len(own.Leaf.Serial), maxSerial)]
	}
	if m.wrong.IsZero() || m.held != held {
		m.wrong, m.looks, m.held = s.Now(), 0, held
	}
	m.looks++
	if m.looks < Confirmations || s.Now().Sub(m.wrong) < overwrittenFor {
		return ""
	}
	by := ""
	if own.Writer != "" {
		by = ", written last by " + own.Writer + " at " + own.Written.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	text := fmt.Sprintf("Secret %s %s%s, not serial %s of revision %d: find what else writes it (kubectl get secret -n %s %s -o yaml --show-managed-fields), then cmctl renew -n %s %s",
		own.Key(), holds, by, s.leaf.Serial[:min(len(s.leaf.Serial), maxSerial)], s.issued.Revision, own.Namespace, own.Name, s.key.Namespace, s.key.Name)
	return text[:min(len(text), maxText)]
}

// fromSecret takes what was issued from the Secret, where cert-manager has removed the CertificateRequest before anybody
// saw it. The request may still be on its way, so it has its time first.
func (s *sweep) fromSecret() {
	i := &s.issued
	if s.secrets == nil || !s.secrets.synced() || i.Revision == 0 || i.Leaf != nil || s.status.Leaf != nil && s.status.Revision == i.Revision {
		return
	}
	if s.m.lacking.IsZero() || s.Now().Sub(s.m.lacking) < lackFor {
		return
	}
	own := s.secrets.get(i.Namespace, i.Secret)
	if own == nil || own.Leaf == nil {
		return
	}
	leaf := *own.Leaf
	i.Leaf, i.At = &leaf, own.Written
	if i.At.IsZero() {
		i.At = leaf.NotBefore
	}
}
