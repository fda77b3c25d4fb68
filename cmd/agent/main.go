package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is set at build time (-ldflags "-X main.version=v1.2.3").
var version = "devel"

func main() {
	// The kubelet ends a sidecar with SIGTERM, after the containers that it serves; that is a good end.
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := run(ctx, os.Getenv, os.Stderr)
	cancel()
	os.Exit(code)
}
