package main

import (
	"math"
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

// interval is where 95 in 100 of the ratios of added medians lie when the samples are drawn again from themselves, in
// blocks of those that were taken together and share their moment's noise. Infinity means that the no-op's own is lost.
func interval(of, noop, floor []time.Duration, block int) (low, high float64) {
	const draws = 400
	ratios := make([]float64, 0, draws)
	for range draws {
		f := redrawn(floor, block)
		more, less := redrawn(of, block)-f, redrawn(noop, block)-f
		if less <= 0 {
			ratios = append(ratios, math.Inf(1))
			continue
		}
		ratios = append(ratios, ratio(more, less))
	}
	slices.Sort(ratios)
	return ratios[draws/40], ratios[draws-1-draws/40]
}

// redrawn is the median of samples drawn again from themselves.
func redrawn(s []time.Duration, block int) time.Duration {
	drawn := make([]time.Duration, 0, len(s)+block)
	for len(drawn) < len(s) {
		at := rand.IntN((len(s)+block-1)/block) * block
		drawn = append(drawn, s[at:min(at+block, len(s))]...)
	}
	slices.Sort(drawn)
	return quantile(drawn, 0.5)
}
