package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// options are the command's flags.
type options struct {
	// sequential and concurrent are samples for each contender and object.
	sequential, concurrent int
	workers                int
	// certificates are the steps in which the cluster grows.
	certificates []int
	// crowded is how many Certificates the last step puts into the object's own namespace; 0 leaves it out.
	crowded int
	memory  bool
	full    bool
	idle    time.Duration
	// meter measures the budgets instead; sustain is how long writes are kept up, patience how long storing is waited for.
	meter             bool
	sustain, patience time.Duration
	// agent measures the sidecar instead: renewals is how often each takes one up, rest how long they idle.
	agent    bool
	renewals int
	rest     time.Duration
	// delivery measures deliveries instead: on how many pods, and with how many simulated endpoints; 0 leaves a part out.
	delivery             bool
	deliveryPods         int
	deliveryCertificates int
	// silence is how long one renewal among silent endpoints is waited for.
	silence time.Duration
	// starts is how often a fresh replica is started; the last one's memory counts.
	starts int
}

func parseOptions(args []string, usage io.Writer) (*options, error) {
	o := &options{}
	var quick, noMemory bool
	var steps string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(usage)
	f.BoolVar(&quick, "quick", false, "few samples, up to 1,000 Certificates, no memory unless --memory is given: about two minutes")
	f.BoolVar(&o.full, "full", false, "memory with 10,000 Certificates and 50,000 workloads, too; creating them takes minutes")
	f.BoolVar(&o.meter, "meter", false, "measure the budgets instead: their size, their writes, a cold start; about three minutes, eight with --full")
	f.BoolVar(&o.agent, "agent", false, "measure the agent instead, beside a peer: about three minutes, one with --quick, eight with --full")
	f.BoolVar(&o.delivery, "delivery", false, "measure deliveries instead; needs root: about 20 minutes, 15 with --quick")
	f.IntVar(&o.deliveryPods, "delivery-pods", 100, "with --delivery, how many pods are renewed at once; 0 for none")
	f.IntVar(&o.deliveryCertificates, "delivery-certificates", 10_000, "with --delivery, how many Certificates have a simulated endpoint each; 0 for none")
	f.BoolVar(&o.memory, "memory", false, "measure memory (the default without --quick)")
	f.BoolVar(&noMemory, "no-memory", false, "measure latency alone")
	f.IntVar(&o.sequential, "samples", 300, "samples for each contender and object, one request at a time; 0 for none")
	f.IntVar(&o.concurrent, "concurrent-samples", 480, "the same with --workers requests at a time; 0 for none")
	f.IntVar(&o.workers, "workers", 16, "requests at a time in the concurrent part")
	f.StringVar(&steps, "certificates", "10,1000,10000", "numbers of Certificates in the cluster, ascending")
	f.IntVar(&o.crowded, "crowded", 1000, "at the end, this many Certificates in the object's own namespace; 0 for none")
	f.IntVar(&o.starts, "starts", 3, "how often a fresh replica is started to see how long it takes until it is ready")
	f.DurationVar(&o.idle, "idle", 30*time.Second, "how long a replica idles before its memory is read again")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if quick {
		for name, set := range map[string]func(){
			"samples":            func() { o.sequential = 100 },
			"concurrent-samples": func() { o.concurrent = 192 },
			"certificates":       func() { steps = "10,1000" },
			"crowded":            func() { o.crowded = 0 },

			"delivery-pods":         func() { o.deliveryPods = 20 },
			"delivery-certificates": func() { o.deliveryCertificates = 500 },
		} {
			if !given[name] {
				set()
			}
		}
	}
	o.sustain, o.patience = 5*time.Second, 45*time.Second
	if o.full {
		o.sustain, o.patience = 10*time.Second, 4*time.Minute
	}
	o.renewals, o.rest, o.silence = 20, 30*time.Second, 5*time.Minute
	switch {
	case o.full:
		o.renewals, o.rest = 50, 90*time.Second
	case quick:
		o.renewals, o.rest, o.silence = 5, 10*time.Second, time.Minute
	}
	o.memory = (o.memory || !quick || o.full) && !noMemory
	for text := range strings.SplitSeq(steps, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 || (len(o.certificates) > 0 && n <= o.certificates[len(o.certificates)-1]) {
			return nil, fmt.Errorf("--certificates must be positive numbers in ascending order, got %q", steps)
		}
		o.certificates = append(o.certificates, n)
	}
	if f.NArg() > 0 || o.sequential < 0 || o.concurrent < 0 || o.workers < 1 || o.starts < 1 || o.crowded < 0 ||
		o.deliveryPods < 0 || o.deliveryPods > maxPods || o.deliveryCertificates < 0 || o.deliveryCertificates > maxEndpoints {
		return nil, errors.New("there are only flags, and no number is negative or beyond what there is room for; see --help")
	}
	return o, nil
}
