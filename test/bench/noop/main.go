// Command noop is the floor that certwire is held against: controller-runtime's webhook server with a handler that allows
// everything, and beside it one that answers with the same patch to everything. It prints a line with its address and its CA, serves until standard input is closed, and then prints how
// often it was called.
package main

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync/atomic"

	"github.com/go-logr/logr"
	"gomodules.xyz/jsonpatch/v2"
	"k8s.io/client-go/util/cert"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// constant is what certwire would add to the benchmark's Deployment, its status aside.
var constant = jsonpatch.NewOperation("add", "/metadata/annotations/secret.reloader.stakater.com~1reload", "bench-tls")

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "noop:", err)
		os.Exit(1)
	}
}

// run takes host:port as its only argument.
func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want one argument, the address to serve on, got %d", len(args))
	}
	host, text, err := net.SplitHostPort(args[0])
	if err != nil {
		return fmt.Errorf("reading the address: %w", err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("reading the port: %w", err)
	}
	ctrl.SetLogger(logr.Discard())
	ca, key, err := cert.GenerateSelfSignedCertKey("localhost", []net.IP{net.ParseIP(host)}, nil)
	if err != nil {
		return fmt.Errorf("making a certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(ca, key)
	if err != nil {
		return fmt.Errorf("reading the certificate: %w", err)
	}
	server := webhook.NewServer(webhook.Options{Host: host, Port: port, TLSOpts: []func(*tls.Config){func(c *tls.Config) {
		c.NextProtos = []string{"http/1.1"} // as certwire, and as the API server speaks to Services
		c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }
	}}})
	var calls atomic.Int64
	answer := func(r func() admission.Response) *admission.Webhook {
		return &admission.Webhook{Handler: admission.HandlerFunc(func(context.Context, admission.Request) admission.Response {
			calls.Add(1)
			return r()
		})}
	}
	server.Register("/noop", answer(func() admission.Response { return admission.Allowed("") }))
	server.Register("/constant", answer(func() admission.Response { return admission.Patched("", constant) }))
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		fmt.Println(calls.Load())
		stop()
	}()
	fmt.Println("https://"+args[0], base64.StdEncoding.EncodeToString(ca))
	return server.Start(ctx)
}
