package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strings"
	"time"
)

// The packed form of a state, as docs/budgets.md describes it. All numbers are big-endian; times are nanoseconds since
// 1970 where a bucket depends on them, and seconds elsewhere; 0 is no time.
//
//	"cwb1"                                        4 bytes
//	the domain's or account's TAT                 8
//	number of sets, then for each                 4
//	    key 12, TAT 8, last issued 4
//	number of counted orders, then for each       4
//	    uid 8, time 4
//	number of orders in flight, then for each     4
//	    uid 8, name 8, set 12, since 4, flags 1
//	number of identifiers, then for each          4
//	    length 2, text, TAT 8
//	CRC-32 (IEEE) of all before                   4
const stateMagic = "cwb1"

const (
	flagDomain = 1 << iota
	flagHome
)

// errCorrupt is wrapped by every error of decodeState.
var errCorrupt = errors.New("the stored state is corrupt")

// encode packs a state. Equal states have equal bytes.
func (s *state) encode() []byte {
	out := make([]byte, 0, 32+24*len(s.sets)+12*len(s.counted)+33*len(s.inFlight)+48*len(s.failed))
	out = append(out, stateMagic...)
	out = nanos(out, s.tat)
	out = binary.BigEndian.AppendUint32(out, uint32(len(s.sets)))
	for _, k := range slices.SortedFunc(maps.Keys(s.sets), func(a, b setKey) int { return slices.Compare(a[:], b[:]) }) {
		out = append(out, k[:]...)
		out = seconds(nanos(out, s.sets[k].tat), s.sets[k].issued)
	}
	byUID := func(a, b uidKey) int { return slices.Compare(a[:], b[:]) }
	out = binary.BigEndian.AppendUint32(out, uint32(len(s.counted)))
	for _, k := range slices.SortedFunc(maps.Keys(s.counted), byUID) {
		out = seconds(append(out, k[:]...), s.counted[k])
	}
	out = binary.BigEndian.AppendUint32(out, uint32(len(s.inFlight)))
	for _, k := range slices.SortedFunc(maps.Keys(s.inFlight), byUID) {
		f := s.inFlight[k]
		out = append(append(out, k[:]...), f.name[:]...)
		out = seconds(append(out, f.set[:]...), f.since)
		out = append(out, f.flags())
	}
	out = binary.BigEndian.AppendUint32(out, uint32(len(s.failed)))
	for _, k := range slices.SortedFunc(maps.Keys(s.failed), strings.Compare) {
		out = binary.BigEndian.AppendUint16(out, uint16(len(k)))
		out = nanos(append(out, k...), s.failed[k])
	}
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
}

func (f flight) flags() (flags byte) {
	if f.domain {
		flags |= flagDomain
	}
	if f.home {
		flags |= flagHome
	}
	return flags
}

func nanos(out []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.BigEndian.AppendUint64(out, 0)
	}
	return binary.BigEndian.AppendUint64(out, uint64(t.UnixNano()))
}

func seconds(out []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.BigEndian.AppendUint32(out, 0)
	}
	return binary.BigEndian.AppendUint32(out, uint32(t.Unix()))
}

// decodeState reads what encode wrote. No bytes at all are the zero state. Errors wrap errCorrupt.
func decodeState(raw []byte) (*state, error) {
	s := newState()
	if len(raw) == 0 {
		return s, nil
	}
	if len(raw) < len(stateMagic)+4 || string(raw[:4]) != stateMagic {
		return nil, fmt.Errorf("%w: it does not begin with %q", errCorrupt, stateMagic)
	}
	body, sum := raw[:len(raw)-4], binary.BigEndian.Uint32(raw[len(raw)-4:])
	if crc32.ChecksumIEEE(body) != sum {
		return nil, fmt.Errorf("%w: the checksum does not fit", errCorrupt)
	}
	r := reader{rest: body[4:]}
	s.tat = r.nanos()
	for range r.count() {
		var k setKey
		copy(k[:], r.take(len(k)))
		s.sets[k] = set{tat: r.nanos(), issued: r.seconds()}
	}
	for range r.count() {
		var k uidKey
		copy(k[:], r.take(len(k)))
		s.counted[k] = r.seconds()
	}
	for range r.count() {
		var k uidKey
		var f flight
		copy(k[:], r.take(len(k)))
		copy(f.name[:], r.take(len(f.name)))
		copy(f.set[:], r.take(len(f.set)))
		f.since = r.seconds()
		flags := r.take(1)[0]
		f.domain, f.home = flags&flagDomain != 0, flags&flagHome != 0
		s.inFlight[k] = f
	}
	for range r.count() {
		name := string(r.take(int(binary.BigEndian.Uint16(r.take(2)))))
		s.failed[name] = r.nanos()
	}
	if r.short || len(r.rest) != 0 {
		return nil, fmt.Errorf("%w: its lists do not fit its length", errCorrupt)
	}
	return s, nil
}

// reader takes bytes off a slice. Once it has run short it gives zeros, and no list goes on.
type reader struct {
	rest  []byte
	short bool
	zeros [12]byte
}

func (r *reader) take(n int) []byte {
	if n > len(r.rest) {
		r.rest, r.short = nil, true
		return r.zeros[:min(n, len(r.zeros))]
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

func (r *reader) count() int {
	n := int(binary.BigEndian.Uint32(r.take(4)))
	if n > len(r.rest) { // each member has more than a byte
		r.short = true
		return 0
	}
	return n
}

func (r *reader) nanos() time.Time {
	n := int64(binary.BigEndian.Uint64(r.take(8)))
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

func (r *reader) seconds() time.Time {
	n := int64(binary.BigEndian.Uint32(r.take(4)))
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}
