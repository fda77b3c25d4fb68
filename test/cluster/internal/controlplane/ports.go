package controlplane

import (
	"fmt"
	"net"
)

// freePorts returns n different TCP ports of host, an address of this machine, that
// nothing listens on. All are held until the last one is found: otherwise the kernel may
// hand out one port twice.
func freePorts(host string, n int) ([]int, error) {
	var ports []int
	for range n {
		listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		defer func() { _ = listener.Close() }()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
