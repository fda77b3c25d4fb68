package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// The targets. They are printed beside the numbers and never enforced: a machine has its moods.
const (
	targetUnchanged = 1.0 // times the no-op's added latency, for what needs no change
	targetAnnotated = 1.8 // for what gets the annotation
	targetFlat      = 1.25
)

// added is certwire's added median at one step.
type added struct {
	step         int
	median, noop time.Duration
}

func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.out, format+"\n", args...) }

// conditions prints what the numbers depend on.
func (b *bench) conditions(when string) {
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		load = []byte("unknown")
	}
	b.say("\n%s: %d CPUs, load %s, %s after the start, %s", when, runtime.NumCPU(), strings.TrimSpace(string(load)),
		time.Since(b.started).Round(time.Second), runtime.Version())
}

// table prints one set of samples, which were taken in blocks. Steps below one are not compared with each other.
func (b *bench) table(title string, s samples, block, step int) {
	b.say("\n### %s\n", title)
	row := "| %-23s | %-22s | %8s | %8s | %9s | %9s | %-19s | %9s | %s"
	b.say(row, "object", "contender", "p50 ms", "p99 ms", "+p50 ms", "+p99 ms", "+p50 / no-op (95 %)", "+p99 / no", "")
	b.say("|%s|%s|%s|%s|%s|%s|%s|%s|", dashes(25), dashes(24), dashes(10), dashes(10), dashes(11), dashes(11), dashes(21), dashes(11))
	for _, o := range objects {
		floor := timingOf(s[pair{noWebhook, o}])
		noop := timingOf(s[pair{noopWebhook, o}]).minus(floor)
		for _, c := range contenders {
			if len(s[pair{c, o}]) == 0 {
				continue
			}
			total := timingOf(s[pair{c, o}])
			if c == noWebhook {
				b.say(row, o, c.title(), ms(total.p50), ms(total.p99), "", "", "", "", "")
				continue
			}
			more := total.minus(floor)
			times, tail, verdict := "1", "1", ""
			if c != noopWebhook {
				low, high := interval(s[pair{c, o}], s[pair{noopWebhook, o}], s[pair{noWebhook, o}], block)
				times = fmt.Sprintf("%s (%.2f to %.2f)", ratioText(more.p50, noop.p50), low, high)
				tail = ratioText(more.p99, noop.p99)
				verdict = judge(o, more, noop, low, high)
			}
			switch {
			case c != certwire:
				verdict = "" // the others have no target
			case o == needs && step > 0:
				b.added = append(b.added, added{step, more.p50, noop.p50})
			}
			b.say(row, o, c.title(), ms(total.p50), ms(total.p99), ms(more.p50), ms(more.p99), times, tail, verdict)
		}
	}
}

// judge compares certwire with its target. Low and high bound the ratio of the medians; a target between them is
// neither met nor missed for certain. The p99 of some hundred samples is a hint at best.
func judge(o object, more, noop timing, low, high float64) string {
	target, name := targetUnchanged, "no more than the no-op"
	if o == needs {
		target, name = targetAnnotated, fmt.Sprintf("within %.1fx", targetAnnotated)
	}
	verdict := "target " + name + ": p50 " + met(float64(more.p50) <= target*float64(noop.p50))
	switch {
	case noop.p50 <= 0:
		return "target " + name + ": not told, the no-op's own is lost in noise"
	case low <= target && target <= high:
		verdict += " (within noise)"
	}
	if o != needs {
		verdict += ", p99 " + met(more.p99 <= noop.p99)
	}
	return verdict
}

// ratioText is empty of meaning, and says so, when the no-op's own time is lost in noise.
func ratioText(a, b time.Duration) string {
	if b <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", ratio(a, b))
}

// flat compares the first step with the last.
func (b *bench) flat() {
	if len(b.added) < 2 {
		return
	}
	first, last := b.added[0], b.added[len(b.added)-1]
	grown := ratio(last.median, first.median)
	relative := ratio(last.median, last.noop) / ratio(first.median, first.noop)
	b.say("\ncertwire's added p50 from %d to %d Certificates: %.2fx in milliseconds, %.2fx relative to the no-op; target flat (within %.2fx of it): %s",
		first.step, last.step, grown, relative, targetFlat, met(relative <= targetFlat))
}

func met(yes bool) string {
	if yes {
		return "met"
	}
	return "missed"
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond)) }

func dashes(n int) string { return strings.Repeat("-", n) }
