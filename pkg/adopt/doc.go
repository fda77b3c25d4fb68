// Package adopt brings in the workloads that admission could not see: those that were there before the label, the
// Certificate or the webhook. It uses the same plan as admission and writes the same annotations, on the workload's
// metadata alone, so nothing rolls out; and it takes ours away again when the label goes.
//
// It may touch mutate, config and the inventory. One replica runs it, the leader.
//
// Start reading at [Adopter.Run].
package adopt
