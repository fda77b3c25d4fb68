package controlplane

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/certwire/certwire/test/cluster/internal/pki"
)

// credentials are all keys and certificates of one cluster.
type credentials struct {
	ca     *pki.Authority
	tokens pki.SigningKey
	// etcd and apiServer are what the two serve with.
	etcd, apiServer pki.Pair
	// etcdClient is the API server's towards etcd.
	etcdClient pki.Pair
	// admin may do everything; it is in the kubeconfig and used for probes.
	admin             pki.Pair
	controllerManager pki.Pair
	// The rest is there only with a node. kubelet is what it serves with and is known
	// by, and kubeletClient is the API server's towards it.
	scheduler, kubelet, kubeletClient pki.Pair
}

// leaf is one certificate to be made: where to note it, its file, and whom it is for.
type leaf struct {
	pair    *pki.Pair
	file    string
	subject pki.Subject
}

// newCredentials makes them below dir. The node may be nil.
func newCredentials(dir string, node *Node, now time.Time) (*credentials, error) {
	dir = filepath.Join(dir, "pki")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating the folder for keys: %w", err)
	}
	c := &credentials{}
	var err error
	if c.ca, err = pki.New(dir, now); err != nil {
		return nil, err
	}
	if c.tokens, err = pki.NewSigningKey(dir, "service-accounts"); err != nil {
		return nil, err
	}
	leaves := []leaf{
		{&c.etcd, "etcd", pki.Subject{Name: "etcd", Hosts: []string{loopback, "localhost"}}},
		{&c.apiServer, "kube-apiserver", pki.Subject{Name: "kube-apiserver", Hosts: []string{
			loopback, "localhost", apiServiceIP, "kubernetes", "kubernetes.default",
			"kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
		}}},
		{&c.etcdClient, "etcd-client", pki.Subject{Name: "kube-apiserver-etcd-client"}},
		{&c.admin, "admin", pki.Subject{Name: "admin", Groups: []string{"system:masters"}}},
		{&c.controllerManager, "controller-manager", pki.Subject{Name: "system:kube-controller-manager"}},
	}
	if node != nil {
		server := &leaves[1].subject
		server.Hosts = append(server.Hosts, node.Address)
		leaves = append(leaves, c.ofNode(node)...)
	}
	for _, leaf := range leaves {
		if *leaf.pair, err = c.ca.Issue(leaf.file, leaf.subject, now); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// httpClient returns a client that trusts the cluster and is its administrator.
func (c *credentials) httpClient() (*http.Client, error) {
	authority, err := os.ReadFile(c.ca.Cert)
	if err != nil {
		return nil, fmt.Errorf("reading the authority's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	admin, err := tls.LoadX509KeyPair(c.admin.Cert, c.admin.Key)
	if err != nil {
		return nil, fmt.Errorf("reading the administrator's certificate: %w", err)
	}
	return &http.Client{
		Timeout: 5 * time.Second,
		// No proxy setting of the environment applies: it is always this machine.
		Transport: &http.Transport{TLSClientConfig: &tls.Config{
			RootCAs: roots, Certificates: []tls.Certificate{admin}, MinVersion: tls.VersionTLS12,
		}},
	}, nil
}
