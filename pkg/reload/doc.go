// Package reload is the agent's engine: it watches the volumes that hold certificates, has the server take up what is
// new, and looks at the wire whether it did.
//
// It lives in a sidecar, next to a server that must never suffer from it. So [Engine.Run] does not fail: what it cannot
// do it says once, in a log line and in its [Status], and it goes on watching. It acts on a change of the certificate
// files alone, never on the first sight of them, and catches up on what it missed while it was not running. Everything
// is bounded: reads, answers, waits, attempts.
//
// It may touch package probe, and fsnotify; the text of annotations is read by package spec. Clock and randomness are
// parameters.
//
// Start reading at [Engine.Run]; the methods are in act_*.go, what is read from the volume in pair.go, the permit in
// permit.go.
package reload
