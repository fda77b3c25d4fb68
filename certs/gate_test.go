package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	servertls "github.com/cert-manager/cert-manager/pkg/server/tls"
	"github.com/go-logr/logr"
	clocktesting "k8s.io/utils/clock/testing"
)

// scriptedAuthority stands in for cert-manager's: it signs with the CA that the test says, by the test's clock.
type scriptedAuthority struct {
	servertls.Authority
	t     *testing.T
	clock *clocktesting.FakeClock
	ca    testCA
	err   error
	log   logr.Logger
}

func (a *scriptedAuthority) Sign(*x509.Certificate) (*x509.Certificate, error) {
	if a.err != nil {
		return nil, a.err
	}
	return a.ca.leaf(a.t, a.clock.Now(), 7*day).Leaf, nil
}

func (a *scriptedAuthority) Run(ctx context.Context) error {
	a.log = logr.FromContextOrDiscard(ctx)
	return nil
}

// stage is a gate with everything around it played by the test.
type stage struct {
	clock     *clocktesting.FakeClock
	authority *scriptedAuthority
	published *published
	served    *tls.Certificate
	gate      *gate
	logged    []string
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{clock: clocktesting.NewFakeClock(epoch)}
	s.authority = &scriptedAuthority{t: t, clock: s.clock, ca: newCA(t, "certwire-ca", epoch, 365*day)}
	rule := retention{commonName: "certwire-ca", leafDuration: 7 * day}
	s.published = newPublished(rule, 10*time.Second, s.clock, func() bool { return true })
	s.gate = &gate{
		Authority: s.authority, verify: s.published.verify, clock: s.clock,
		served: func() *tls.Certificate { return s.served },
		log:    logr.New(&messages{lines: &s.logged}),
	}
	return s
}

// publish shows the gate configurations with a webhook for each of the bundles.
func (s *stage) publish(kind string, bundles ...[]byte) {
	s.published.observe(configuration{kind: kind, name: "certwire", bundles: bundles}, false)
}

// serve is what handshakes get now: a leaf from the authority's CA that lives for life.
func (s *stage) serve(life time.Duration) { s.served = s.authority.ca.leaf(s.authority.t, epoch, life) }

// rotate makes the authority sign with a new CA, which it returns.
func (s *stage) rotate() (old, current testCA) {
	old = s.authority.ca
	s.authority.ca = newCA(s.authority.t, "certwire-ca", s.clock.Now(), 365*day)
	return old, s.authority.ca
}

