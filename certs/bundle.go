package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"time"
)

const (
	// pruneSkew is for how long past its need a CA stays in a bundle that holds it: replicas learn of a new CA, and
	// read their clocks, at different times. It also keeps two of them from fighting: see retention.bundle.
	pruneSkew = time.Hour

	// maxCAs bounds a bundle, should someone delete the CA Secret in a loop. The oldest go first; the gate has taken
	// every replica off them long ago.
	maxCAs = 16
)

// retention is the rule for which CAs a caBundle holds. It is pure, so all replicas come to the same bundle.
type retention struct {
	// commonName of our CAs.
	commonName string
	// leafDuration is the longest life of a leaf.
	leafDuration time.Duration
}

// bundle returns what a caBundle should be at now, as PEM, newest first: current, and those CAs of existing (the
// caBundle as it is, possibly garbage) and of known (CAs seen elsewhere or before) from which a leaf can be alive.
//
// A CA in existing stays pruneSkew longer than one from known is added. Without that gap, a replica whose clock is
// behind would put back what another has just pruned.
func (r retention) bundle(existing []byte, current *x509.Certificate, known []*x509.Certificate, now time.Time) []byte {
	held := r.ours(parse(existing))
	pool := slices.Concat([]*x509.Certificate{current}, held, r.ours(known))
	newest := slices.MinFunc(pool, newestFirst)

	keep := []*x509.Certificate{current}
	for _, ca := range held {
		if now.Before(r.neededUntil(ca, newest).Add(pruneSkew)) {
			keep = append(keep, ca)
		}
	}
	for _, ca := range r.ours(known) {
		if now.Before(r.neededUntil(ca, newest)) {
			keep = append(keep, ca)
		}
	}
	return encode(limit(distinct(keep), current))
}

// neededUntil is when the last leaf from ca has ended. A CA is superseded by the newest one, not by the next: with a
// restored backup an old CA may have signed again after a newer one came, and the newest ends that too.
func (r retention) neededUntil(ca, newest *x509.Certificate) time.Time {
	superseded := newest.NotBefore.Add(r.leafDuration)
	if ca.Equal(newest) || ca.NotAfter.Before(superseded) {
		return ca.NotAfter
	}
	return superseded
}

// ours returns the CAs that an authority of ours has made, as far as their names tell.
func (r retention) ours(cas []*x509.Certificate) []*x509.Certificate {
	return slices.DeleteFunc(slices.Clone(cas), func(ca *x509.Certificate) bool {
		return !ca.IsCA || ca.Subject.CommonName != r.commonName
	})
}

// limit returns the newest maxCAs of cas, which are newest first, and current in any case.
func limit(cas []*x509.Certificate, current *x509.Certificate) []*x509.Certificate {
	if len(cas) <= maxCAs {
		return cas
	}
	kept := cas[:maxCAs]
	if !slices.ContainsFunc(kept, current.Equal) {
		kept[maxCAs-1] = current
	}
	return kept
}

// distinct returns cas newest first, each once. The order is total, so that replicas write the same bytes.
func distinct(cas []*x509.Certificate) []*x509.Certificate {
	sorted := slices.SortedFunc(slices.Values(cas), newestFirst)
	return slices.CompactFunc(sorted, (*x509.Certificate).Equal)
}

func newestFirst(a, b *x509.Certificate) int {
	if order := b.NotBefore.Compare(a.NotBefore); order != 0 {
		return order
	}
	return bytes.Compare(a.Raw, b.Raw)
}

// parse returns the certificates in data and skips everything else, as API servers do.
func parse(data []byte) (certificates []*x509.Certificate) {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return certificates
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if certificate, err := x509.ParseCertificate(block.Bytes); err == nil {
			certificates = append(certificates, certificate)
		}
	}
}

func encode(certificates []*x509.Certificate) []byte {
	var out bytes.Buffer
	for _, certificate := range certificates {
		out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
	}
	return out.Bytes()
}
