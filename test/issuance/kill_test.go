package issuance

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	apiutil "github.com/cert-manager/cert-manager/pkg/api/util"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/test/harness"
)

var seed = flag.Uint64("seed", 0, "seed of the test that kills replicas at random; 0 for one from the clock")

const (
	// perSet is the limit of a set of names at the production server.
	perSet = 5
	// loops is how many Certificates lose their Secret again and again, fresh how many are made once.
	loops, fresh = 6, 6
)

// looping is one Certificate whose Secret is deleted whenever it is there, until its order is refused.
type looping struct {
	name    string
	names   []string
	deleted types.UID // the Secret that was deleted last
	ended   bool
}

// bucket is the key of its set's bucket in what chaos compares.
func (l *looping) bucket() string {
	return string(acme.CertificatesPerSet) + " " + strings.Join(l.names, " ")
}

// inFlight is the key of the orders that are under way.
const inFlight = "in flight"

// mostKills is how many replicas are killed at most.
const mostKills = 30

// chaos issues in loops, and kills replicas meanwhile.
type chaos struct {
	ns, domain string
	random     *rand.Rand
	certs      []*looping
	toApply    []*looping

	nextKill     time.Time
	kills, blind int
}

// This test changes the replicas that all others use, so it does not run beside them.

func TestNoOrderIsLostOrCountedTwiceWhenReplicasAreKilled(t *testing.T) {
	c := newChaos(t)
	defer c.explain(t)
	within(t, 6*time.Minute, "every loop is stopped", func() bool {
		// While replicas die all the time, nobody leads: a request for which none answered then waits for cert-manager's own
		// pause, which grows to minutes. So the killing ends.
		if c.kills < mostKills {
			c.disturb(t)
		}
		return c.drive(t)
	})
	t.Logf("%d replicas were killed, %d times the last one", c.kills, c.blind)
	c.restore(t)

	restored := time.Now()
	places := int64(0)
	eventually(t, "the ledger has counted what the CA has", func() bool {
		stored := c.stored(t)
		places = stored[inFlight]
		delete(stored, inFlight)
		return maps.Equal(stored, c.counted(t))
	})
	t.Logf("%s after the replicas were back the ledger had %v", time.Since(restored).Round(time.Millisecond), c.stored(t))

	// A replica that dies between taking an order's place and answering leaves the place behind, and nobody can tell
	// that from an order which was placed and deleted while nobody looked. It is given back after the grace time or,
	// when all who could have seen it are dead, counted as an order. That takes minutes, beside other tests.
	t.Logf("%d places were left behind", places)
	if places == 0 {
		return
	}
	t.Parallel()
	within(t, 5*time.Minute, "no place is left behind", func() bool { return c.stored(t)[inFlight] == 0 })
	t.Logf("it took %s until none was", time.Since(restored).Round(time.Second))
	excess := int64(0)
	eventually(t, "the ledger and the CA are as far apart as places were lost", func() bool {
		stored, counted := c.stored(t), c.counted(t)
		excess = 0
		for _, l := range c.certs {
			more := stored[l.bucket()] - counted[l.bucket()]
			if excess += more; more < 0 {
				return false
			}
		}
		return stored[inFlight] == 0 && excess <= places
	})
	t.Logf("%d were counted that the CA knows nothing of", excess)
}

func newChaos(t *testing.T) *chaos {
	t.Helper()
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed=%d", s)
	c := &chaos{random: rand.New(rand.NewPCG(s, 0)), nextKill: time.Now()}
	c.ns, c.domain = guarded(t)
	for i := range loops + fresh {
		l := &looping{name: fmt.Sprintf("web-%d", i)}
		for _, host := range []string{"a", "b", "c"}[:1+i%3] { // no set is a part of another
			l.names = append(l.names, fmt.Sprintf("%s-%d.%s", host, i, c.domain))
		}
		c.certs = append(c.certs, l)
	}
	c.toApply = slices.Clone(c.certs)
	return c
}

