package diagnose

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"

	"github.com/certwire/certwire/pkg/policy"
)

// stuck is a Certificate whose objects all say the same text, at a given state.
func stuck(text string, state acmeapi.State, presented, dns bool) Facts {
	began := now.Add(-time.Hour)
	kind := acmeapi.ACMEChallengeTypeHTTP01
	if dns {
		kind = acmeapi.ACMEChallengeTypeDNS01
	}
	f := Facts{
		Now:         now,
		Certificate: Certificate{Namespace: "shop", Name: "web", Secret: "web-tls", Created: began, Issuing: Condition{True: true, Since: began, Message: clean(text, maxKept)}, Key: true},
		Issuer:      Issuer{Ref: policy.NewIssuerRef("le", "ClusterIssuer", ""), Found: true, Ready: true, ACME: true, Solvers: []policy.Solver{{HTTP01: true, DNS01: true}}},
		Request:     &Request{Name: "web-1", Created: began, Approved: Condition{True: true}, Ready: Condition{False: true, Reason: "Pending", Message: clean(text, maxKept)}},
		Order:       &Order{Name: "web-1-1", Request: "web-1", Created: began, State: acmeapi.Pending, Placed: true, Known: true, Names: []string{"www.example.com"}, Reason: clean(text, maxKept)},
		Challenges: []*Challenge{{
			Namespace: "shop", Name: "web-1-1-1", Order: "web-1-1", Created: began, Domain: "www.example.com", Identifier: "www.example.com", Type: kind,
			State: state, Processing: true, Presented: presented, Reason: clean(text, maxKept),
		}},
	}
	if failedState(state) {
		f.Order.State = state
	}
	return f
}

// sound fails the test unless a diagnosis can be shown: lines that are bounded, printable, and say what to do.
func sound(t *testing.T, d Diagnosis) {
	t.Helper()
	if _, ok := About(d.Cause); !ok {
		t.Fatalf("there is no cause %q", d.Cause)
	}
	for _, line := range []string{d.Message, d.Next, d.Text()} {
		if line == "" || len(line) > maxMessage || !utf8.ValidString(line) || strings.IndexFunc(line, unicode.IsControl) >= 0 {
			t.Fatalf("%s: a line of %d bytes: %q", d.Cause, len(line), line)
		}
	}
	if !strings.HasSuffix(d.Text(), "; "+d.Next) && len(d.Next) <= maxMessage/2 {
		t.Fatalf("%s: what helps was cut off: %q", d.Cause, d.Text())
	}
}

var fuzzStates = []acmeapi.State{acmeapi.Pending, acmeapi.Invalid, acmeapi.Errored, acmeapi.Expired, acmeapi.Unknown}

func FuzzReasons(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*/in.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range seeds {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			if _, reason, ok := strings.Cut(line, "  reason: '"); ok {
				f.Add(strings.TrimSuffix(reason, "'"), uint8(0), true, false)
				f.Add(strings.TrimSuffix(reason, "'"), uint8(1), true, false)
			}
		}
	}
	f.Add("Waiting for HTTP-01 challenge propagation: "+strings.Repeat("\u20ac\x00\n", 5000), uint8(0), true, true)
	f.Add("\xff\xfe\u202eurn:ietf:params:acme:error:caa", uint8(2), false, true)
	f.Fuzz(func(t *testing.T, text string, state uint8, presented, dns bool) {
		facts := stuck(text, fuzzStates[int(state)%len(fuzzStates)], presented, dns)
		d, _ := Diagnose(facts)
		if d.Cause == "" {
			t.Fatal("an hour of nothing is not told")
		}
		sound(t, d)
		later := facts
		later.Now = later.Now.Add(time.Second)
		if again, _ := Diagnose(later); again.Text() != d.Text() {
			t.Fatalf("it changes by itself:\n%s\n%s", d.Text(), again.Text())
		}
		facts.Request.Refusal = clean(text, maxMessage)
		if d, _ := Diagnose(facts); d.Cause != "" {
			sound(t, d)
		}
	})
}

