package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	servertls "github.com/cert-manager/cert-manager/pkg/server/tls"
	"github.com/cert-manager/cert-manager/pkg/server/tls/authority"
	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/klog/v2"
)

// SelfManaged is the Source that needs nothing: a CA in a Secret of our namespace, shared by all replicas, and a leaf
// of each replica's own, in memory. A leaf from a new CA is served only after the API servers can verify it.
type SelfManaged struct {
	options   Options
	watches   *watches
	published *published
	bundler   *Bundler
	gate      *gate
	source    *servertls.DynamicSource
	serving   *serving

	started atomic.Bool
	// verified is the newest certificate that was seen to be verifiable.
	verified atomic.Pointer[tls.Certificate]
}

var _ Source = &SelfManaged{}

// New returns a source that is to be started. The error lists all problems of the options.
func New(o Options) (*SelfManaged, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("checking the options of the serving certificate: %w", err)
	}
	return newSelfManaged(o, &authority.DynamicAuthority{
		SecretNamespace: o.Namespace,
		SecretName:      o.SecretName,
		CommonName:      o.CommonName,
		CADuration:      o.CADuration,
		LeafDuration:    o.LeafDuration,
		RESTConfig:      o.RESTConfig,
	})
}

// newSelfManaged takes options that are complete.
func newSelfManaged(o Options, inner servertls.Authority) (*SelfManaged, error) {
	if o.Client == nil {
		client, err := kubernetes.NewForConfig(o.RESTConfig)
		if err != nil {
			return nil, fmt.Errorf("making a client for the serving certificate: %w", err)
		}
		o.Client = client
	}
	s := &SelfManaged{options: o}
	rule := retention{commonName: o.CommonName, leafDuration: o.LeafDuration}
	s.published = newPublished(rule, o.PublishDelay, o.Clock, func() bool { return s.watches.synced() })
	watches, err := newWatches(o, s.published)
	if err != nil {
		return nil, err
	}
	s.watches = watches
	s.bundler = &Bundler{
		retention: rule, watches: watches, client: o.Client, clock: o.Clock,
		writes: flowcontrol.NewTokenBucketRateLimiter(1, 10),
	}
	s.gate = &gate{Authority: inner, verify: s.published.verify, clock: o.Clock, log: logr.Discard()}
	s.source = &servertls.DynamicSource{DNSNames: o.DNSNames, Authority: s.gate}
	s.serving = &serving{next: s.source.GetCertificate, delay: o.PublishDelay, clock: o.Clock}
	s.gate.served = s.serving.served
	return s, nil
}

// Bundler returns the one that publishes this source's CA.
func (s *SelfManaged) Bundler() *Bundler { return s.bundler }

// GetCertificate implements Source.
func (s *SelfManaged) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	certificate, err := s.serving.certificate(hello)
	if err != nil {
		return nil, fmt.Errorf("looking for a serving certificate: %w", err)
	}
	return certificate, nil
}

// Start implements Source.
func (s *SelfManaged) Start(ctx context.Context) error {
	if s.started.Swap(true) {
		return errors.New("starting the serving certificate: it was started before")
	}
	log := klog.FromContext(ctx).WithName("certs")
	s.gate.log = log
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return s.watches.run(running, log) })
	group.Go(func() error {
		// The source logs two lines a second while the gate holds a leaf back; the gate logs what is worth it, and
		// gives the authority its logger back.
		if err := s.source.Start(logr.NewContext(running, logr.Discard())); err != nil && ctx.Err() == nil {
			return fmt.Errorf("running the serving certificate: %w", err)
		}
		return nil
	})
	return group.Wait()
}

// Healthy implements Source. Once a leaf was verifiable it stays healthy until it ends: a caBundle that is lost
// afterwards is lost for all replicas alike, and taking every one of them out of the Service would turn the second
// until the Bundler has repaired it into a minute.
func (s *SelfManaged) Healthy() error {
	certificate := s.serving.served()
	if certificate == nil {
		return fmt.Errorf("no serving certificate: waiting for the CA in Secret %s/%s",
			s.options.Namespace, s.options.SecretName)
	}
	if now := s.options.Clock.Now(); now.After(certificate.Leaf.NotAfter) {
		return fmt.Errorf("the serving certificate ended at %s", certificate.Leaf.NotAfter.Format(time.RFC3339))
	}
	if s.verified.Load() == certificate {
		return nil
	}
	if err := s.published.verify(certificate.Leaf); err != nil {
		return fmt.Errorf("API servers cannot verify the serving certificate: %w", err)
	}
	s.verified.Store(certificate)
	return nil
}

// NotAfter implements Source; ca is the end of the CA in the Secret, of which the leaf may not be yet.
func (s *SelfManaged) NotAfter() (leaf, ca time.Time) {
	if certificate := s.serving.served(); certificate != nil {
		leaf = certificate.Leaf.NotAfter
	}
	if certificate := s.watches.ca(); certificate != nil {
		ca = certificate.NotAfter
	}
	return leaf, ca
}
