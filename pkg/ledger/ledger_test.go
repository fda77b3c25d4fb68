package ledger

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

func TestTheSixthOfASetIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testLimits())
	l, _ := w.replica()
	for i := range 5 {
		if !w.issue(l, w.order("web", "shop.example.com", "www.shop.example.com")) {
			t.Fatalf("number %d was refused", i+1)
		}
		w.pass(time.Minute)
	}
	o := w.order("web", "WWW.shop.example.com", "shop.example.com")
	b := l.Assess(o)
	if b.Allowed || b.Bucket.Limit != acme.CertificatesPerSet || b.Bucket.Used != 5 || b.Bucket.Count != 5 {
		t.Fatalf("number 6: %+v", b)
	}
	// Five spends, a minute apart: the bucket holds 5 and gets one back every 33h36m, counted from the first.
	if want := noon.Add(33*time.Hour + 36*time.Minute); !b.Bucket.Next.Equal(want) {
		t.Errorf("next at %s, want %s", b.Bucket.Next, want)
	}
	if len(b.Consumers) != 1 || b.Consumers[0].Name != "shop/web" || b.Consumers[0].Orders != 5 {
		t.Errorf("consumers %+v", b.Consumers)
	}
	if fresh, err := l.Reserve(t.Context(), o, true); err != nil || fresh.Allowed {
		t.Errorf("the place was given away: %+v, %v", fresh, err)
	}
	w.stored(l)
	if e := w.budget("example.com"); e.limit(acme.CertificatesPerDomain).Used(w.clock(), e.state.tat) != 1 {
		t.Error("the renewals of a set count against the domain")
	}
	w.pass(b.Bucket.Next.Sub(w.clock()))
	if !w.issue(l, o) {
		t.Error("refused at the time that was promised")
	}
}

func TestAReplicaThatStartsLaterKnowsAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testLimits())
	first, kill := w.replica()
	var seen []Seen
	for range 5 {
		o := w.order("web", "shop.example.com")
		w.issue(first, o)
		seen = append(seen, Seen{Order: o, Stage: Issued, Taken: true, IssuedAt: w.clock()})
		w.pass(time.Minute)
	}
	w.stored(first)
	kill()
	second, _ := w.replica()
	for _, s := range seen {
		second.Changed(s) // its watch shows it everything again
		second.Changed(s)
	}
	w.stored(second)
	e := w.budget("example.com")
	if used := e.limit(acme.CertificatesPerSet).Used(w.clock(), e.state.sets[keyOfSet(seen[0].Set)].tat); used != 5 || len(e.recent) != 5 {
		t.Errorf("used %d, recent %d", used, len(e.recent))
	}
}

func TestTwoReplicasGiveNothingAwayTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testLimits())
	one, _ := w.replica()
	other, _ := w.replica()
	var let sync.Map
	var all sync.WaitGroup
	for i := range 40 {
		l := []*Ledger{one, other}[i%2]
		o := w.order("web", "shop.example.com")
		all.Go(func() {
			for {
				b, err := l.Reserve(t.Context(), o, true)
				if err != nil {
					continue // cert-manager would try again, too
				}
				if b.Allowed {
					let.Store(o.UID, o)
				}
				return
			}
		})
	}
	all.Wait()
	n := 0
	let.Range(func(any, any) bool { n++; return true })
	if n != 5 {
		t.Errorf("%d orders were let through, want 5", n)
	}
}

func TestARandomLifeWithKillsIsCountedExactly(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	w := newWorld(t, testLimits())
	l, kill := w.replica()
	var seen []Seen
	issued := 0
	for range 60 {
		w.pass(time.Duration(random.Int64N(int64(8 * time.Hour))))
		o := w.order("web", "shop.example.com")
		if b, err := l.Reserve(t.Context(), o, true); err == nil && b.Allowed {
			issued++
			s := Seen{Order: o, Stage: Issued, Taken: true, IssuedAt: w.clock()}
			seen = append(seen, s)
			l.Changed(s)
		}
		if random.IntN(3) == 0 {
			kill() // before or after it was stored
			l, kill = w.replica()
			for _, s := range seen {
				l.Changed(s)
			}
		}
	}
	w.stored(l)
	e := w.budget("example.com")
	// What a single limiter says that saw the same issuances.
	var tat time.Time
	limit := testLimits().CertificatesPerSet
	for _, s := range seen {
		tat = spend(limit, s.IssuedAt, tat)
	}
	if got := e.state.sets[keyOfSet(seen[0].Set)].tat; !got.Equal(tat) {
		t.Errorf("after %d issuances the bucket is full at %s, want %s", issued, got, tat)
	}
	if len(e.state.inFlight) != 0 {
		t.Errorf("%d orders are still in flight", len(e.state.inFlight))
	}
}

func TestWhatCannotBeStoredCountsAllTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testLimits())
	l, _ := w.replica()
	w.setAway(errors.New("the API server is away"))
	for range 5 { // orders that the gate did not see
		o := w.order("web", "shop.example.com")
		l.Changed(Seen{Order: o, Stage: Issued, Taken: true, IssuedAt: w.clock()})
		w.pass(time.Second)
	}
	if b := l.Assess(w.order("web", "shop.example.com")); b.Allowed {
		t.Error("orders that are not stored yet do not count")
	}
	if _, err := l.Reserve(t.Context(), w.order("api", "api.example.com"), true); err == nil {
		t.Error("a place was given away that could not be stored")
	}
	w.pass(10 * time.Second)
	if l.Lag() < 10*time.Second {
		t.Errorf("the lag is %s", l.Lag())
	}
	w.setAway(nil)
	w.stored(l)
	if e := w.budget("example.com"); len(e.recent) != 5 {
		t.Errorf("%d orders are stored", len(e.recent))
	}
	if l.Lag() != 0 {
		t.Errorf("the lag is %s with everything stored", l.Lag())
	}
}

func TestAPlaceComesBack(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		then func(*world, *Ledger, Order)
		want int64 // used or in flight of the set's bucket
	}{
		"when the CA refuses the order": {func(_ *world, l *Ledger, o Order) {
			l.Changed(Seen{Order: o, Stage: Failed, Reason: "429"})
		}, 0},
		"when the order is deleted before its names are proven": {func(_ *world, l *Ledger, o Order) {
			l.Changed(Seen{Order: o, Stage: Pending, Taken: true, Deleted: true})
		}, 0},
		"but not when it is deleted while it is being issued": {func(_ *world, l *Ledger, o Order) {
			l.Changed(Seen{Order: o, Stage: Finalizing, Taken: true, Deleted: true})
		}, 1},
		"when the order never appears": {func(w *world, l *Ledger, _ Order) {
			w.pass(2 * time.Minute)
			l.maintain(t.Context())
		}, 0},
		"but not while it exists": {func(w *world, l *Ledger, o Order) {
			w.mu.Lock()
			w.orders[o.UID] = true
			w.mu.Unlock()
			w.pass(2 * time.Minute)
			l.maintain(t.Context())
		}, 1},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testLimits())
			l, _ := w.replica()
			w.pass(time.Second)
			o := w.order("web", "shop.example.com")
			if b, err := l.Reserve(t.Context(), o, true); err != nil || !b.Allowed {
				t.Fatal(b, err)
			}
			w.stored(l)
			c.then(w, l, o)
			b := l.Assess(w.order("web", "shop.example.com"))
			if got := b.Bucket.Used + b.Bucket.InFlight; got != c.want && b.Bucket.Limit == acme.CertificatesPerSet {
				t.Errorf("%d used or in flight, want %d (%+v)", got, c.want, b.Bucket)
			}
		})
	}
}

func TestAnOrderFromBeforeEverybodyDiedCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testLimits())
	first, kill := w.replica()
	w.pass(time.Second)
	o := w.order("web", "shop.example.com")
	if b, err := first.Reserve(t.Context(), o, true); err != nil || !b.Allowed {
		t.Fatal(b, err)
	}
	kill()
	w.pass(time.Minute) // the order is issued and deleted meanwhile
	second, _ := w.replica()
	w.pass(3 * time.Minute)
	second.maintain(t.Context())
	second.maintain(t.Context())
	w.stored(second)
	e := w.budget("example.com")
	if used := e.limit(acme.CertificatesPerSet).Used(w.clock(), e.state.sets[keyOfSet(o.Set)].tat); used != 1 || len(e.state.inFlight) != 0 {
		t.Errorf("used %d, in flight %d", used, len(e.state.inFlight))
	}
}