func TestEveryGoldenCaseCanBeShown(t *testing.T) {
	t.Parallel()
	cases, err := filepath.Glob("testdata/*/in.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range cases {
		f := read(t, path).Facts(now)
		d, again := Diagnose(f)
		if d.Cause != "" {
			sound(t, d)
		}
		if !again.IsZero() && !again.After(now) {
			t.Errorf("%s: looks again at %s, which is over", path, again)
		}
		if d.Cause == "" && !again.IsZero() { // the grace ends
			f.Now = again
			if d, _ := Diagnose(f); d.Cause == "" {
				t.Errorf("%s: nothing is said when the time has come", path)
			}
		}
	}
}

func TestATextThatChangesAtEveryTryDoesNot(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{
		{"read tcp 10.0.0.1:4001->10.0.0.2:80: read: connection reset by peer", "read tcp 10.0.0.1:4002->10.0.0.2:80: read: connection reset by peer"},
		{"lookup x on 10.96.0.10:53: read udp 10.0.0.1:1->10.96.0.10:53: i/o timeout", "lookup x on 10.96.0.10:53: read udp 10.0.0.1:2->10.96.0.10:53: i/o timeout"},
		{"Waiting 1m2.3s before accepting HTTP-01 challenge", "Waiting 5s before accepting HTTP-01 challenge"},
	} {
		if a, b := clean(pair[0], maxKept), clean(pair[1], maxKept); a != b {
			t.Errorf("%q and %q", a, b)
		}
	}
}

func TestWhatMayNotBeReadIsNotConcludedFrom(t *testing.T) {
	t.Parallel()
	for sentence, change := range map[string]func(*Facts){
		"the issuer":      func(f *Facts) { f.Hidden.Issuer, f.Issuer.Found, f.Challenges = true, false, nil },
		"the requests":    func(f *Facts) { f.Hidden.Requests, f.Request, f.Order, f.Challenges = true, nil, nil, nil },
		"the Orders":      func(f *Facts) { f.Hidden.Orders, f.Order, f.Challenges = true, nil, nil },
		"the Challenges":  func(f *Facts) { f.Hidden.Challenges, f.Challenges = true, nil },
		"the other ones":  func(f *Facts) { f.Hidden.Certificates = true; f.Now = f.Certificate.Created },
		"an unseen class": func(f *Facts) { f.Challenges[0].Class, f.Challenges[0].Reason = "nginx", "" },
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			f := stuck("", acmeapi.Pending, true, false)
			change(&f)
			if d, _ := Diagnose(f); d.Cause != "" && d.Cause != NoProgress {
				t.Errorf("%s: %s", d.Cause, d.Message)
			}
			if d, _ := Diagnose(f); d.Cause == NoProgress && f.Hidden != (Hidden{}) && f.Hidden != (Hidden{Issuer: true}) {
				t.Errorf("%s: %s", d.Cause, d.Message)
			}
		})
	}
}

func TestBackoffGrowsAsCertManagersDoes(t *testing.T) {
	t.Parallel()
	for failures, want := range map[int]time.Duration{
		-1: time.Hour, 0: time.Hour, 1: time.Hour, 2: 2 * time.Hour, 3: 4 * time.Hour, 5: 16 * time.Hour, 6: 32 * time.Hour, 7: 32 * time.Hour, 1 << 40: 32 * time.Hour,
	} {
		f := Facts{Certificate: Certificate{Failed: now, Failures: failures}}
		if got := f.retry().Sub(now); got != want {
			t.Errorf("%d failures: %s, want %s", failures, got, want)
		}
	}
}

func TestTheNewestRequestOfTheNextRevision(t *testing.T) {
	t.Parallel()
	at := func(name string, revision int64, age time.Duration) *Request {
		return &Request{Name: name, Revision: revision, Created: now.Add(-age)}
	}
	all := []*Request{at("old", 3, 0), at("first", 4, time.Hour), at("last", 4, time.Minute), at("mine", 0, 2*time.Hour)}
	if got := Newest(3, all); got == nil || got.Name != "last" {
		t.Errorf("%+v", got)
	}
	if got := Newest(3, all[:1]); got != nil {
		t.Errorf("one that is done: %+v", got)
	}
}
