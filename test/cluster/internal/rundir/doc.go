// Package rundir gives every run a fresh folder and keeps in it what the next run
// needs to clean up after a crash: which processes this one started, and what it
// made on the machine for its pods. The folder of a run that still lives is locked,
// and nobody else touches it. Start at [Create].
package rundir
