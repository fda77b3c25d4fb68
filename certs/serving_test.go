package certs

import (
	"crypto/tls"
	"errors"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
)

func TestServing(t *testing.T) {
	t.Parallel()
	ca := newCA(t, "certwire-ca", epoch, 365*day)
	var newest *tls.Certificate
	clock := clocktesting.NewFakeClock(epoch)
	s := &serving{clock: clock, delay: 10 * time.Second, next: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		if newest == nil {
			return nil, errors.New("none yet")
		}
		return newest, nil
	}}
	expect := func(sentence string, want *tls.Certificate) {
		t.Helper()
		if got := s.served(); got != want {
			t.Errorf("not so: %s", sentence)
		}
	}

	if _, err := s.certificate(nil); err == nil {
		t.Error("no error without a certificate")
	}
	expect("there is nothing to serve at first", nil)

	first := ca.leaf(t, epoch, 7*day)
	newest = first
	expect("the first leaf is served at once", first)

	clock.Step(5 * day)
	second := ca.leaf(t, clock.Now(), 7*day)
	newest = second
	expect("a new leaf is not served before clocks that are behind have come to its NotBefore", first)
	clock.Step(10 * time.Second)
	expect("then it is served", second)

	clock.Step(7*day - 30*time.Minute)
	newest = ca.leaf(t, clock.Now(), 7*day)
	expect("a new leaf is served at once when the old one is about to end", newest)
}
