package ledger

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/policy"
)

// maxFullest bounds the list of buckets that people read.
const maxFullest = 20

// healthy is the condition that says whether the stored state could be read.
const healthy = "Healthy"

// status is what is written: the state, and what people read of it at this moment.
func (e *entry) status(now time.Time, before v1alpha1.IssuanceBudgetStatus) v1alpha1.IssuanceBudgetStatus {
	out := v1alpha1.IssuanceBudgetStatus{
		Subject: e.domain, State: e.state.encode(), Recent: e.recent, Conditions: slices.Clone(before.Conditions),
		InFlight: int32(min(len(e.state.inFlight), 1<<30)), Sets: int32(min(len(e.state.sets), 1<<30)),
	}
	if e.account != "" {
		out.Subject = "account " + e.account[strings.LastIndexByte(e.account, '/')+1:]
	}
	buckets := e.buckets(now)
	if len(buckets) > 0 {
		b := buckets[0]
		out.Bucket, out.Used, out.Limit, out.Next = b.Limit, b.Used, b.Count, b.Next
		out.Fullest = buckets[:min(len(buckets), maxFullest)]
	}
	if top := e.top(now); top != "" {
		out.TopConsumer = top
	}
	if e.corrupt != nil {
		setHealth(&out.Conditions, metav1.ConditionFalse, "Rebuilt", "What was stored could not be read ("+e.corrupt.Error()+
			") and was rebuilt from the Orders that cert-manager still has; orders of deleted Certificates are missing.", now)
	} else if len(out.Conditions) == 0 || e.recovered(out.Conditions[0], now) {
		setHealth(&out.Conditions, metav1.ConditionTrue, "Counted", "Every order that certwire saw is counted.", now)
	}
	return out
}

// recovered is true when everything that a rebuilt budget may be missing would have been forgotten by now.
func (e *entry) recovered(c metav1.Condition, now time.Time) bool {
	return c.Status == metav1.ConditionFalse && now.Sub(c.LastTransitionTime.Time) > e.memory()
}

func setHealth(conditions *[]metav1.Condition, status metav1.ConditionStatus, reason, message string, now time.Time) {
	c := metav1.Condition{
		Type: healthy, Status: status, Reason: reason, Message: message, LastTransitionTime: metav1.NewTime(now.Truncate(time.Second)),
	}
	for i, have := range *conditions {
		if have.Type == healthy {
			if have.Status == status && have.Reason == reason {
				c.LastTransitionTime = have.LastTransitionTime
			}
			(*conditions)[i] = c
			return
		}
	}
	*conditions = append(*conditions, c)
}

// buckets lists the buckets that are not full, the one used up most first; the domain's or account's own is always
// there.
func (e *entry) buckets(now time.Time) []v1alpha1.Bucket {
	own := e.limit(e.own())
	var out []v1alpha1.Bucket
	if own.Enabled() {
		of := e.domain
		if e.account != "" {
			of = e.account
		}
		out = append(out, bucket(now, e.own(), of, own, e.state.tat))
	}
	if limit := e.limit(acme.CertificatesPerSet); limit.Enabled() && e.account == "" {
		names := map[string]string{}
		for _, r := range e.recent {
			names[r.Set] = r.Names
		}
		for key, s := range e.state.sets {
			if !s.tat.After(now) {
				continue
			}
			of := names[key.String()]
			if of == "" {
				of = "set " + key.String()
			}
			out = append(out, bucket(now, acme.CertificatesPerSet, of, limit, s.tat))
		}
	}
	if limit := e.limit(acme.FailedAuthorizations); limit.Enabled() {
		for identifier, tat := range e.state.failed {
			if tat.After(now) {
				out = append(out, bucket(now, acme.FailedAuthorizations, identifier, limit, tat))
			}
		}
	}
	slices.SortStableFunc(out, func(a, b v1alpha1.Bucket) int {
		if c := cmp.Compare(b.Used*a.Count, a.Used*b.Count); c != 0 {
			return c
		}
		return strings.Compare(a.Limit+a.Of, b.Limit+b.Of)
	})
	return out
}

func bucket(now time.Time, name acme.LimitName, of string, l acme.Limit, tat time.Time) v1alpha1.Bucket {
	b := v1alpha1.Bucket{Limit: string(name), Of: of, Used: l.Used(now, tat), Count: l.Burst}
	if next := l.NextSlot(tat, 1); next.After(now) {
		b.Next = policy.ToTheMinute(next)
	}
	return b
}

// top names who ordered most of what is recent.
func (e *entry) top(now time.Time) string {
	period := e.limit(e.own()).BurstOffset()
	orders := map[string]int{}
	for _, r := range e.recent {
		if now.Sub(r.Time.Time) < period {
			orders[(&Order{Namespace: r.Namespace, Certificate: r.Certificate}).consumer()]++
		}
	}
	if ranked := rank(orders); len(ranked) > 0 {
		return fmt.Sprintf("%s (%d)", ranked[0].Name, ranked[0].Orders)
	}
	return ""
}

// sameView is true when a write would change nothing that anybody reads.
func sameView(a, b v1alpha1.IssuanceBudgetStatus) bool {
	return sameHeadline(a, b) && a.TopConsumer == b.TopConsumer && a.InFlight == b.InFlight && a.Sets == b.Sets &&
		slices.Equal(a.Fullest, b.Fullest) && slices.Equal(a.State, b.State)
}

// sameHeadline is true when the columns that tell of the fullest bucket are the same.
func sameHeadline(a, b v1alpha1.IssuanceBudgetStatus) bool {
	return a.Bucket == b.Bucket && a.Used == b.Used && a.Limit == b.Limit && a.Next == b.Next
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
