package harness

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// ACMEOrder is one order that an ACME server has taken.
type ACMEOrder struct {
	// ID is the last part of the order's URL.
	ID string
	// Names are what it is for, sorted.
	Names []string
	// At is when it was taken, Issued whether its certificate was issued since.
	At     time.Time
	Issued bool
}

// acmeLog reads the log of one ACME server of test/certmanager, each line once. The lines are described there, in
// internal/pebble/doc.go. Its methods may be called concurrently.
type acmeLog struct {
	mu     sync.Mutex
	file   io.Reader
	part   string // a line whose end was not written yet
	orders []*ACMEOrder
	byID   map[string]*ACMEOrder
}

var (
	orderAdded  = regexp.MustCompile(`^Pebble .* Added order "([^"]+)" to the db$`)
	orderNamed  = regexp.MustCompile(`^(\S+) front: order "([^"]+)" is for (\S+)$`)
	orderIssued = regexp.MustCompile(`^Pebble .* Issued certificate serial \S+ for order (\S+)$`)
)

func openACMELog(path string) (*acmeLog, error) {
	file, err := os.Open(path) // an open file can be read even when its folder is gone
	if err != nil {
		return nil, fmt.Errorf("opening the ACME server's log: %w", err)
	}
	return &acmeLog{file: file, byID: map[string]*ACMEOrder{}}, nil
}

// history returns all orders so far, oldest first.
func (l *acmeLog) history() ([]ACMEOrder, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text, err := io.ReadAll(l.file)
	if err != nil {
		return nil, fmt.Errorf("reading the ACME server's log: %w", err)
	}
	lines := strings.Split(l.part+string(text), "\n")
	l.part = lines[len(lines)-1]
	for _, line := range lines[:len(lines)-1] {
		l.take(line)
	}
	orders := make([]ACMEOrder, 0, len(l.orders))
	for _, order := range l.orders {
		orders = append(orders, *order)
	}
	return orders, nil
}

// take takes one line.
func (l *acmeLog) take(line string) {
	if m := orderAdded.FindStringSubmatch(line); m != nil {
		l.byID[m[1]] = &ACMEOrder{ID: m[1]}
		l.orders = append(l.orders, l.byID[m[1]])
	} else if m := orderNamed.FindStringSubmatch(line); m != nil && l.byID[m[2]] != nil {
		l.byID[m[2]].Names = strings.Split(m[3], ",")
		l.byID[m[2]].At, _ = time.Parse(time.RFC3339Nano, m[1])
	} else if m := orderIssued.FindStringSubmatch(line); m != nil && l.byID[m[1]] != nil {
		l.byID[m[1]].Issued = true
	}
}

// has reports whether the order is for all of names.
func (o ACMEOrder) has(names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(o.Names, name) })
}
