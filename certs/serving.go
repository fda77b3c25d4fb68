package certs

import (
	"crypto/tls"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// serving is what handshakes get: the newest certificate of next, but not before it has the age of delay while there
// is an older one. The authority signs with a NotBefore of now, which an API server whose clock is a little behind
// refuses as not yet valid. It is safe for concurrent use.
type serving struct {
	next  func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	delay time.Duration
	clock clock.PassiveClock

	mu      sync.Mutex
	current *tls.Certificate
}

// certificate returns the one to serve, or the error of next while there never was one.
func (s *serving) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	next, err := s.next(hello)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if s.current != nil {
			return s.current, nil
		}
		return nil, err
	}
	now := s.clock.Now()
	if s.current == nil || ending(s.current.Leaf, now) || !now.Before(next.Leaf.NotBefore.Add(s.delay)) {
		s.current = next
	}
	return s.current, nil
}

// served is certificate without an error: nil if there is none.
func (s *serving) served() *tls.Certificate {
	certificate, err := s.certificate(nil)
	if err != nil {
		return nil
	}
	return certificate
}
