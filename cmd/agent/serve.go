package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/certwire/certwire/pkg/reload"
)

// staleAfter is how long the agent may go without a look at its volumes until /healthz says so. A method that a server
// lets hang, and a patient verification, take less.
const staleAfter = 10 * time.Minute

// serve answers /healthz and /metrics until the context ends. It returns when it listens, or why it does not.
func serve(ctx context.Context, address string, engine *reload.Engine) error {
	if err := checkListen(address); err != nil {
		return err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: handler(engine, time.Now), ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10,
	}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() { _ = server.Serve(listener) }() // its error is that it was closed
	return nil
}

func handler(engine *reload.Engine, now func() time.Time) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		writeMetrics(w, engine.Status())
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		status := engine.Status()
		if !status.Looked.IsZero() && now().Sub(status.Looked) > staleAfter {
			w.WriteHeader(http.StatusInternalServerError)
		}
		writeHealth(w, status)
	})
	return mux
}

// writeHealth is for a person: one line for each certificate and each endpoint. A certificate that is not served is
// the server's trouble, not the agent's health.
func writeHealth(w io.Writer, s reload.Status) {
	for _, c := range s.Certificates {
		_, _ = fmt.Fprintf(w, "certificate %s: %s", c.Name, c.State)
		if c.Leaf.Serial != "" {
			_, _ = fmt.Fprintf(w, ", serial %s, until %s", c.Leaf.Serial, c.Leaf.NotAfter.UTC().Format(time.RFC3339))
		}
		if c.Cause != "" {
			_, _ = fmt.Fprintf(w, ": %s", c.Cause)
		}
		_, _ = fmt.Fprintln(w)
	}
	for _, e := range s.Endpoints {
		_, _ = fmt.Fprintf(w, "endpoint %s: %s %s\n", e.Endpoint, e.Match, e.Cause)
	}
}
