// Command kubectl-certwire is the kubectl plugin (kubectl certwire): it tells people what certwire would say and do, with
// their own permissions. This package holds the command line alone; what a command does is in a package of its own under
// internal.
//
// It touches the pure rooms, and asks the API server itself where a command needs one.
package main