func TestACorruptBudgetIsRebuilt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testLimits())
	l, kill := w.replica()
	o := w.order("web", "shop.example.com")
	w.issue(l, o)
	w.stored(l)
	kill()
	name := subject{ca: w.ca, domain: "example.com"}.name()
	var b v1alpha1.IssuanceBudget
	if err := w.client.Get(t.Context(), client.ObjectKey{Name: name}, &b); err != nil {
		t.Fatal(err)
	}
	b.Status.State = []byte("edited by hand")
	if err := w.client.Status().Update(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	second, _ := w.replica()
	told := make(chan error, 8)
	second.Corrupt = func(_ *v1alpha1.IssuanceBudget, err error) { told <- err }
	second.Reseed = func() { second.Changed(Seen{Order: o, Stage: Issued, Taken: true, IssuedAt: o.Created}) }
	if b := second.Assess(w.order("web", "shop.example.com")); !b.Known || !b.Allowed {
		t.Errorf("a corrupt budget blocks: %+v", b)
	}
	second.maintain(t.Context())
	w.stored(second)
	if err := <-told; !errors.Is(err, errCorrupt) {
		t.Error(err)
	}
	e := w.budget("example.com")
	if e.corrupt != nil || len(e.state.counted) != 1 {
		t.Errorf("not rebuilt: %v, %d counted", e.corrupt, len(e.state.counted))
	}
	if err := w.client.Get(t.Context(), client.ObjectKey{Name: name}, &b); err != nil {
		t.Fatal(err)
	}
	if c := b.Status.Conditions; len(c) != 1 || c[0].Reason != "Rebuilt" {
		t.Errorf("conditions %+v", c)
	}
}

func TestWhatTheCASaysIsLearned(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		text, limit string
		in, want    time.Duration
	}{
		"of a domain":     {`too many certificates (50) already issued for "example.com" in the last 168h0m0s, retry after %s: see https://letsencrypt.org/docs/rate-limits/`, "certificates-per-domain", 3 * time.Hour, 3 * time.Hour},
		"of a set":        {`too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after %s: see x`, "certificates-per-set", 20 * time.Hour, 20 * time.Hour},
		"of an account":   {`too many new orders (300) from this account in the last 3h0m0s, retry after %s: see x`, "new-orders", 30 * time.Second, 30 * time.Second},
		"of failed names": {`too many failed authorizations (5) for "shop.example.com" in the last 1h0m0s, retry after %s: see x`, "failed-authorizations", 10 * time.Minute, 10 * time.Minute},
		"but not what no bucket can say": {`too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after %s: see x`, "certificates-per-set",
			100 * 365 * 24 * time.Hour, 33*time.Hour + 36*time.Minute + time.Duration(noon.Nanosecond())},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testLimits())
			l, _ := w.replica()
			second := noon.Truncate(time.Second)
			reason := fmt.Sprintf(c.text, second.Add(c.in).Format("2006-01-02 15:04:05 MST"))
			l.Changed(Seen{Order: w.order("web", "shop.example.com"), Stage: Failed, Reason: "Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: " + reason})
			w.stored(l)
			b := l.Assess(w.order("web", "shop.example.com"))
			if b.Allowed || string(b.Bucket.Limit) != c.limit || !b.Bucket.Next.Equal(second.Add(c.want)) {
				t.Errorf("%+v, want %s until %s", b, c.limit, second.Add(c.want))
			}
		})
	}
}

func TestWhatPeopleWriteDoesNoHarm(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 63) + "." + strings.Repeat("b.", 120) + "example.com"
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprintf("a%d.example.com", i)
	}
	for sentence, c := range map[string]struct {
		certificate string
		names       []string
		metered     bool
	}{
		"a Certificate's name that cannot be one": {strings.Repeat("x", 4000), []string{"shop.example.com"}, true},
		"a name that is too long":                 {"web", []string{long}, false},
		"more names than a CA takes":              {"web", many, false},
		"names that are none":                     {"web", []string{"", " ", "\x00", "-", "*."}, true},
		"no names":                                {"web", nil, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testLimits())
			l, _ := w.replica()
			o := w.order(c.certificate, c.names...)
			if b := l.Assess(o); b.Known != c.metered {
				t.Errorf("known %v", b.Known)
			}
			l.Changed(Seen{Order: o, Stage: Issued, Taken: true, IssuedAt: w.clock()})
			w.stored(l)
			var list v1alpha1.IssuanceBudgetList
			if err := w.client.List(t.Context(), &list); err != nil {
				t.Fatal(err)
			}
			for _, b := range list.Items {
				for _, r := range b.Status.Recent {
					if len(r.Certificate) > 253 || len(r.Names) > 600 {
						t.Errorf("stored %+v", r)
					}
				}
			}
		})
	}
}

