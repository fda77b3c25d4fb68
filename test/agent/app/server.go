package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
)

// server is one TLS server. Its handlers may be called concurrently.
type server struct {
	// from is where the certificate comes from: once from the files, from the files at each handshake, or from the
	// environment variables TLS_CRT and TLS_KEY.
	from      string
	cert, key string
	// starts is the file of noteStart.
	starts string
	finish func()
	// wrong is what it does wrong at its TLS port; empty for nothing.
	wrong string

	loaded atomic.Pointer[tls.Certificate]
	asked  atomic.Int64

	lock sync.Mutex
	// answer is how it answers to a reload: ok, refuse or hang.
	answer string
}

// load takes the certificate that is there now.
func (s *server) load() error {
	load := func() (tls.Certificate, error) { return tls.LoadX509KeyPair(s.cert, s.key) }
	if s.from == "env" {
		load = func() (tls.Certificate, error) {
			return tls.X509KeyPair([]byte(os.Getenv("TLS_CRT")), []byte(os.Getenv("TLS_KEY")))
		}
	}
	c, err := load()
	if err != nil {
		return err
	}
	s.loaded.Store(&c)
	return nil
}

func (s *server) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if s.from == "watch" {
		_ = s.load() // what cannot be read leaves the one from before
	}
	return s.loaded.Load(), nil
}

// admin is what an agent talks to.
func (s *server) admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /reload", func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		s.lock.Lock()
		answer := s.answer
		s.lock.Unlock()
		switch answer {
		case "refuse":
			http.Error(w, "the configuration is broken", http.StatusInternalServerError)
		case "hang":
			<-r.Context().Done()
		default:
			if err := s.load(); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		}
	})
	return mux
}

// test is what tests talk to.
func (s *server) test() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /answer/{how}", func(_ http.ResponseWriter, r *http.Request) {
		s.lock.Lock()
		defer s.lock.Unlock()
		s.answer = r.PathValue("how")
	})
	mux.HandleFunc("GET /asked", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, s.asked.Load()) })
	mux.HandleFunc("GET /starts", func(w http.ResponseWriter, _ *http.Request) {
		content, _ := os.ReadFile(s.starts)
		_, _ = fmt.Fprint(w, strings.Count(string(content), "\n"))
	})
	// The serial of what is in the file now, which is what the kubelet has written last.
	mux.HandleFunc("GET /file", func(w http.ResponseWriter, _ *http.Request) {
		pair, err := tls.LoadX509KeyPair(s.cert, s.key)
		if err != nil {
			_, _ = fmt.Fprint(w, err)
			return
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			_, _ = fmt.Fprint(w, err)
			return
		}
		_, _ = fmt.Fprintf(w, "%x", leaf.SerialNumber)
	})
	mux.HandleFunc("POST /finish", func(http.ResponseWriter, *http.Request) { go s.finish() })
	return mux
}
