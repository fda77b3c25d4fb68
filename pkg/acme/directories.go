package acme

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Stage says what an ACME directory's certificates are good for.
type Stage string

// The stages of a directory. A directory that no [CA] lists is Unknown: a private CA, a test server, a new CA.
const (
	Production Stage = "production"
	Staging    Stage = "staging"
	Unknown    Stage = "unknown"
)

// CA is a certificate authority as far as its directories tell it apart.
type CA struct {
	// Name is what people call it, as in "Let's Encrypt".
	Name string
	// Production and Staging are the hosts of its directories. URLs are taken too.
	Production, Staging []string
	// Limits are the rate limits of its production directories; nil if they are not known, which leaves those that an
	// earlier authority gave the same host.
	Limits *Limits
	// Backdate is how long before its issuance a certificate of those directories begins to be valid, and Lifetime how
	// long it is valid. 0 if that is not known, with the same effect.
	Backdate, Lifetime time.Duration
	// RenewalExemption is how long after an issuance the same set of names counts as a renewal there, see
	// [Service.RenewalExemption]. 0 if that is not known, with the same effect.
	RenewalExemption time.Duration

	// services is what certwire knows by itself, by the directories' stage.
	services map[Stage]Service
}

// Directory is what is known of one ACME directory.
type Directory struct {
	// Host is the normalised host, see [Host]. Empty when the URL names none.
	Host string
	// CA is the authority's name; empty when it is not known.
	CA string
	// Stage says whether it issues for production.
	Stage Stage
}

// String names the directory for a person: host first, since that is what the issuer's spec shows.
func (d Directory) String() string {
	if d.CA == "" {
		return d.Host
	}
	return fmt.Sprintf("%s (%s, %s)", d.Host, d.CA, d.Stage)
}

// Directories tells production directories from the rest by their host. It is immutable and safe for concurrent use.
// The zero value knows none.
type Directories struct {
	byHost map[string]Directory
	// services has the hosts whose limits are known.
	services map[string]Service
}

// NewDirectories returns a table of the given authorities. An entry for a host that an earlier authority lists
// replaces it, so a configuration may re-classify a host that certwire knows; what it does not say of the host's
// service stays. It fails when a host cannot be read, when one authority lists a host as both production and staging, or
// when one of its limits has some of its fields but is none, see [Limit.Validate].
func NewDirectories(authorities ...CA) (Directories, error) {
	d := Directories{byHost: map[string]Directory{}, services: map[string]Service{}}
	for _, ca := range authorities {
		if err := ca.Limits.validate(); err != nil {
			return Directories{}, fmt.Errorf("CA %q: %w", ca.Name, err)
		}
		seen := map[string]Stage{}
		for _, list := range []struct {
			stage Stage
			hosts []string
		}{{Production, ca.Production}, {Staging, ca.Staging}} {
			for _, entry := range list.hosts {
				host, err := hostOrURL(entry)
				if err != nil {
					return Directories{}, fmt.Errorf("CA %q: %s host %q: %w", ca.Name, list.stage, entry, err)
				}
				if other, dup := seen[host]; dup && other != list.stage {
					return Directories{}, fmt.Errorf("CA %q: host %q is listed as production and as staging", ca.Name, host)
				}
				seen[host] = list.stage
				d.byHost[host] = Directory{Host: host, CA: ca.Name, Stage: list.stage}
				before, known := d.services[host]
				if service, ok := ca.service(d.byHost[host], before, known); ok {
					d.services[host] = service
				}
			}
		}
	}
	return d, nil
}

// Lookup returns what is known of the directory at a URL. It never fails: a URL without a host, or with a host that
// nobody listed, is a directory of stage Unknown.
func (d Directories) Lookup(directoryURL string) Directory {
	host, err := Host(directoryURL)
	if err != nil {
		return Directory{Stage: Unknown}
	}
	if known, ok := d.byHost[host]; ok {
		return known
	}
	return Directory{Host: host, Stage: Unknown}
}

// Hosts returns the hosts of one stage, sorted.
func (d Directories) Hosts(stage Stage) []string {
	var hosts []string
	for host, dir := range d.byHost {
		if dir.Stage == stage {
			hosts = append(hosts, host)
		}
	}
	slices.Sort(hosts)
	return hosts
}

// StagingHost returns the host of a CA's staging directory, the first by name; empty when none is known.
func (d Directories) StagingHost(ca string) string {
	for _, host := range d.Hosts(Staging) {
		if d.byHost[host].CA == ca {
			return host
		}
	}
	return ""
}

func hostOrURL(entry string) (string, error) {
	if !strings.Contains(entry, "://") {
		entry = "https://" + entry
	}
	return Host(entry)
}
