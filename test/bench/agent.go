package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/pkg/reload"
	"github.com/certwire/certwire/test/pki"
)

// The agent's floors. They fail the run: a node has many pods, and each pays for its sidecar.
const (
	agentMaxResident = 10.0      // MiB
	agentMaxImage    = 8_000_000 // bytes
)

// agentPoll is how often the agent looks whatever it is told, by default.
const agentPoll = 10 * time.Second

// sidecars is the part of a run that measures the agent and its peer.
type sidecars struct {
	*bench

	stand     *stand
	mount     *pki.Mount
	authority *pki.Authority
	issued    int
	binaries  map[program]string
	// problems are the floors that were missed.
	problems []error
}

// agent measures the agent beside a sidecar that does the nearest thing, on one volume. It needs no cluster.
func (b *bench) agent(ctx context.Context) error {
	s := &sidecars{bench: b, stand: &stand{folder: b.folder}, binaries: map[program]string{}}
	s.mount, s.authority = pki.NewMount(s.stand), pki.NewAuthority(s.stand)
	b.conditions("before")
	for _, part := range []func(context.Context) error{s.sizes, s.atRest, s.renewals} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	b.conditions("after")
	return errors.Join(s.problems...)
}

// floor says whether a floor holds, and keeps it for the exit code when it does not.
func (s *sidecars) floor(what string, value, limit float64, unit string) string {
	if value >= limit {
		s.problems = append(s.problems, fmt.Errorf("%s is %.2f %s, and must be under %g", what, value, unit, limit))
	}
	return met(value < limit)
}

// renew writes the next certificate into the volume, and returns what it is and when that began. The writing itself takes
// a fraction of a millisecond.
func (s *sidecars) renew() (leaf probe.Fingerprint, swapped time.Time) {
	s.issued++
	start := time.Now().Add(-24*time.Hour + time.Duration(s.issued)*time.Minute) // newer each time
	pair := s.authority.Leaf(s.stand, []string{"app.example.com"}, pki.From(start))
	files := pair.Files()
	swapped = time.Now()
	s.mount.Write(s.stand, files)
	return probe.FingerprintOf(pair.Chain[0].Raw), swapped
}

// atRest lets everything idle at once, and reads what that costs.
func (s *sidecars) atRest(ctx context.Context) error {
	s.renew()
	window := s.options.rest
	s.say("\n### At rest, read after %s; CPU is extrapolated from that\n", window)
	type resting struct {
		contender sidecar
		process   *process
		before    time.Duration
	}
	var all []resting
	for _, c := range contendingSidecars() {
		if !c.rests {
			continue
		}
		p, server, err := s.start(ctx, c)
		if err != nil {
			return err
		}
		defer server.stop()
		defer p.kill()
		all = append(all, resting{contender: c, process: p})
	}
	const settling = 3 * time.Second // what a start leaves to do
	if err := pause(ctx, settling); err != nil {
		return err
	}
	began := time.Now()
	for i := range all {
		var err error
		if all[i].before, err = cpuTime(all[i].process.pid()); err != nil {
			return err
		}
	}
	if err := pause(ctx, window); err != nil {
		return err
	}
	row := "| %-15s | %-36s | %9s | %13s | %10s | %s"
	s.say(row, "sidecar", "settings", "VmRSS MiB", "anonymous MiB", "CPU s/hour", "")
	s.say("|%s|%s|%s|%s|%s|", dashes(17), dashes(38), dashes(11), dashes(15), dashes(12))
	for _, r := range all {
		m, err := readMemory(r.process.pid())
		if err != nil {
			return err
		}
		used, err := cpuTime(r.process.pid())
		if err != nil {
			return err
		}
		hourly := (used - r.before).Seconds() / time.Since(began).Hours()
		verdict := ""
		if r.contender.program == agentProgram {
			verdict = fmt.Sprintf("floor under %g MiB: %s", agentMaxResident, s.floor("the resting agent", m.resident, agentMaxResident, "MiB"))
		}
		s.say(row, r.contender.program, r.contender.settings, fmt.Sprintf("%.1f", m.resident), fmt.Sprintf("%.1f", m.anonymous),
			fmt.Sprintf("%.3f", hourly), verdict)
	}
	return nil
}

