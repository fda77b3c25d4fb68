package acme

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/weppos/publicsuffix-go/publicsuffix"
	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// The bounds of a DNS name. 253 and 63 bytes are RFC 1035's (section 2.3.4, without the length and root bytes); ten
// labels are Let's Encrypt's (boulder, policy/pa.go).
const (
	maxNameLength  = 253
	maxLabelLength = 63
	maxLabels      = 10
)

// NameProblem is why a CA refuses a name.
type NameProblem struct {
	// Name is the name as it was given.
	Name string
	// Why follows the name in a sentence, as in "has two dots in a row".
	Why string
}

// String is the whole sentence.
func (p NameProblem) String() string {
	return fmt.Sprintf("%q %s", p.Name, p.Why)
}

// CheckName says what is wrong with a DNS name of an order: found is true if a public CA refuses it, whoever asks. Upper
// case is no problem, since the CA lowers it. What only the CA knows (blocked names, CAA records) is not looked at.
//
// The rules are those of the CA/Browser Forum's Baseline Requirements as Let's Encrypt's server has them: boulder,
// policy/pa.go (ValidDomain).
func CheckName(name string) (problem NameProblem, found bool) {
	if why := nameProblem(strings.ToLower(name)); why != "" {
		return NameProblem{Name: name, Why: why}, true
	}
	return NameProblem{}, false
}

func nameProblem(name string) string {
	base, wildcard := strings.CutPrefix(name, "*.")
	switch {
	case name == "":
		return "is empty"
	case strings.Count(name, "*") > 1:
		return "has more than one wildcard"
	case !wildcard && strings.Contains(name, "*"):
		return `has a wildcard that is not the whole first label, as in "*.example.com"`
	case wildcard && base != "" && !strings.Contains(base, "."):
		return "is a wildcard for a whole top-level domain"
	}
	for _, check := range []func(string) string{characterProblem, shapeProblem, labelsProblem} {
		if why := check(base); why != "" {
			return why
		}
	}
	return suffixProblem(base, wildcard)
}

func characterProblem(name string) string {
	if _, err := netip.ParseAddr(name); err == nil {
		return "is an IP address, which belongs with the IP addresses and not with the DNS names"
	}
	for _, c := range name {
		switch {
		case c == '.', c == '-', 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case c == ' ':
			return "has a space in it"
		case c > 127:
			if ascii, err := idna.Lookup.ToASCII(name); err == nil {
				return "is not in its ASCII form, which is " + ascii
			}
			return fmt.Sprintf("has the character %q, which is not ASCII", c)
		default:
			return fmt.Sprintf("has the character %q, which a DNS name cannot have", c)
		}
	}
	return ""
}

func shapeProblem(name string) string {
	switch labels := strings.Count(name, ".") + 1; {
	case len(name) > maxNameLength:
		return fmt.Sprintf("is longer than %d characters", maxNameLength)
	case strings.HasSuffix(name, "."):
		return "ends in a dot"
	case labels < 2:
		return "has no dot in it, so it is not a public name"
	case labels > maxLabels:
		return fmt.Sprintf("has more than %d labels", maxLabels)
	}
	return ""
}

func labelsProblem(name string) string {
	for label := range strings.SplitSeq(name, ".") {
		switch {
		case label == "" && strings.HasPrefix(name, "."):
			return "begins with a dot"
		case label == "":
			return "has two dots in a row"
		case len(label) > maxLabelLength:
			return fmt.Sprintf("has a label longer than %d characters", maxLabelLength)
		case label[0] == '-' || label[len(label)-1] == '-':
			return fmt.Sprintf("has a label that begins or ends with a hyphen (%s)", label)
		case len(label) >= 4 && label[2:4] == "--":
			if why := reservedLabelProblem(label); why != "" {
				return why
			}
		}
	}
	return ""
}

// reservedLabelProblem is about labels with hyphens in the third and fourth place, of which only A-labels are in use:
// RFC 5890, section 2.3.1.
func reservedLabelProblem(label string) string {
	if !strings.HasPrefix(label, "xn") {
		return fmt.Sprintf("has a label with two hyphens where only xn-- may have them (%s)", label)
	}
	unicode, err := idna.ToUnicode(label)
	if err != nil || !norm.NFC.IsNormalString(unicode) {
		return fmt.Sprintf("has a label that is not valid punycode (%s)", label)
	}
	return ""
}

// suffixProblem is about the ICANN section of the Public Suffix List alone: a CA issues for "github.io", but neither for
// "com" nor for "co.uk".
func suffixProblem(name string, wildcard bool) string {
	rule := publicsuffix.DefaultList.Find(name, &publicsuffix.FindOptions{IgnorePrivate: true})
	if rule == nil {
		top := name[strings.LastIndexByte(name, '.'):]
		return fmt.Sprintf("has no public suffix (%s is not a public top-level domain)", top)
	}
	if suffix := rule.Decompose(name)[1]; suffix == "" || suffix == name { // an empty one: the name is a suffix
		if wildcard {
			return "is a wildcard for a public suffix"
		}
		return "is a public suffix"
	}
	return ""
}

// RedundantWithWildcard finds a name that a wildcard of the same order covers already, as "a.example.com" beside
// "*.example.com": Let's Encrypt refuses such an order. Of several it returns the first in normalised order; ok is false
// if there is none. Source: boulder, ra/ra.go (wildcardOverlap).
func RedundantWithWildcard(names []string) (name, wildcard string, ok bool) {
	normalized := NormalizeIdentifiers(names)
	wildcards := map[string]bool{}
	for _, n := range normalized {
		if strings.HasPrefix(n, "*") {
			wildcards[n] = true
		}
	}
	if len(wildcards) == 0 {
		return "", "", false
	}
	for _, n := range normalized {
		if strings.HasPrefix(n, "*") {
			continue
		}
		if _, parent, found := strings.Cut(n, "."); found && wildcards["*."+parent] {
			return n, "*." + parent, true
		}
	}
	return "", "", false
}
