package harness

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Service stands in for what a node would do: it asks every replica's /readyz, as the kubelet does, and gives new
// connections to the ready ones in turn, as EndpointSlices and kube-proxy do. Connections that are open stay where
// they are. Bytes pass through untouched, so TLS is between the API server and the replica.
type Service struct {
	listener net.Listener
	cancel   context.CancelFunc

	mu       sync.Mutex
	replicas map[*Replica]bool // whether it is ready
	order    []*Replica
	next     int
}

// probeEvery is quicker than the manifests' two seconds, to keep tests short.
const probeEvery = 200 * time.Millisecond

// StartService listens on a free port: of loopback, or of all addresses for a cluster elsewhere (CERTWIRE_TEST_HOST).
func StartService(ctx context.Context) (*Service, error) {
	address := "127.0.0.1:0"
	if os.Getenv("CERTWIRE_TEST_HOST") != "" {
		address = ":0"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("starting the service: %w", err)
	}
	s := &Service{listener: l, replicas: map[*Replica]bool{}}
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go s.accept(ctx)
	go s.probe(ctx)
	return s, nil
}

// URL is what webhook configurations point at.
func (s *Service) URL() string {
	address, ok := s.listener.Addr().(*net.TCPAddr)
	if !ok {
		return ""
	}
	return "https://" + net.JoinHostPort(Host(), strconv.Itoa(address.Port))
}

// Add gives the service a replica.
func (s *Service) Add(r *Replica) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replicas[r] = false
	s.order = append(s.order, r)
}

// Remove forgets a replica that has ended.
func (s *Service) Remove(r *Replica) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.replicas, r)
	s.order = slices.DeleteFunc(s.order, func(other *Replica) bool { return other == r })
}

// WaitReady waits until this many replicas are ready for the service, for as long as [Patience].
func (s *Service) WaitReady(ctx context.Context, count int) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	tick := time.NewTicker(probeEvery / 4)
	defer tick.Stop()
	for s.ready() < count {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %d ready replicas: %w", count, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// Stop closes the port.
func (s *Service) Stop() {
	s.cancel()
	_ = s.listener.Close()
}

func (s *Service) ready() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, ready := range s.replicas {
		if ready {
			n++
		}
	}
	return n
}

func (s *Service) probe(ctx context.Context) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s.mu.Lock()
		replicas := append([]*Replica(nil), s.order...)
		s.mu.Unlock()
		for _, r := range replicas {
			ready := r.Ready(ctx)
			s.mu.Lock()
			if _, ok := s.replicas[r]; ok {
				s.replicas[r] = ready
			}
			s.mu.Unlock()
		}
	}
}

func (s *Service) accept(ctx context.Context) {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		go s.forward(ctx, conn)
	}
}

func (s *Service) pick() *Replica {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range s.order {
		r := s.order[s.next%len(s.order)]
		s.next++
		if s.replicas[r] {
			return r
		}
	}
	return nil
}

// forward copies both ways. Without a ready replica the connection is refused, as a Service without endpoints does.
func (s *Service) forward(ctx context.Context, from net.Conn) {
	defer from.Close()
	r := s.pick()
	if r == nil {
		return
	}
	var d net.Dialer
	to, err := d.DialContext(ctx, "tcp", r.Address)
	if err != nil {
		return
	}
	defer to.Close()
	done := make(chan struct{}, 2)
	pipe := func(dst, src net.Conn) {
		_, _ = io.Copy(dst, src)
		if half, ok := dst.(*net.TCPConn); ok {
			_ = half.CloseWrite() // the other direction may still have something to say
		}
		done <- struct{}{}
	}
	go pipe(to, from)
	go pipe(from, to)
	for range 2 {
		select {
		case <-done:
		case <-ctx.Done():
			return
		}
	}
}
