package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"reflect"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 123456789, time.UTC)

func someState() *state {
	s := newState()
	s.tat = noon.Add(time.Hour)
	s.sets[setKey{1}] = set{tat: noon.Add(3), issued: noon.Truncate(time.Second)}
	s.sets[setKey{2, 255}] = set{issued: noon.Truncate(time.Second)}
	s.counted[uidKey{3}] = noon.Truncate(time.Second)
	s.inFlight[uidKey{4}] = flight{set: setKey{1}, name: uidKey{6}, since: noon.Truncate(time.Second), domain: true}
	s.inFlight[uidKey{5}] = flight{set: setKey{2}, since: noon.Truncate(time.Second), home: true}
	s.failed["shop.example.com"] = noon
	return s
}

func TestAStateSurvivesItsPackedForm(t *testing.T) {
	t.Parallel()
	for sentence, s := range map[string]*state{"an empty state": newState(), "a full state": someState()} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			got, err := decodeState(s.encode())
			if err != nil || !reflect.DeepEqual(got, s) {
				t.Errorf("got %+v, %v\nwant %+v", got, err, s)
			}
		})
	}
}

func TestNoBytesAreTheEmptyState(t *testing.T) {
	t.Parallel()
	if got, err := decodeState(nil); err != nil || !reflect.DeepEqual(got, newState()) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestACorruptStateIsNotRead(t *testing.T) {
	t.Parallel()
	good := someState().encode()
	sealed := func(body []byte) []byte {
		return binary.BigEndian.AppendUint32(append([]byte(nil), body...), crc32.ChecksumIEEE(body))
	}
	bad := map[string][]byte{
		"another beginning":               append([]byte("cwb9"), good[4:]...),
		"a text":                          []byte("hello, I was edited by hand"),
		"one byte too many":               append(append([]byte(nil), good...), 0),
		"one byte too few":                good[:len(good)-1],
		"a list that is too long":         sealed(append([]byte("cwb1"), 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)),
		"a list that ends in the middle":  sealed(good[:30]),
		"more than its lists with a seal": sealed(append(append([]byte(nil), good[:len(good)-4]...), 1)),
	}
	for i := range good {
		flipped := append([]byte(nil), good...)
		flipped[i] ^= 0x40
		bad[fmt.Sprintf("byte %d flipped", i)] = flipped
	}
	for sentence, raw := range bad {
		if got, err := decodeState(raw); !errors.Is(err, errCorrupt) {
			t.Errorf("%s: %+v, %v", sentence, got, err)
		}
	}
}

func FuzzDecodeState(f *testing.F) {
	f.Add(someState().encode())
	f.Add(newState().encode())
	f.Add([]byte("cwb1"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := decodeState(raw)
		if err != nil {
			if !errors.Is(err, errCorrupt) {
				t.Fatal(err)
			}
			// A seal that fits must not make it worse.
			if len(raw) > 8 {
				body := raw[:len(raw)-4]
				_, _ = decodeState(binary.BigEndian.AppendUint32(append([]byte(nil), body...), crc32.ChecksumIEEE(body)))
			}
			return
		}
		again, err := decodeState(s.encode())
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Fatalf("%+v, %v; was %+v", again, err, s)
		}
	})
}
