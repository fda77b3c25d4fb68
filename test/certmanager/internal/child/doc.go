// Package child runs a process that cannot outlive this one. Start at [Start].
package child
