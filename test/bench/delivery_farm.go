package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/certwire/certwire/test/pki"
)

// farmed are the simulated endpoints' addresses: those that RFC 2544, appendix C.2.2, has for benchmarks. certwire dials
// no loopback, and these are nobody's. The kernel takes them for its own while a farm is there, and one listener has all
// of them.
var farmed = netip.MustParsePrefix("198.18.0.0/16")

// maxEndpoints is how many addresses there are, without the first.
const maxEndpoints = 1<<16 - 1

// farm is a TLS server at many addresses, each with a certificate of its own. It stands for servers that take up a
// certificate in no time. It may be used concurrently.
type farm struct {
	listener net.Listener
	leaves   []atomic.Pointer[tls.Certificate]
	// speaks is the only endpoint that answers, and -1 while all do.
	speaks atomic.Int64
	// dials counts connections, open those that are, and seen the endpoints that were dialled since the last reset.
	dials, open, seen atomic.Int64
	dialled           []atomic.Bool
}

// newFarm has the kernel take the addresses, which needs root, and listens.
func newFarm(ctx context.Context, size int) (*farm, error) {
	if err := route(ctx, "replace"); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp4", ":0")
	if err != nil {
		return nil, fmt.Errorf("listening for simulated endpoints: %w", err)
	}
	f := &farm{listener: l, leaves: make([]atomic.Pointer[tls.Certificate], size), dialled: make([]atomic.Bool, size)}
	f.speaks.Store(-1)
	go f.accept()
	return f, nil
}

func route(ctx context.Context, verb string) error {
	out, err := exec.CommandContext(ctx, "ip", "route", verb, "local", farmed.String(), "dev", "lo").CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip route %s for simulated endpoints: %w: %s", verb, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// stop ends it, and gives the addresses back.
func (f *farm) stop(ctx context.Context) {
	_ = f.listener.Close()
	_ = route(ctx, "del")
}

// address is an endpoint's, and port that of all.
func (f *farm) address(i int) string {
	four := farmed.Addr().As4()
	four[2], four[3] = byte((i+1)>>8), byte(i+1)
	return netip.AddrFrom4(four).String()
}

func (f *farm) port() int32 {
	if a, ok := f.listener.Addr().(*net.TCPAddr); ok {
		return int32(a.Port)
	}
	return 0
}

// serve gives an endpoint its certificate.
func (f *farm) serve(i int, pair pki.Pair) {
	c := pair.TLS()
	f.leaves[i].Store(&c)
}

// reset begins to count anew which endpoints are dialled.
func (f *farm) reset() {
	for i := range f.dialled {
		f.dialled[i].Store(false)
	}
	f.seen.Store(0)
	f.dials.Store(0)
}

func (f *farm) accept() {
	var serving sync.WaitGroup
	defer serving.Wait()
	for {
		conn, err := f.listener.Accept()
		if err != nil {
			return
		}
		serving.Go(func() {
			defer conn.Close()
			f.answer(conn)
		})
	}
}

func (f *farm) answer(conn net.Conn) {
	local, ok := conn.LocalAddr().(*net.TCPAddr)
	if !ok {
		return
	}
	four := local.AddrPort().Addr().Unmap().As4()
	i := (int(four[2])<<8 | int(four[3])) - 1
	if i < 0 || i >= len(f.leaves) {
		return
	}
	f.dials.Add(1)
	f.open.Add(1)
	defer f.open.Add(-1)
	if !f.dialled[i].Swap(true) {
		f.seen.Add(1)
	}
	if one := f.speaks.Load(); one >= 0 && one != int64(i) {
		_, _ = io.Copy(io.Discard, conn)
		return
	}
	const patience = 10 * time.Second
	_ = conn.SetDeadline(time.Now().Add(patience))
	leaf := f.leaves[i].Load()
	if leaf == nil {
		return
	}
	_ = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{*leaf}, SessionTicketsDisabled: true}).Handshake()
}
