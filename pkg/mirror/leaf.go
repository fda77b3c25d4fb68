package mirror

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/certwire/certwire/pkg/probe"
)

// Bounds on what is read of a Secret, which can be a megabyte in any number of keys.
const (
	maxValue = 64 << 10 // of one key, in bytes
	maxKeys  = 16       // that are looked at beside tls.crt
	maxNames = 100      // a CA signs no more
)

var begin = []byte("-----BEGIN CERTIFICATE-----")

// leafIn finds the certificate that a Secret is about: the first in tls.crt or, where that key holds none, the first leaf
// in another one, in the order of their names. A private key is not even decoded.
func leafIn(data map[string][]byte) *probe.Leaf {
	if c := firstIn(data[corev1.TLSCertKey]); c != nil {
		return lean(c)
	}
	others := make([]string, 0, min(len(data), maxKeys))
	for key, value := range data {
		if key != corev1.TLSCertKey && len(value) <= maxValue && bytes.Contains(value, begin) {
			others = append(others, key)
		}
	}
	slices.Sort(others)
	for _, key := range others[:min(len(others), maxKeys)] {
		if c := firstIn(data[key]); c != nil && !c.IsCA {
			return lean(c)
		}
	}
	return nil
}

// firstIn reads the first certificate of a PEM file; nil when there is none, or when it cannot be read.
func firstIn(value []byte) *x509.Certificate {
	at := bytes.Index(value[:min(len(value), maxValue)], begin)
	if at < 0 {
		return nil
	}
	block, _ := pem.Decode(value[at:min(len(value), maxValue)])
	if block == nil || block.Type != "CERTIFICATE" {
		return nil
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return c
}

func lean(c *x509.Certificate) *probe.Leaf {
	leaf := probe.NewLeaf(c)
	leaf.Issuer = "" // nobody asks, and there are many
	if len(leaf.Names) > maxNames {
		leaf.Names = slices.Clone(leaf.Names[:maxNames])
	}
	return &leaf
}
