package reload_test

import (
	"maps"
	"testing"
	"time"

	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/pkg/reload"
	"github.com/certwire/certwire/pkg/reload/spec"
	"github.com/certwire/certwire/test/pki"
)

// BenchmarkSwapToServed measures from the swap of the volume's link to the first handshake that shows the new leaf, as
// somebody else sees it, with the waits that the agent has by default. The servers take up a certificate in no time of
// their own, so this is what the agent adds; self is the floor, a server that looks at its files every 5 ms.
func BenchmarkSwapToServed(b *testing.B) {
	for _, method := range []spec.Method{spec.Self, spec.HTTPMethod, spec.SocketMethod, spec.SignalMethod} {
		for kind, extra := range map[string]settings{"notice": {"poll": "10s"}, "polling": {"poll": "1s", "pollOnly": true}} {
			b.Run(string(method)+"/"+kind, func(b *testing.B) {
				r := newRig(b)
				r.mount.Write(b, r.leaf(1000*time.Hour).Files())
				w := ways[method](b, r.mount.Dir)
				all := maps.Clone(w.settings)
				maps.Copy(all, extra)
				all["debounce"], all["state"] = "100ms", b.TempDir()
				r.start(all)
				r.state(reload.Watching, pki.Pair{})
				age := 999 * time.Hour
				for b.Loop() {
					b.StopTimer()
					next := r.leaf(age)
					age -= time.Minute
					want := probe.FingerprintOf(next.Chain[0].Raw)
					files := next.Files()
					b.StartTimer()
					r.mount.Write(b, files)
					for probe.Dial(b.Context(), probe.Target{Address: "127.0.0.1:" + w.settings["verify"].(string)}).Leaf.Fingerprint != want {
						time.Sleep(time.Millisecond) // the resolution of the measurement
					}
					b.StopTimer()
					r.state(reload.Served, next)
					b.StartTimer()
				}
			})
		}
	}
}

// BenchmarkLook is what the agent does every ten seconds when nothing happens.
func BenchmarkLook(b *testing.B) {
	r := newRig(b)
	leaf := r.leaf(0)
	r.mount.Write(b, leaf.Files())
	c := reload.Certificate{Name: "a", Root: r.mount.Dir, Cert: "tls.crt", Key: "tls.key", CA: "ca.crt"}
	b.ReportAllocs()
	for b.Loop() {
		if err := reload.Look(c); err != nil {
			b.Fatal(err)
		}
	}
}
