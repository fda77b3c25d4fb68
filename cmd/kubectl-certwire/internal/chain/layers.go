package chain

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// overdue is how late a renewal may be until it is told. cert-manager begins within seconds; an order takes minutes.
const overdue = time.Hour

// maxNote bounds what others have written.
const maxNote = 300

// certificate is the Certificate's node: whether issuance itself is behind.
func (a *assembly) certificate() *Node {
	c := a.f.Certificate
	n := &Node{Layer: LayerIssuance, Name: "Certificate " + a.f.Namespace + "/" + c.Name, State: Current, Leaf: c.Leaf}
	notes := []string{c.Issuer}
	if c.Revision > 0 {
		notes = append(notes, fmt.Sprintf("revision %d", c.Revision))
	}
	if !c.Issued.IsZero() {
		notes = append(notes, "issued "+minute(c.Issued))
	}
	switch a.why = wrong(c, a.f.Now); {
	case a.why != "":
		n.State = Stale
		if c.Stuck == nil && c.Message != "" {
			a.why += ": " + c.Message
		}
		a.why = tidy(a.why)
		notes = append(notes, a.why)
		n.Remedies = []string{fmt.Sprintf("kubectl certwire explain certificate/%s -n %s", c.Name, a.f.Namespace)}
	case c.Leaf.Serial == "":
		n.State = Unknown
		notes = append(notes, "what was issued is not known any more: its CertificateRequest is gone")
	default:
		notes = append(notes, "Ready")
	}
	if n.State != Stale && !c.Renewal.IsZero() {
		notes = append(notes, "renewal "+minute(c.Renewal))
	}
	n.Note = strings.Join(notes, ", ")
	return n
}

// wrong says what is wrong with the issuance; empty for nothing.
func wrong(c Certificate, now time.Time) string {
	switch {
	case c.Stuck != nil:
		text := "the next one is stuck, " + c.Stuck.Cause
		if c.Stuck.Message != "" {
			text += ": " + c.Stuck.Message
		}
		if !c.Stuck.Until.IsZero() {
			text += ", until " + minute(c.Stuck.Until)
		}
		return text
	case c.Revision == 0:
		return "it was never issued"
	case !c.Leaf.NotAfter.IsZero() && !c.Leaf.NotAfter.After(now):
		return "it has ended"
	case c.Ready != "True":
		return "it is not Ready"
	case !c.Renewal.IsZero() && now.Sub(c.Renewal) > overdue:
		return "its renewal was due " + minute(c.Renewal)
	}
	return ""
}

// secret is the node of the Certificate's own Secret.
func (a *assembly) secret() *Node {
	s := a.f.Secret
	n := &Node{Layer: LayerSecret, Name: "Secret " + s.Name, State: Current, Leaf: s.Leaf}
	switch {
	case s.Missing:
		n.State, n.Note = Stale, "it is not there"
		n.Remedies = []string{fmt.Sprintf("kubectl describe certificate %s -n %s", a.f.Certificate.Name, a.f.Namespace)}
	case s.Broken != "":
		n.State, n.Note = Stale, tidy("there is no certificate in it: "+s.Broken)
		n.Remedies = []string{a.whoWrites()}
	case s.Unseen != "":
		n.State, n.Note = Assumed, tidy("not readable, assumed: "+s.Unseen)
		n.Leaf = Leaf{}
	case a.f.Certificate.Leaf.Serial == "":
		n.Note = "taken for what was issued"
	case !s.Leaf.same(a.want):
		n.State, n.Note = Stale, "it does not hold what was issued: something else writes it"
		n.Remedies = []string{a.whoWrites()}
	}
	return n
}

// whoWrites shows the managers of the Secret's fields, and none of its data.
func (a *assembly) whoWrites() string {
	return fmt.Sprintf(`kubectl get secret %s -n %s --show-managed-fields -o jsonpath='{range .metadata.managedFields[*]}{.manager}{" "}{.time}{"\n"}{end}'`,
		a.f.Secret.Name, a.f.Namespace)
}

// mirror is the node of another Secret, with those who use it below.
func (a *assembly) mirror(m Mirror) *Node {
	n := &Node{Layer: LayerMirror, Name: "Secret " + m.Namespace + "/" + m.Name, State: Stale, Leaf: m.Leaf}
	kept := "a copy that " + m.Tool + " keeps"
	if m.Tool == "" || m.Tool == "content" {
		kept = "a copy that nobody is known to keep"
	}
	switch {
	case m.State == string(Current) || m.Leaf.same(a.want):
		n.State, n.Note = Current, kept
	case m.State == "empty":
		n.Note = kept + ", and there is no certificate in it"
	case m.State == "previous":
		n.Note = kept + ", and it holds what was before"
	default:
		n.Note = kept + ", and it holds another certificate"
	}
	if n.State == Stale {
		n.Remedies = []string{cmp.Or(m.Remedy, fmt.Sprintf("kubectl describe secret %s -n %s", m.Name, m.Namespace))}
	}
	n.Children = a.groups(m.Namespace + "/" + m.Name)
	return n
}

// minute is how certwire writes a time for people (pkg/policy, ToTheMinute).
func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// tokens are what an HTTP-01 challenge is answered at; a log may keep this output for long.
var tokens = regexp.MustCompile(`(/\.well-known/acme-challenge/)[^\s'"]+`)

// tidy makes one line of what others wrote, without challenge tokens and of bounded length.
func tidy(s string) string {
	s = tokens.ReplaceAllString(strings.Join(strings.Fields(s), " "), "${1}...")
	if r := []rune(s); len(r) > maxNote {
		return string(r[:maxNote]) + "..."
	}
	return s
}
