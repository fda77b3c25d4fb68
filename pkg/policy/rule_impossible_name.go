// Rule impossible-name: a Certificate asks for nothing that its CA never certifies.
//
// cert-manager passes every string on to the CA. What the CA refuses fails at the order or, worse, when the order is
// finished and its challenges are spent; then it is tried again, from an hour up to 32 hours later, for ever.
//
// Restricted objects: Certificates, by spec.dnsNames, ipAddresses, commonName, emailAddresses and uris.
//
// Refused, for issuers at a known public CA: names that cannot be certified publicly (no public suffix as in .internal,
// .local or .svc, a single label, a public suffix itself, an IP address among the DNS names, a trailing dot, characters
// and lengths that DNS does not have, letters that are not in their ASCII form, a misplaced wildcard), IP addresses that
// are private, carrier-grade, loopback, link-local or multicast, and more names than any profile of the CA takes. For
// Let's Encrypt also: a name beside the wildcard that covers it, e-mail addresses, URIs, and an IP address as the common
// name. For every ACME issuer: a common name that is not among dnsNames and ipAddresses, in the same spelling;
// cert-manager itself fails such a request.
//
// Warned about: IP addresses and a number of names that another profile of the CA takes, but not the issuer's; what
// Let's Encrypt alone is known to refuse, at other public CAs; and everything in Certificates that cert-manager makes for
// an Ingress or a Gateway.
//
// Allowed: all names at private ACME CAs, which certify internal ones; a CA that only the configuration knows counts as
// one.
//
// Sources: boulder, policy/pa.go, ra/ra.go and csr/csr.go; CA/Browser Forum, Baseline Requirements, sections 3.2.2 and
// 4.2.2; cert-manager, pkg/controller/certificaterequests/acme/acme.go for the common name.
//
// Reasons: impossible-name, redundant-name, common-name, email-or-uri, too-many-names, profile.

package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/certwire/certwire/pkg/acme"
)

// ImpossibleName is the name of the rule in rule_impossible_name.go.
const ImpossibleName RuleName = "impossible-name"

// The reasons of [ImpossibleName].
const (
	ReasonImpossibleName Reason = "impossible-name"
	ReasonRedundantName  Reason = "redundant-name"
	ReasonCommonName     Reason = "common-name"
	ReasonEmailOrURI     Reason = "email-or-uri"
	ReasonTooManyNames   Reason = "too-many-names"
	ReasonProfile        Reason = "profile"
)

var impossibleName = Rule{
	Name: ImpossibleName,
	Reasons: []Reason{
		ReasonImpossibleName, ReasonRedundantName, ReasonCommonName, ReasonEmailOrURI, ReasonTooManyNames, ReasonProfile,
	},
	Concerns: namesOrIssuerChanged,
	Check:    checkImpossibleName,
}

// refused is one thing that a CA does not certify.
type refused struct {
	reason Reason
	// certain is false when it depends on more than the Certificate and the CA.
	certain bool
	text    string
}

func checkImpossibleName(r Request) Finding {
	if !forACME(r, Certificate) {
		return Finding{}
	}
	found := wrongCommonName(r)
	if acme.PublicCA(r.Issuer.Directory.Host) != "" {
		found = append(found, wrongNames(r.Object)...)
		found = append(found, redundantNames(r)...)
		found = append(found, notNames(r)...)
		found = append(found, profileNames(r)...)
	}
	if len(found) == 0 {
		return Finding{}
	}
	slices.SortStableFunc(found, func(a, b refused) int {
		switch {
		case a.certain == b.certain:
			return 0
		case a.certain:
			return -1
		}
		return 1
	})
	var lines, certain []string
	for _, f := range found {
		lines = append(lines, f.text)
		if f.certain {
			certain = append(certain, f.text)
		}
	}
	lines = firstLines(lines)
	if len(certain) == 0 {
		return advise(ImpossibleName, found[0].reason, lines...)
	}
	if len(certain) > shown {
		certain = append(certain[:shown:shown], fmt.Sprintf("and %d more", len(certain)-shown))
	}
	message := fmt.Sprintf("%s can never be issued by %s at %s: %s. %s",
		subject(r), r.Issuer.Ref, r.Issuer.Directory, strings.Join(certain, "; "), instead(found[0].reason))
	return refuse(r, ImpossibleName, found[0].reason, message, lines...)
}

// atLetsEncrypt is true for the CA whose every rule is known.
func atLetsEncrypt(r Request) bool {
	return acme.PublicCA(r.Issuer.Directory.Host) == acme.LetsEncrypt
}