func TestWhatTheAPIServerNeverTakesIsGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testLimits())
	l, _ := w.replica()
	lost := make(chan string, 8)
	l.Lost = func(budget string, _ error) { lost <- budget }
	w.setAway(apierrors.NewInvalid(schema.GroupKind{Group: "certwire.dev", Kind: "IssuanceBudget"}, "x", nil))
	l.Changed(Seen{Order: w.order("web", "shop.example.com"), Stage: Issued, IssuedAt: w.clock()})
	if got, want := <-lost, (subject{ca: w.ca, domain: "example.com"}).name(); got != want {
		t.Errorf("lost %q, want %q", got, want)
	}
	w.setAway(nil)
	if b, err := l.Reserve(t.Context(), w.order("api", "api.example.com"), true); err != nil || !b.Allowed {
		t.Errorf("what was given up is in the way of others: %+v, %v", b, err)
	}
}

func TestOldOrdersCountFromTheirOwnTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testLimits())
	l, _ := w.replica()
	for i := range 60 {
		o := w.order("web", fmt.Sprintf("a%d.example.com", i))
		o.Created = noon.Add(-40 * 24 * time.Hour)
		l.Changed(Seen{Order: o, Stage: Issued, Taken: true})
	}
	w.stored(l)
	if b := l.Assess(w.order("web", "new.example.com")); !b.Allowed || b.Bucket.Used != 0 {
		t.Errorf("%+v", b)
	}
	if b := l.Assess(w.order("web", "a7.example.com")); !b.Allowed {
		t.Errorf("a renewal: %+v", b)
	}
	if e := w.budget("example.com"); len(e.state.sets) != 60 || len(e.state.counted) != 0 {
		t.Errorf("%d sets, %d counted", len(e.state.sets), len(e.state.counted))
	}
}

func TestABudgetNeverOutgrowsAnObject(t *testing.T) {
	t.Parallel()
	s := newState()
	for i := range 60_000 {
		at := noon.Add(time.Duration(i) * time.Second)
		var k setKey
		binary.BigEndian.PutUint32(k[:], uint32(i))
		var u uidKey
		binary.BigEndian.PutUint32(u[:], uint32(i))
		s.sets[k], s.counted[u], s.inFlight[u] = set{tat: at, issued: at}, at, flight{since: at}
		if i < 3000 {
			s.failed[fmt.Sprintf("%d-%s", i, strings.Repeat("x", 240))] = at
		}
	}
	s.bound()
	if n := len(base64.StdEncoding.EncodeToString(s.encode())); n > 1_400_000 {
		t.Errorf("%d characters", n)
	}
	var last setKey
	binary.BigEndian.PutUint32(last[:], 59_999)
	if _, ok := s.sets[last]; !ok || len(s.sets) != maxSets || len(s.counted) != maxCounted || len(s.inFlight) != maxInFlight || len(s.failed) != maxFailed {
		t.Errorf("%d sets, %d counted, %d in flight, %d failed", len(s.sets), len(s.counted), len(s.inFlight), len(s.failed))
	}
}

func TestAnotherAttemptTakesOverThePlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testLimits())
	l, _ := w.replica()
	for range 12 { // each fails after the gate, as with a name that is still being deleted
		o := w.order("web", "shop.example.com")
		o.Name = "web-1-7"
		if b, err := l.Reserve(t.Context(), o, true); err != nil || !b.Allowed {
			t.Fatalf("%+v, %v", b, err)
		}
	}
	w.stored(l)
	if n := len(w.budget("example.com").state.inFlight); n != 1 {
		t.Errorf("%d places are held by one name", n)
	}
}

func TestAnOrderThatStaysPendingKeepsNoPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testLimits())
	l, _ := w.replica()
	w.pass(time.Second)
	for i := range 50 {
		o := w.order("stuck", fmt.Sprintf("s%d.example.com", i))
		w.orders[o.UID] = true
		if b, err := l.Reserve(t.Context(), o, true); err != nil || !b.Allowed {
			t.Fatal(b, err)
		}
	}
	w.stored(l)
	if b := l.Assess(w.order("web", "shop.example.com")); b.Allowed {
		t.Error("places in flight do not count")
	}
	w.pass(waitsAtMost + time.Second)
	if b := l.Assess(w.order("web", "shop.example.com")); !b.Allowed {
		t.Errorf("orders that nobody proves keep others waiting: %+v", b)
	}
	l.maintain(t.Context())
	w.stored(l)
	if n := len(l.entry(subject{ca: w.ca, domain: "example.com"}).state.inFlight); n != 0 {
		t.Errorf("%d are still in flight", n)
	}
}

