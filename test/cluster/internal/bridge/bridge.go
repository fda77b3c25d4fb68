package bridge

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Bridge is one bridge, which exists after Create.
type Bridge struct {
	// Name is the interface's, at most 15 bytes.
	Name string
	// Address is its own, and Subnet the network of the pods.
	Address netip.Addr
	Subnet  netip.Prefix
}

// New picks a subnet for the bridge name. The seed, any two bytes, decides which
// one is tried first, so that two runs that start at once differ.
func New(name string, seed [2]byte) (Bridge, error) {
	used, err := inUse()
	if err != nil {
		return Bridge{}, err
	}
	subnet, err := free(seed, used)
	if err != nil {
		return Bridge{}, err
	}
	return Bridge{Name: name, Address: subnet.Addr().Next(), Subnet: subnet}, nil
}

// Create makes the bridge and brings it up. Its hardware address is set, because
// otherwise the kernel changes it whenever a pod comes or goes.
func (b Bridge) Create(ctx context.Context) error {
	four := b.Address.As4()
	hardware := net.HardwareAddr{0x02, 0xcf, four[0], four[1], four[2], four[3]}
	for _, args := range [][]string{
		{"link", "add", "name", b.Name, "address", hardware.String(), "type", "bridge"},
		{"address", "add", netip.PrefixFrom(b.Address, b.Subnet.Bits()).String(), "dev", b.Name},
		{"link", "set", "dev", b.Name, "up"},
	} {
		if err := ip(ctx, args...); err != nil {
			return fmt.Errorf("creating bridge %s: %w", b.Name, err)
		}
	}
	return nil
}

// Remove removes the bridge called name and what is connected to it. One that is
// not there is no error. The kernel, too, removes a pod's connection when the pod's
// network has ended, but at a time of its own.
func Remove(ctx context.Context, name string) error {
	if !Exists(name) {
		return nil
	}
	ports, err := filepath.Glob(filepath.Join("/sys/class/net", name, "brif", "*"))
	if err != nil {
		return fmt.Errorf("listing what is connected to bridge %s: %w", name, err)
	}
	for _, port := range ports {
		link := filepath.Base(port)
		if err := ip(ctx, "link", "delete", "dev", link); err != nil && Exists(link) {
			return fmt.Errorf("removing what is connected to bridge %s: %w", name, err)
		}
	}
	if err := ip(ctx, "link", "delete", "dev", name, "type", "bridge"); err != nil {
		return fmt.Errorf("removing bridge %s: %w", name, err)
	}
	return nil
}

// Exists reports whether there is a network interface called name.
func Exists(name string) bool {
	_, err := os.Stat(filepath.Join("/sys/class/net", name))
	return err == nil && name != ""
}

func ip(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
