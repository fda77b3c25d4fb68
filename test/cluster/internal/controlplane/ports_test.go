package controlplane

import (
	"net"
	"slices"
	"strconv"
	"testing"
)

func TestFreePorts(t *testing.T) {
	t.Parallel()
	const n = 20
	ports, err := freePorts(loopback, n)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(ports)
	if different := slices.Compact(slices.Clone(ports)); len(different) != n {
		t.Fatalf("got %d different ports, want %d: %v", len(different), n, ports)
	}
	for _, port := range ports {
		listener, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
		if err != nil {
			t.Errorf("port %d is not free: %v", port, err)
			continue
		}
		_ = listener.Close()
	}
}
