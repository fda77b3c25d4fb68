// Package process starts the cluster's components and ends them: never by name,
// always by a process id whose executable and start time were recorded, so that a
// reused id cannot hit somebody else's process. It reads /proc, so it is for Linux.
// Start at [Start], and at [Identity] for processes that a crashed run left.
package process
