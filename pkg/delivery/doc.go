// Package delivery takes each renewal of a Certificate to the wire, and tells how far it has come: it pokes the pods that
// use the Secret, lets those that restart in place do so in turns, dials every one of them, has workloads rolled out that stay
// behind where that is allowed, and writes what it saw into a CertificateDelivery.
//
// What is decided is in files without a client, a clock or a context: assess.go and explain.go (state, cause and message),
// targets.go (what to dial of a pod), roll.go (which pod may restart next), escalate.go (which workload may be rolled out, and
// which needs nobody), words.go (the annotation's value), replica.go (what is kept of a pod), and package front (who serves for
// others). The rest carries it out: controller.go, run.go and reconcile.go first, then look.go, poke.go, turns.go, pdb.go
// (PodDisruptionBudgets), rollout.go, record.go, metrics.go; front_*.go watches who serves for others and looks at them;
// lanes.go and silence.go keep those who do not answer from holding up others.
//
// It may touch the inventory, probe, the pure rooms and client-go. One replica runs it, the leader; everything follows
// from the caches and the stored status, so another one goes on where it stopped. It dials addresses of pods and nothing
// else, and asks each but for names that are its own to serve. It reads no Secret, unless it is told to look for copies of
// them (the files mirror*.go); then what it keeps of one is what package mirror says.
//
// Start reading at [Assess], then at [Controller.Run].
package delivery
