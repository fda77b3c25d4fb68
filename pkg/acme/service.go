package acme

import "time"

// Service is what is known of the CA behind a directory beyond its name: how much it lets through, and what it issues.
// It is a value; its slices are not to be changed.
type Service struct {
	Directory
	// Limits are the CA's rate limits.
	Limits Limits
	// Backdate is how long before its issuance a certificate begins to be valid.
	Backdate time.Duration
	// Profiles are the kinds of certificate that it issues. The first is what an order gets that names none.
	Profiles []Profile
	// exemption is how long ago a set of names may have been issued to count as a renewal.
	exemption time.Duration
}

// Profile is a kind of certificate that a CA issues, an order's "profile" (draft-ietf-acme-profiles).
type Profile struct {
	// Name is the profile's name; empty where the CA's only kind has none.
	Name string
	// MaxNames is how many names a certificate can have; 0 if that is not known.
	MaxNames int
	// IPAddresses says whether names may be IP addresses.
	IPAddresses bool
	// Lifetimes are how long its certificates are valid, by the time of issuance, earliest first.
	Lifetimes []Lifetime
}

// Lifetime is how long certificates are valid that are issued from a time on.
type Lifetime struct {
	// From is when it begins to hold; the zero time if it has held since ever.
	From time.Time
	// Lifetime is the time from notBefore to notAfter, both included.
	Lifetime time.Duration
}

// ProfileOf returns the profile of that name, the default one for the empty name. It is false for a name that the CA
// does not have, and for a CA whose profiles are not known.
func (s Service) ProfileOf(name string) (Profile, bool) {
	for i, p := range s.Profiles {
		if p.Name == name || (name == "" && i == 0) {
			return p, true
		}
	}
	return Profile{}, false
}

// Lifetime is how long a certificate is valid that is issued at that time. It is false where this is not known.
func (s Service) Lifetime(profile string, at time.Time) (time.Duration, bool) {
	p, ok := s.ProfileOf(profile)
	if !ok {
		return 0, false
	}
	var lifetime time.Duration
	for _, l := range p.Lifetimes {
		if !at.Before(l.From) {
			lifetime, ok = l.Lifetime, true
		}
	}
	return lifetime, ok && lifetime > 0
}

// Changes are the announced lifetimes that begin to hold after that time, earliest first.
func (s Service) Changes(profile string, after time.Time) []Lifetime {
	p, _ := s.ProfileOf(profile)
	var changes []Lifetime
	for _, l := range p.Lifetimes {
		if l.From.After(after) {
			changes = append(changes, l)
		}
	}
	return changes
}

// RenewalExemption is how long after its last issuance a set of names may be ordered again as a renewal, which spends
// neither the account's orders nor the registered domain's certificates. It is 0 where no such exemption is known.
func (s Service) RenewalExemption() time.Duration {
	return s.exemption
}

// Service returns what is known of the CA at a directory URL. It is false for a URL whose host nobody gave limits to.
func (d Directories) Service(directoryURL string) (Service, bool) {
	host, err := Host(directoryURL)
	if err != nil {
		return Service{}, false
	}
	s, ok := d.services[host]
	return s, ok
}

// service adds what this authority says of its directories to what was known of the host before. A host whose limits
// nobody gives has no service.
func (ca CA) service(d Directory, before Service, known bool) (Service, bool) {
	s := before
	if own, ok := ca.services[d.Stage]; ok {
		s, known = own, true
	}
	s.Directory = d
	if d.Stage != Production {
		return s, known
	}
	if ca.Limits != nil {
		s.Limits, known = *ca.Limits, true
	}
	if ca.Backdate > 0 {
		s.Backdate = ca.Backdate
	}
	if ca.RenewalExemption > 0 {
		s.exemption = ca.RenewalExemption
	}
	if ca.Lifetime > 0 {
		s.Profiles = withLifetime(s.Profiles, ca.Lifetime)
	}
	return s, known
}

// withLifetime gives the default profile one lifetime, and leaves the others alone.
func withLifetime(profiles []Profile, lifetime time.Duration) []Profile {
	first := Profile{IPAddresses: true}
	if len(profiles) > 0 {
		first, profiles = profiles[0], profiles[1:]
	}
	first.Lifetimes = []Lifetime{{Lifetime: lifetime}}
	return append([]Profile{first}, profiles...)
}
