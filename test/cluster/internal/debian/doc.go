// Package debian installs the Debian packages that a node needs, if they are
// missing, without letting a service start. Start at [Ensure].
package debian