func TestGate(t *testing.T) {
	t.Parallel()
	const refused, accepted = false, true

	for sentence, tc := range map[string]struct {
		story func(s *stage)
		want  bool
		says  string
	}{
		"while nothing is served, a leaf is taken at once": {
			story: func(s *stage) { s.publish(mutatingKind, nil) },
			want:  accepted,
		},
		"a leaf from an unpublished CA is refused while an old one is served": {
			story: func(s *stage) {
				s.serve(7 * day)
				old, _ := s.rotate()
				s.publish(mutatingKind, pemOf(old))
			},
			want: refused, says: "not in every caBundle of MutatingWebhookConfiguration/certwire",
		},
		"a leaf whose CA was published just now is refused": {
			story: func(s *stage) {
				s.serve(7 * day)
				old, current := s.rotate()
				s.publish(mutatingKind, pemOf(current, old))
				s.clock.Step(10*time.Second - 1)
			},
			want: refused, says: "for less than 10s",
		},
		"a leaf whose CA was published long enough ago is accepted": {
			story: func(s *stage) {
				s.serve(7 * day)
				old, current := s.rotate()
				s.publish(mutatingKind, pemOf(current, old))
				s.publish(validatingKind, pemOf(current, old))
				s.clock.Step(10 * time.Second)
			},
			want: accepted,
		},
		"one webhook of many without the CA is enough to refuse": {
			story: func(s *stage) {
				s.serve(7 * day)
				old, current := s.rotate()
				s.publish(mutatingKind, pemOf(current, old), pemOf(old))
				s.clock.Step(time.Hour)
			},
			want: refused, says: "not in every caBundle of MutatingWebhookConfiguration/certwire",
		},
		"one configuration without the CA is enough to refuse": {
			story: func(s *stage) {
				s.serve(7 * day)
				old, current := s.rotate()
				s.publish(mutatingKind, pemOf(current, old))
				s.publish(validatingKind, pemOf(old))
				s.clock.Step(time.Hour)
			},
			want: refused, says: "not in every caBundle of ValidatingWebhookConfiguration/certwire",
		},
		"a CA that was taken out and put back waits anew": {
			story: func(s *stage) {
				s.serve(7 * day)
				s.publish(mutatingKind, pemOf(s.authority.ca))
				s.clock.Step(time.Hour)
				s.publish(mutatingKind, nil)
				s.publish(mutatingKind, pemOf(s.authority.ca))
			},
			want: refused, says: "for less than 10s",
		},
		"another change of the configuration does not start the wait anew": {
			story: func(s *stage) {
				s.serve(7 * day)
				s.publish(mutatingKind, pemOf(s.authority.ca))
				s.clock.Step(time.Hour)
				s.publish(mutatingKind, pemOf(s.authority.ca), pemOf(s.authority.ca))
			},
			want: accepted,
		},
		"a configuration that was deleted holds nothing up": {
			story: func(s *stage) {
				s.serve(7 * day)
				s.publish(mutatingKind, nil)
				s.published.forget(configuration{kind: mutatingKind, name: "certwire"})
			},
			want: accepted,
		},
		"an old leaf that is about to end gives way to one that cannot be verified yet": {
			story: func(s *stage) {
				s.serve(7 * day)
				old, _ := s.rotate()
				s.publish(mutatingKind, pemOf(old))
				s.clock.Step(7*day - time.Hour)
			},
			want: accepted,
		},
		"an old leaf with more than an hour left does not": {
			story: func(s *stage) {
				s.serve(7 * day)
				old, _ := s.rotate()
				s.publish(mutatingKind, pemOf(old))
				s.clock.Step(7*day - time.Hour - time.Second)
			},
			want: refused, says: "not in every caBundle",
		},
		"of a short life, the last tenth counts": {
			story: func(s *stage) {
				s.serve(10 * time.Minute)
				old, _ := s.rotate()
				s.publish(mutatingKind, pemOf(old))
				s.clock.Step(9*time.Minute - time.Second)
			},
			want: refused, says: "not in every caBundle",
		},
		"while the configurations have not been read, nothing replaces what is served": {
			story: func(s *stage) {
				s.serve(7 * day)
				s.published.synced = func() bool { return false }
			},
			want: refused, says: "have not been read",
		},
		"what the authority cannot sign is not signed": {
			story: func(s *stage) { s.authority.err = errors.New("no CA") },
			want:  refused, says: "no CA",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			tc.story(s)
			leaf, err := s.gate.Sign(&x509.Certificate{})
			if got := err == nil; got != tc.want {
				t.Fatalf("accepted: %t, want %t (%v)", got, tc.want, err)
			}
			if err == nil && leaf == nil {
				t.Error("neither a leaf nor an error")
			}
			if err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("the refusal says %q, want %q in it", err, tc.says)
			}
		})
	}
}

func TestGateLogsEachReasonOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.serve(7 * day)
	old, current := s.rotate()
	s.publish(mutatingKind, pemOf(old))
	for range 5 {
		s.clock.Step(time.Second)
		_, _ = s.gate.Sign(&x509.Certificate{})
	}
	s.publish(mutatingKind, pemOf(current, old))
	for range 15 {
		s.clock.Step(time.Second)
		if _, err := s.gate.Sign(&x509.Certificate{}); err == nil {
			break
		}
	}
	held := "New serving certificate held back, the old one stays"
	if got, want := strings.Join(s.logged, "\n"), strings.Join([]string{held, held, "New serving certificate"}, "\n"); got != want {
		t.Errorf("logged:\n%s\nwant:\n%s", got, want)
	}
}

// messages is a log sink that keeps the messages alone.
type messages struct{ lines *[]string }

func (m *messages) Init(logr.RuntimeInfo)                   {}
func (m *messages) Enabled(int) bool                        { return true }
func (m *messages) Info(_ int, message string, _ ...any)    { *m.lines = append(*m.lines, message) }
func (m *messages) Error(_ error, message string, _ ...any) { *m.lines = append(*m.lines, message) }
func (m *messages) WithValues(...any) logr.LogSink          { return m }
func (m *messages) WithName(string) logr.LogSink            { return m }