// drive makes one step with every Certificate. It is true once all loops have been refused, for what is used or for what is
// under way, and everything else is issued.
func (c *chaos) drive(t *testing.T) bool {
	t.Helper()
	if len(c.toApply) > 0 && (len(c.toApply) > fresh || c.random.IntN(10) == 0) {
		l := c.toApply[0]
		if _, err := apply(t, c.ns, certificate(l.name, productionIssuer, l.names...)); err == nil {
			c.toApply = c.toApply[1:]
		}
	}
	refused := map[string]bool{}
	for _, r := range list(t, c.ns, &cmapi.CertificateRequestList{}).Items {
		for _, condition := range r.Status.Conditions {
			if strings.Contains(condition.Message, "#budget") {
				refused[r.Annotations[cmapi.CertificateNameKey]] = true
			}
		}
	}
	secrets := map[string]types.UID{}
	for _, s := range list(t, c.ns, &corev1.SecretList{}).Items {
		secrets[s.Name] = s.UID
	}
	settled := map[string]bool{} // before that, cert-manager writes the same certificate again and orders nothing
	for _, x := range list(t, c.ns, &cmapi.CertificateList{}).Items {
		has := func(kind cmapi.CertificateConditionType) bool {
			return apiutil.CertificateHasCondition(&x, cmapi.CertificateCondition{Type: kind, Status: cmmeta.ConditionTrue})
		}
		settled[x.Name] = has(cmapi.CertificateConditionReady) && !has(cmapi.CertificateConditionIssuing)
	}
	done := len(c.toApply) == 0
	for i, l := range c.certs {
		secret := secrets[l.name+"-tls"]
		switch {
		case l.ended:
		case i >= loops:
			l.ended = secret != ""
		case refused[l.name] && secret == "":
			l.ended = true
		case settled[l.name] && secret != "" && secret != l.deleted:
			l.deleted = secret
			if err := objects.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: l.name + "-tls"}}); client.IgnoreNotFound(err) != nil {
				t.Fatal(err)
			}
		}
		done = done && l.ended
	}
	return done
}

// disturb kills a replica now and then, as the system's out-of-memory killer does, and starts another one in its place.
// One time in eight it does not care whether another one is ready.
func (c *chaos) disturb(t *testing.T) {
	t.Helper()
	if time.Now().Before(c.nextKill) {
		return
	}
	c.nextKill = time.Now().Add(time.Duration(200+c.random.IntN(2800)) * time.Millisecond)
	victims := []*harness.Replica{certwire.Replicas[c.random.IntN(len(certwire.Replicas))]}
	others := 0
	for _, r := range certwire.Replicas {
		if r != victims[0] && r.Ready(t.Context()) {
			others++
		}
	}
	switch {
	case c.random.IntN(8) == 0:
		victims = slices.Clone(certwire.Replicas)
		c.blind++
	case others == 0:
		return
	}
	for _, r := range victims {
		r.Kill()
		certwire.Service.Remove(r)
		certwire.Replicas = slices.DeleteFunc(certwire.Replicas, func(other *harness.Replica) bool { return other == r })
		c.kills++
	}
	for range victims {
		if _, err := certwire.Scale(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// restore waits until everything is ready again.
func (c *chaos) restore(t *testing.T) {
	t.Helper()
	if err := certwire.Service.WaitReady(t.Context(), len(certwire.Replicas)); err != nil {
		t.Fatal(err)
	}
}

// stored is what the ledger says: how much each bucket has used, how many orders of each set it lists, and what is under
// way.
func (c *chaos) stored(t *testing.T) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	b, err := budgetOf(t.Context(), c.domain)
	if err != nil {
		t.Fatal(err)
	}
	if b == nil {
		b = &v1alpha1.IssuanceBudget{}
	}
	for _, bucket := range b.Status.Fullest {
		out[bucket.Limit+" "+bucket.Of] = bucket.Used
	}
	for _, r := range b.Status.Recent {
		out["listed "+r.Names]++
	}
	out[inFlight] = int64(b.Status.InFlight)
	return out
}

// counted is the same from the CA's own count, but for what is under way.
func (c *chaos) counted(t *testing.T) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	for _, l := range c.certs {
		n := int64(certManager.Issued(production, l.names...))
		out[l.bucket()] = n
		out["listed "+strings.Join(l.names, " ")] = n
		out[string(acme.CertificatesPerDomain)+" "+c.domain]++
	}
	return out
}

// explain says, after a failure, how far each Certificate has come.
func (c *chaos) explain(t *testing.T) {
	t.Helper()
	if !t.Failed() {
		return
	}
	for _, l := range c.certs {
		t.Logf("%s: the CA took %d orders and issued %d, ended %t", l.name, certManager.Orders(production, l.names...), certManager.Issued(production, l.names...), l.ended)
	}
	t.Logf("%d were killed; the ledger has %v", c.kills, c.stored(t))
	for _, kinds := range []string{"certificates", "certificaterequests", "orders"} {
		t.Log("\n" + kubectl(t, "get", kinds, "-n", c.ns, "-o", "wide"))
	}
}
