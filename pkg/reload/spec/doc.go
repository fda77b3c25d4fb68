// Package spec reads how a server takes up a new certificate: the values of the annotations certwire.dev/method, preset,
// http, socket, signal, process and verify, and the presets of known servers.
//
// The room is pure, text in, values out: no file, no network, no clock, no logger. The webhook reads a pod template's
// annotations with it to warn of a wrong value and to plan; the agent reads the same text to act. So both understand it
// the same way. Errors name the annotation, the value, and what is allowed. Everything here is safe for concurrent use.
//
// Start reading at [Parse]; the known servers are in presets.go.
package spec
