// Package cgroup makes a cgroup in every hierarchy of the machine, version 1 or 2,
// and removes it with all that is in it. A node's containers and their shims are
// in its cgroup and cannot leave it, so the kernel itself keeps the list of what a
// killed run has left. Start at [Create].
package cgroup
