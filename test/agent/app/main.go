package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Where it listens.
const (
	// wireAddress speaks TLS with the certificate that this is all about.
	wireAddress = ":8443"
	// testAddress answers tests, in plain HTTP.
	testAddress = ":8080"
	// adminAddress reloads, for the agent in the same pod.
	adminAddress = "127.0.0.1:9090"
)

const usage = `usage: app serve --from=once|watch|env [--cert FILE] [--key FILE] [--starts FILE] [--fault NAME]
       app start FILE`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 2 && args[0] == "start":
		return noteStart(args[1])
	case len(args) > 0 && args[0] == "serve":
		s := &server{answer: "ok"}
		flags := flag.NewFlagSet("serve", flag.ContinueOnError)
		flags.StringVar(&s.from, "from", "once", "")
		flags.StringVar(&s.cert, "cert", "/tls/tls.crt", "")
		flags.StringVar(&s.key, "key", "/tls/tls.key", "")
		flags.StringVar(&s.starts, "starts", "", "")
		flags.StringVar(&s.wrong, "fault", "", "")
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		return s.run(ctx)
	default:
		return errors.New(usage)
	}
}

// noteStart adds a line to a file: an init container's work.
func noteStart(path string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = file.WriteString("started\n")
	return errors.Join(err, file.Close())
}

// run serves until ctx ends, or until a test ends it.
func (s *server) run(ctx context.Context) error {
	if err := s.load(); err != nil {
		return err
	}
	ctx, s.finish = context.WithCancel(ctx)
	defer s.finish()
	wire := http.NewServeMux()
	wire.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	failed := make(chan error, 3)
	for address, handler := range map[string]http.Handler{wireAddress: wire, testAddress: s.test(), adminAddress: s.admin()} {
		l := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: time.Minute}
		context.AfterFunc(ctx, func() { _ = l.Close() })
		go func() {
			switch {
			case address == wireAddress && s.wrong != "":
				failed <- s.failAt(ctx, address)
			case address == wireAddress:
				l.TLSConfig = &tls.Config{GetCertificate: s.certificate}
				failed <- l.ListenAndServeTLS("", "")
			default:
				failed <- l.ListenAndServe()
			}
		}()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
