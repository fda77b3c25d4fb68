package main

import (
	"math/rand/v2"
	"slices"
	"time"
)

// quantile is the nearest rank of sorted samples.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// timing is the quantiles of one pair.
type timing struct{ p50, p99 time.Duration }

func timingOf(s []time.Duration) timing {
	sorted := slices.Sorted(slices.Values(s))
	return timing{quantile(sorted, 0.50), quantile(sorted, 0.99)}
}

// minus is what it takes more than a floor.
func (t timing) minus(floor timing) timing { return timing{t.p50 - floor.p50, t.p99 - floor.p99} }

func ratio(a, b time.Duration) float64 {
	if b <= 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// interval is where 95 in 100 of the ratios of added medians lie when the samples are drawn again from themselves.
func interval(of, noop, floor []time.Duration) (low, high float64) {
	const draws = 400
	ratios := make([]float64, 0, draws)
	scratch := make([]time.Duration, max(len(of), len(noop), len(floor)))
	median := func(s []time.Duration) time.Duration {
		drawn := scratch[:len(s)]
		for i := range drawn {
			drawn[i] = s[rand.IntN(len(s))]
		}
		slices.Sort(drawn)
		return quantile(drawn, 0.5)
	}
	for range draws {
		f := median(floor)
		ratios = append(ratios, ratio(median(of)-f, median(noop)-f))
	}
	slices.Sort(ratios)
	return ratios[draws/40], ratios[draws-1-draws/40]
}
