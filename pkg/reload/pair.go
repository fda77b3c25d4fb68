package reload

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/certwire/certwire/pkg/probe"
)

// pair is what a volume holds at one moment.
type pair struct {
	chain []*x509.Certificate
	leaf  probe.Leaf
	// digest changes with the certificate files, and with nothing else in the volume: not with the key, which says
	// nothing that the certificate does not; not with keystores, which cert-manager encodes anew each time; and not with
	// the directory that the files happen to lie in.
	digest string
}

// Word is why a pair cannot be taken up: a closed set, fit for a metric label.
type Word string

// The words of a readError.
const (
	wordMissing     Word = "missing"
	wordUnreadable  Word = "unreadable"
	wordInvalid     Word = "invalid"
	wordKeyMismatch Word = "key-mismatch"
	wordTemporary   Word = "temporary"
)

type readError struct {
	word Word
	err  error
}

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// maxFile bounds what is read of one file. A Secret holds 1 MiB at most.
const maxFile = 1 << 20

// dataLink is the link that the kubelet renames when a volume changes (kubernetes pkg/volume/util/atomic_writer.go).
const dataLink = "..data"

// read reads a pair. The files change together when the kubelet swaps a link, so it reads again if that happened
// meanwhile.
func read(c Certificate) (pair, error) {
	for range 5 {
		before, _ := os.Readlink(filepath.Join(c.Root, dataLink))
		p, err := readOnce(c)
		after, _ := os.Readlink(filepath.Join(c.Root, dataLink))
		if before == after {
			return p, err
		}
	}
	return pair{}, &readError{wordInvalid, errors.New("the volume changes faster than it can be read")}
}

func readOnce(c Certificate) (pair, error) {
	cert, err := readFile(c.Root, c.Cert)
	if err != nil {
		word := wordUnreadable
		if errors.Is(err, fs.ErrNotExist) {
			word = wordMissing
		}
		return pair{}, &readError{word, err}
	}
	chain, err := probe.ParseChain(cert)
	if err != nil {
		return pair{}, &readError{wordInvalid, fmt.Errorf("%s: %w", c.Cert, err)}
	}
	p := pair{chain: chain, leaf: probe.NewLeaf(chain[0])}
	if temporary(chain[0]) {
		return pair{}, &readError{wordTemporary, fmt.Errorf("%s is cert-manager's temporary certificate", c.Cert)}
	}
	if err := checkKey(c, cert); err != nil {
		return pair{}, err
	}
	hash := sha256.New()
	for _, name := range []string{c.Cert, c.CA} {
		if content, err := readFile(c.Root, name); name != "" && err == nil {
			_, _ = fmt.Fprintf(hash, "%s %d\n", name, len(content))
			_, _ = hash.Write(content)
		}
	}
	p.digest = hex.EncodeToString(hash.Sum(nil))
	return p, nil
}

// checkKey waits for a key that fits, where the key can be read. Without it the kubelet's swap is relied on.
func checkKey(c Certificate, cert []byte) error {
	if c.Key == "" {
		return nil
	}
	key, err := readFile(c.Root, c.Key)
	if err != nil || encrypted(key) {
		return nil //nolint:nilerr // a key that is kept from the agent is as it should be
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		return &readError{wordKeyMismatch, fmt.Errorf("%s and %s do not fit together: %w", c.Cert, c.Key, err)}
	}
	return nil
}

// encrypted reports a key that nobody can read without its password (RFC 5958, and the older form of RFC 1421).
func encrypted(key []byte) bool {
	block, _ := pem.Decode(key)
	return block != nil && (block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"))
}

// temporary recognises the certificate that cert-manager writes while it waits for the real one
// (cert-manager pkg/util/pki/temporarycertificate.go).
func temporary(c *x509.Certificate) bool {
	const issuer = "cert-manager.local"
	return c.Issuer.CommonName == issuer
}

// readFile reads a file of a volume by its visible path.
func readFile(root, name string) ([]byte, error) {
	if name == "" {
		return nil, fs.ErrNotExist
	}
	return readBounded(filepath.Join(root, name), maxFile)
}

// readBounded reads a file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes", path, limit)
	}
	return data, nil
}
