// Command agent is the sidecar that certwire injects: it has the server next to it take up a renewed certificate, and
// shows that it is served.
//
// It is a static binary without a Kubernetes client, and needs no API token: what it must know is in its configuration,
// and what it is allowed to do in a downward API file. It never takes the pod down. A configuration that it cannot use
// it logs once, and then waits for its end, since a sidecar that exits is started again and again.
//
// This folder holds wiring, nothing else. Start reading at run.go.
package main
