package ledger

import (
	"testing"
	"time"
)

// TestWritesOfARenewal counts what one renewal of one Certificate writes: two writes when it happens (its place, and its
// certificate), and three while its tokens come back and it is forgotten. test/bench reckons with these numbers.
func TestWritesOfARenewal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testLimits())
	l, _ := w.replica()
	w.issue(l, w.order("web", "shop.example.com"))
	w.stored(l)
	for range 60 {
		w.pass(24 * time.Hour)
		l.maintain(t.Context())
		w.stored(l)
	}
	const atOnce, later = 2, 3 // the set's token is back; it is no consumer any longer; it is not known as counted any longer
	before := w.written()
	o := w.order("web", "shop.example.com")
	o.Due = true
	if !w.issue(l, o) {
		t.Fatal("the renewal was refused")
	}
	w.stored(l)
	if got := w.written() - before; got != atOnce {
		t.Errorf("%d writes when it happens, want %d", got, atOnce)
	}
	before = w.written()
	for range 8 * 24 * 12 { // after a week, nothing remembers it but the renewal exemption
		w.pass(5 * time.Minute)
		l.maintain(t.Context())
		w.stored(l)
	}
	if got := w.written() - before; got != later {
		t.Errorf("%d writes while it is forgotten, want %d", got, later)
	}
}