// renewals measures one sidecar after the other, each alone on the volume.
func (s *sidecars) renewals(ctx context.Context) error {
	s.say("\n### From the swap of the volume to the wire, in milliseconds\n")
	s.say("call: the server is told; served: a handshake shows the new leaf; proven: the sidecar says that it has seen that.\n")
	row := "| %-15s | %-36s | %3s | %8s | %10s | %10s | %10s | %14s | %13s | %s"
	s.say(row, "sidecar", "settings", "n", "call p50", "served p50", "served max", "proven p50", "calls/renewal", "peak VmHWM MiB", "")
	s.say("|%s|%s|%s|%s|%s|%s|%s|%s|%s|", dashes(17), dashes(38), dashes(5), dashes(10), dashes(12), dashes(12), dashes(12), dashes(16), dashes(15))
	for _, c := range contendingSidecars() {
		measure := s.measure
		if c.restarts {
			measure = s.measureRestart
		}
		r, err := measure(ctx, c)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", c.program, c.settings, err)
		}
		verdict := ""
		if c.program == agentProgram {
			verdict = fmt.Sprintf("floor under %g MiB: %s", agentMaxResident, s.floor("the agent's peak, "+c.settings, r.peak, agentMaxResident, "MiB"))
		}
		calls := "-"
		if r.calls > 0 {
			calls = fmt.Sprintf("%.1f", float64(r.calls)/float64(len(r.served)))
		}
		s.say(row, c.program, c.settings, fmt.Sprint(len(r.served)), median(r.call), median(r.served), longest(r.served), median(r.proven),
			calls, fmt.Sprintf("%.1f", r.peak), verdict)
	}
	s.say("\nself is a server that looks at its files every %s; signal looks through all processes, here those of the whole machine;"+
		"\nfor restart, served is the agent's exit with code %d, and proven is from there: the agent's start after that and its look"+
		"\nat the wire.", selfEvery, reload.RestartExitCode)
	return nil
}

// timings are one sidecar's.
type timings struct {
	call, served, proven []time.Duration
	calls                int
	peak                 float64
}

func (s *sidecars) samples(c sidecar) int {
	if c.slow {
		return max(s.options.renewals/5, 2)
	}
	return s.options.renewals
}

func (s *sidecars) measure(ctx context.Context, c sidecar) (timings, error) {
	var r timings
	s.renew()
	p, server, err := s.start(ctx, c)
	if err != nil {
		return r, err
	}
	defer server.stop()
	defer p.kill()
	for i := range s.samples(c) + 1 {
		if err := pause(ctx, c.between()); err != nil {
			return r, err
		}
		if i == 1 {
			server.told.reset() // the first is not counted
		}
		leaf, swapped := s.renew()
		served, err := s.served(ctx, p, server.address, leaf)
		if err != nil {
			return r, err
		}
		var proven time.Time
		if c.proof != "" {
			if proven, err = p.says(ctx, c.proof); err != nil {
				return r, err
			}
		}
		if i == 0 {
			continue
		}
		r.served = append(r.served, served.Sub(swapped))
		if at := server.told.which(leaf); !at.IsZero() {
			r.call = append(r.call, at.Sub(swapped))
		}
		if !proven.IsZero() {
			r.proven = append(r.proven, proven.Sub(swapped))
		}
	}
	if err := pause(ctx, c.between()); err != nil {
		return r, err
	}
	r.calls = server.told.count()
	m, err := readMemory(p.pid())
	r.peak = m.peak
	return r, err
}

// measureRestart measures until the agent asks for the restart by its exit. What the kubelet does then is not here.
func (s *sidecars) measureRestart(ctx context.Context, c sidecar) (timings, error) {
	var r timings
	s.renew()
	p, server, err := s.start(ctx, c)
	if err != nil {
		return r, err
	}
	defer server.stop()
	defer func() { p.kill() }()
	for range s.samples(c) {
		m, err := readMemory(p.pid())
		if err != nil {
			return r, err
		}
		r.peak = max(r.peak, m.peak)
		_, swapped := s.renew()
		code, ended, err := p.wait(ctx)
		if err != nil {
			return r, err
		}
		if code != reload.RestartExitCode {
			return r, fmt.Errorf("it ended with code %d\n%s", code, p.log())
		}
		if err := server.load(); err != nil {
			return r, err
		}
		again := time.Now()
		if p, err = c.launch(ctx, s, server); err != nil {
			return r, err
		}
		proven, err := p.says(ctx, c.proof)
		if err != nil {
			return r, err
		}
		r.served = append(r.served, ended.Sub(swapped))
		r.proven = append(r.proven, proven.Sub(again))
	}
	return r, nil
}

// served waits until a handshake shows a leaf, to the millisecond.
func (s *sidecars) served(ctx context.Context, p *process, address string, leaf probe.Fingerprint) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if probe.Dial(ctx, probe.Target{Address: address}).Leaf.Fingerprint == leaf {
			return time.Now(), nil
		}
		select {
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("the new leaf is not served: %w\n%s", ctx.Err(), p.log())
		case <-tick.C:
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func median(d []time.Duration) string {
	if len(d) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", timingOf(d).p50.Seconds()*1000)
}

func longest(d []time.Duration) string {
	return fmt.Sprintf("%.1f", timingOf(d).p99.Seconds()*1000)
}

// between is the wait before a swap. What looks at intervals is not to be met at the same moment of them each time, and
// what is told of each step of a swap is to be quiet first.
func (c sidecar) between() time.Duration {
	if c.slow {
		return rand.N(agentPoll)
	}
	return c.quiet
}

// stand is what package pki wants of a test, outside of one: a folder, and an end of the run for what cannot fail.
type stand struct {
	testing.TB

	folder string
}

func (s *stand) Helper() {}

func (s *stand) TempDir() string {
	folder, err := os.MkdirTemp(s.folder, "")
	if err != nil {
		s.Fatal(err)
	}
	return folder
}

func (s *stand) Fatal(args ...any) { panic(fmt.Sprint(args...)) }
