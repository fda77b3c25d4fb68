package ledger

import (
	"cmp"
	"slices"
	"time"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

// Level is how full one bucket is.
type Level struct {
	CA, Subject string
	Limit       acme.LimitName
	Remaining   int64
	// Next is when one more is possible; zero while it is possible now.
	Next time.Time
}

// maxLevels bounds the budgets that are told of: those used up most.
const maxLevels = 100

// Levels returns, for each of the budgets that are used up most, at most 100, its fullest bucket of each limit.
func (l *Ledger) Levels() []Level {
	informer := l.informer.Load()
	if informer == nil || !l.synced.Load() {
		return nil
	}
	var used []*v1alpha1.IssuanceBudget
	for _, o := range (*informer).GetIndexer().List() {
		if b, ok := o.(*v1alpha1.IssuanceBudget); ok && b.Status.Used > 0 {
			used = append(used, b)
		}
	}
	slices.SortFunc(used, func(a, b *v1alpha1.IssuanceBudget) int {
		if c := cmp.Compare(b.Status.Used*max(1, a.Status.Limit), a.Status.Used*max(1, b.Status.Limit)); c != 0 {
			return c
		}
		return cmp.Compare(a.Name, b.Name)
	})
	now := l.Now()
	var out []Level
	for _, b := range used[:min(len(used), maxLevels)] {
		service, ok := l.Directories().Service("https://" + b.Spec.CA)
		s := subject{ca: service, domain: b.Spec.Domain, account: b.Spec.Account}
		if !ok || s.name() != b.Name {
			continue
		}
		e := l.entry(s)
		seen := map[string]bool{}
		for _, bucket := range e.buckets(now) {
			if seen[bucket.Limit] {
				continue
			}
			seen[bucket.Limit] = true
			level := Level{CA: b.Spec.CA, Subject: b.Spec.Domain + b.Spec.Account, Limit: acme.LimitName(bucket.Limit), Remaining: bucket.Count - bucket.Used}
			if next, err := time.Parse("2006-01-02 15:04 MST", bucket.Next); err == nil {
				level.Next = next
			}
			out = append(out, level)
		}
	}
	return out
}