// instead is what to do about the first problem.
func instead(reason Reason) string {
	switch reason {
	case ReasonRedundantName:
		return "Leave out what the wildcard covers"
	case ReasonCommonName:
		return "Leave spec.commonName out, or repeat a DNS name there"
	case ReasonEmailOrURI:
		return "Leave them out"
	case ReasonTooManyNames:
		return "Divide the names among several Certificates"
	default:
		return "Ask a public CA for public names, and an issuer with a private CA for internal ones"
	}
}

// wrongCommonName compares as cert-manager does: by letter, with addresses in their usual form.
func wrongCommonName(r Request) []refused {
	name := r.Object.CommonName()
	if name == "" {
		return nil
	}
	known := slices.Clone(r.Object.DNSNames())
	for _, a := range r.Object.IPAddresses() {
		known = append(known, a, plainAddress(a))
	}
	_, err := netip.ParseAddr(name)
	switch {
	case !slices.Contains(known, name):
		return []refused{{ReasonCommonName, true, fmt.Sprintf("commonName %q is not among dnsNames and ipAddresses", name)}}
	case err == nil && atLetsEncrypt(r):
		return []refused{{ReasonCommonName, true, fmt.Sprintf("commonName %q is an IP address", name)}}
	}
	return nil
}

func plainAddress(text string) string {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return text
	}
	return a.Unmap().String()
}

// carrierGrade are the addresses between carriers and their customers: RFC 6598.
var carrierGrade = netip.MustParsePrefix("100.64.0.0/10")

func wrongNames(o Object) []refused {
	var found []refused
	for _, name := range o.DNSNames() {
		if problem, ok := acme.CheckName(name); ok {
			found = append(found, refused{ReasonImpossibleName, true, problem.String()})
		}
	}
	for _, text := range o.IPAddresses() {
		a, err := netip.ParseAddr(text)
		if err != nil {
			continue // cert-manager's own webhook refuses it
		}
		a = a.Unmap()
		if a.IsPrivate() || !a.IsGlobalUnicast() || carrierGrade.Contains(a) {
			found = append(found, refused{ReasonImpossibleName, true, fmt.Sprintf("%q is no public address", text)})
		}
	}
	return found
}

func redundantNames(r Request) []refused {
	name, wildcard, ok := acme.RedundantWithWildcard(r.Object.DNSNames())
	if !ok {
		return nil
	}
	return []refused{{ReasonRedundantName, atLetsEncrypt(r), fmt.Sprintf("%q is covered by %q already", name, wildcard)}}
}

func notNames(r Request) []refused {
	var found []refused
	for _, f := range []struct {
		what string
		list []string
	}{{"emailAddresses", r.Object.EmailAddresses()}, {"uris", r.Object.URIs()}} {
		if len(f.list) > 0 {
			found = append(found, refused{ReasonEmailOrURI, atLetsEncrypt(r), f.what + " have no place in a public TLS certificate"})
		}
	}
	return found
}

// profileNames compares with what the CA's profiles take: what none takes is certain, what the issuer's does not take
// is a matter of the issuer, which may be about to change.
func profileNames(r Request) []refused {
	profiles := r.Issuer.Service.Profiles
	own, ok := r.Issuer.Service.ProfileOf(r.Issuer.Profile)
	if !ok {
		return nil
	}
	var found []refused
	names := len(acme.NormalizeIdentifiers(r.Object.Identifiers()))
	most := slices.MaxFunc(profiles, func(a, b acme.Profile) int { return limitOf(a) - limitOf(b) })
	switch {
	case names > limitOf(most):
		found = append(found, refused{ReasonTooManyNames, true, fmt.Sprintf("%d names are more than the %d that one certificate takes", names, most.MaxNames)})
	case names > limitOf(own):
		found = append(found, refused{ReasonProfile, false, fmt.Sprintf("%d names are more than the %d of profile %s, which %s asks for", names, own.MaxNames, own.Name, r.Issuer.Ref)})
	}
	if len(r.Object.IPAddresses()) > 0 && !own.IPAddresses {
		better := slices.IndexFunc(profiles, func(p acme.Profile) bool { return p.IPAddresses })
		if better < 0 {
			return append(found, refused{ReasonImpossibleName, true, "the CA certifies no IP addresses"})
		}
		found = append(found, refused{ReasonProfile, false, fmt.Sprintf("IP addresses need profile %s, but %s asks for %s", profiles[better].Name, r.Issuer.Ref, own.Name)})
	}
	return found
}

func limitOf(p acme.Profile) int {
	if p.MaxNames == 0 {
		return 1 << 30 // not known
	}
	return p.MaxNames
}