func TestOwnersSettings(t *testing.T) {
	t.Parallel()
	set := func(spec string) func(*world) {
		return func(w *world) {
			s := subject{ca: w.ca, domain: "example.com"}
			b := &v1alpha1.IssuanceBudget{}
			b.Name, b.Spec.CA, b.Spec.Domain = s.name(), testCA, "example.com"
			if err := w.client.Create(w.t.Context(), b); err != nil {
				w.t.Fatal(err)
			}
			if err := w.client.Patch(w.t.Context(), b, client.RawPatch(types.MergePatchType, []byte(`{"spec":`+spec+`}`))); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	for sentence, c := range map[string]struct {
		prepare func(*world)
		sets    int // different sets under one domain that are let through
		same    int // the same set
	}{
		"without any, the CA's limits hold":            {func(*world) {}, 50, 5},
		"a granted limit replaces the domain's":        {set(`{"limit":{"count":60,"period":"168h"}}`), 60, 5},
		"a share divides the domain's and not the set": {set(`{"share":20}`), 10, 5},
		"a share leaves at least one":                  {set(`{"share":1}`), 1, 5},
		"a reserve is kept from both":                  {set(`{"reserve":2}`), 48, 3},
		"a reserve never keeps all of a set's":         {set(`{"reserve":30}`), 20, 1},
		"a reserve never keeps all of a domain's":      {set(`{"reserve":100}`), 1, 1},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			for what, want := range map[string]int{"sets": c.sets, "same": c.same} {
				w := newWorld(t, testLimits())
				c.prepare(w)
				l, _ := w.replica()
				got := 0
				for i := range 70 {
					name := "shop.example.com"
					if what == "sets" {
						name = string(rune('a'+i%26)) + string(rune('a'+i/26)) + ".example.com"
					}
					if !w.issue(l, w.order("web", name)) {
						break
					}
					got++
				}
				if got != want {
					t.Errorf("%s: %d let through, want %d", what, got, want)
				}
			}
		})
	}
}

func TestADueRenewalYieldsToNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testLimits())
	l, _ := w.replica()
	for i := range 50 { // the domain is used up by others
		name := string(rune('a'+i%26)) + string(rune('a'+i/26)) + ".example.com"
		if !w.issue(l, w.order("other", name)) {
			t.Fatal("refused too early")
		}
	}
	if b := l.Assess(w.order("web", "shop.example.com")); b.Allowed {
		t.Fatal("the domain is not used up")
	}
	due := w.order("web", "shop.example.com")
	due.Due = true
	if b, err := l.Reserve(t.Context(), due, true); err != nil || !b.Allowed {
		t.Errorf("a due renewal is refused: %+v, %v", b, err)
	}
	known := w.order("other", "aa.example.com") // issued before, so the CA calls it a renewal
	if b := l.Assess(known); !b.Allowed {
		t.Errorf("a set that was issued before is refused: %+v", b)
	}
}

func TestNothingIsTakenWhenOneBucketRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testLimits())
	l, _ := w.replica()
	for i := range 50 {
		w.issue(l, w.order("other", string(rune('a'+i%26))+string(rune('a'+i/26))+".example.com"))
	}
	w.stored(l)
	o := w.order("web", "shop.example.com", "shop.example.org", "shop.example.net")
	if b, err := l.Reserve(t.Context(), o, true); err != nil || b.Allowed || b.Bucket.Of != "example.com" {
		t.Fatalf("%+v, %v", b, err)
	}
	w.stored(l)
	for _, domain := range []string{"example.net", "example.org"} {
		if n := len(l.entry(subject{ca: w.ca, domain: domain}).state.inFlight); n != 0 {
			t.Errorf("%s: %d in flight", domain, n)
		}
	}
}

func TestAClockThatJumpsBackFreesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testLimits())
	l, _ := w.replica()
	for range 5 {
		w.issue(l, w.order("web", "shop.example.com"))
	}
	w.stored(l)
	for _, back := range []time.Duration{time.Second, time.Hour, 40 * time.Hour, 400 * 24 * time.Hour} {
		w.pass(-back)
		l.maintain(t.Context())
		if b := l.Assess(w.order("web", "shop.example.com")); b.Allowed {
			t.Errorf("%s back frees a token", back)
		}
	}
}

func TestWhatIsFullIsForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testLimits())
	l, _ := w.replica()
	w.issue(l, w.order("web", "shop.example.com"))
	w.stored(l)
	w.pass(8 * 24 * time.Hour)
	l.maintain(t.Context())
	e := w.budget("example.com")
	if len(e.state.counted) != 0 || len(e.state.sets) != 1 || !e.state.tat.IsZero() {
		t.Errorf("after a week: %+v", e.state)
	}
	if b := l.Assess(w.order("web", "shop.example.com")); !b.Allowed || b.Bucket.Used != 0 {
		t.Errorf("after a week: %+v", b)
	}
	w.pass(120 * 24 * time.Hour)
	waitFor(t, "the cache to have the last write", func() bool {
		l.maintain(t.Context())
		var list v1alpha1.IssuanceBudgetList
		if err := w.client.List(t.Context(), &list); err != nil {
			t.Fatal(err)
		}
		return len(list.Items) == 0
	})
}

// TestAFullBudgetThatStillKnowsOrdersStays: were it removed, the Orders that still exist would be counted into a new one.
func TestAFullBudgetThatStillKnowsOrdersStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testLimits())
	l, _ := w.replica()
	reseeds := make(chan struct{}, 8)
	l.Reseed = func() { reseeds <- struct{}{} }
	o := w.order("web", "shop.example.com")
	w.issue(l, o)
	w.stored(l)
	account := subject{ca: w.ca, account: o.Account}
	w.pass(10 * time.Minute) // the account's one order came back after 36 s
	l.maintain(t.Context())
	w.stored(l)
	if e := w.entryOf(account); len(e.state.counted) != 1 {
		t.Errorf("counted %d, want 1", len(e.state.counted))
	}
	if len(reseeds) != 0 {
		t.Error("every Order is counted again")
	}
	w.pass(8 * 24 * time.Hour)
	waitFor(t, "the account's budget to be removed", func() bool {
		l.maintain(t.Context())
		var b v1alpha1.IssuanceBudget
		return apierrors.IsNotFound(w.client.Get(t.Context(), client.ObjectKey{Name: account.name()}, &b))
	})
}

func TestAFailedNameWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testLimits())
	l, _ := w.replica()
	for i, uid := range []string{"a", "b", "c", "d", "e", "e", "a"} {
		if b := l.Assess(w.order("web", "shop.example.com")); !b.Allowed {
			t.Errorf("refused after %d challenges", i)
			break
		}
		l.FailedAuthorization(w.ca, "https://ca.test/acct/1", "shop.example.com", uid, w.clock())
		if i == 4 {
			break
		}
	}
	b := l.Assess(w.order("web", "shop.example.com"))
	if b.Allowed || b.Bucket.Limit != acme.FailedAuthorizations || b.Bucket.Of != "shop.example.com" {
		t.Errorf("%+v", b)
	}
	if other := l.Assess(w.order("api", "api.example.com")); !other.Allowed {
		t.Errorf("another name waits, too: %+v", other)
	}
}

func TestAPlaceThatADeadReplicaTookIsTheNextTrys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testLimits())
	l, kill := w.replica()
	for range 4 {
		w.issue(l, w.order("web", "shop.example.com"))
	}
	w.stored(l)
	try := func() Order { // cert-manager names it alike each time
		o := w.order("web", "shop.example.com")
		o.Name = "web-5-1304156986"
		return o
	}
	if b, err := l.Reserve(t.Context(), try(), true); err != nil || !b.Allowed {
		t.Fatalf("number 5: %+v, %v", b, err)
	}
	kill() // before it could answer: the Order is never created

	l, _ = w.replica()
	if b := l.Assess(w.order("web", "shop.example.com")); b.Allowed || b.Bucket.InFlight != 1 {
		t.Errorf("somebody else is let through into the place: %+v", b)
	}
	again := try()
	if b := l.Assess(again); !b.Allowed {
		t.Errorf("its own place stands in the way: %+v", b)
	}
	if !w.issue(l, again) {
		t.Fatal("its own place stands in the way of the freshest state")
	}
	w.stored(l)
	if e := w.budget("example.com"); len(e.state.inFlight) != 0 || len(e.state.counted) != 5 {
		t.Errorf("%d in flight, %d counted", len(e.state.inFlight), len(e.state.counted))
	}
	if w.issue(l, try()) {
		t.Error("number 6 is let through")
	}
}
