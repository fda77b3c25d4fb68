// Package delivery takes each renewal of a Certificate to the wire, and tells how far it has come: it pokes the pods that
// use the Secret, lets those that restart in place do so one after the other, dials every one of them, and writes what it
// saw into a CertificateDelivery.
//
// What is decided is in files without a client, a clock or a context: assess.go (state and cause from what was seen),
// targets.go (what to dial of a pod), roll.go (which pod may restart next), words.go (the annotation's value), replica.go
// (what is kept of a pod). The rest carries it out: controller.go, run.go and reconcile.go first, then look.go, poke.go,
// record.go, metrics.go.
//
// It may touch the inventory, probe, the pure rooms and client-go. One replica runs it, the leader; everything follows
// from the caches and the stored status, so another one goes on where it stopped. It dials addresses of pods and nothing
// else, and reads no Secret.
//
// Start reading at [Assess], then at [Controller.Run].
package delivery
