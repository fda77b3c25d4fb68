package bridge

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// pool is where subnets are looked for: part of a private block (RFC 1918) that
// leaves out 10.96.0.0/12 and 10.244.0.0/16, which clusters use for themselves.
var pool = netip.MustParsePrefix("10.192.0.0/11")

// free returns the first /24 of the pool that overlaps none of used.
func free(seed [2]byte, used []netip.Prefix) (netip.Prefix, error) {
	const all = 1 << (24 - 11)
	base := pool.Addr().As4()
	for i := range uint32(all) {
		n := (uint32(binary.BigEndian.Uint16(seed[:])) + i) % all
		var four [4]byte
		binary.BigEndian.PutUint32(four[:], binary.BigEndian.Uint32(base[:])+n<<8)
		candidate := netip.PrefixFrom(netip.AddrFrom4(four), 24)
		if !overlaps(candidate, used) {
			return candidate, nil
		}
	}
	return netip.Prefix{}, fmt.Errorf("looking for a subnet for pods: all of %s is in use", pool)
}

func overlaps(candidate netip.Prefix, used []netip.Prefix) bool {
	for _, p := range used {
		if p.Overlaps(candidate) {
			return true
		}
	}
	return false
}

// inUse returns what the machine has routes to, the default route excepted.
func inUse() ([]netip.Prefix, error) {
	content, err := os.ReadFile("/proc/net/route")
	if err != nil {
		return nil, fmt.Errorf("reading the machine's routes: %w", err)
	}
	return parse(string(content))
}

// parse reads the kernel's table: one line of titles, then interface, destination
// and, as the eighth field, mask, both as hexadecimal words of the machine's order.
func parse(table string) ([]netip.Prefix, error) {
	var found []netip.Prefix
	_, rows, _ := strings.Cut(table, "\n")
	for row := range strings.Lines(rows) {
		fields := strings.Fields(row)
		if len(fields) < 8 {
			return nil, errors.New("reading the machine's routes: unexpected format")
		}
		destination, err := strconv.ParseUint(fields[1], 16, 32)
		if err != nil {
			return nil, fmt.Errorf("reading the machine's routes: %w", err)
		}
		mask, err := strconv.ParseUint(fields[7], 16, 32)
		if err != nil {
			return nil, fmt.Errorf("reading the machine's routes: %w", err)
		}
		if mask == 0 {
			continue
		}
		var four [4]byte
		binary.NativeEndian.PutUint32(four[:], uint32(destination))
		found = append(found, netip.PrefixFrom(netip.AddrFrom4(four), bits.OnesCount32(uint32(mask))))
	}
	return found, nil
}
