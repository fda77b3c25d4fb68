package diagnose

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
)

const (
	// slots is how many Challenges cert-manager works at (internal/apis/config/controller/v1alpha1/defaults.go).
	slots = 60
	// pendingFor is how long Let's Encrypt keeps an authorization that nobody has proven, and shortlyFor with its profiles
	// tlsserver and shortlived (https://letsencrypt.org/docs/profiles/).
	pendingFor = 7 * 24 * time.Hour
	shortlyFor = time.Hour
)

// challenges looks at all of an Order's, and tells the worst.
func challenges(f Facts) (finding, bool) {
	if f.Order == nil || f.current() == nil || acmeIsFinal(f.Order.State) {
		return finding{}, false
	}
	var all []finding
	for _, ch := range f.Challenges {
		if found, ok := challenge(f, ch); ok {
			all = append(all, found)
		}
	}
	if len(all) == 0 {
		return finding{}, false
	}
	slices.SortStableFunc(all, func(a, b finding) int { return cmp.Compare(a.Cause.rank(), b.Cause.rank()) })
	for _, found := range all { // one that has its time yet does not hide another
		if info, _ := About(found.Cause); !found.since.Add(info.Grace).After(f.Now) {
			return found, true
		}
	}
	return slices.MinFunc(all, func(a, b finding) int {
		x, _ := About(a.Cause)
		y, _ := About(b.Cause)
		return a.since.Add(x.Grace).Compare(b.since.Add(y.Grace))
	}), true
}

func challenge(f Facts, ch *Challenge) (finding, bool) {
	c := f.Certificate
	name := fmt.Sprintf("Challenge %s for %s", c.at(ch.Name), clip(ch.Identifier, maxName))
	renewed := "kubectl delete order " + clip(f.Order.Name, maxName) + " -n " + c.Namespace
	switch {
	case ch.State == acmeapi.Valid:
		return finding{}, false
	case ch.State == acmeapi.Invalid:
		return finding{invalid(c, ch), ch.Created}, true
	case failedState(ch.State):
		if limited, ok := rateLimited(ch.Reason); ok {
			return finding{limited, ch.Created}, true
		}
		return finding{Diagnosis{
			Cause: OrderFailed, Message: with(fmt.Sprintf("%s is %s, and its Order is left pending", name, ch.State), ch.Reason), Next: "have a new one made: " + renewed,
		}, later(ch.Created, ch.PresentedAt)}, true
	}
	limit, kept := pendingFor, "7 days"
	if f.Issuer.Profile == "tlsserver" || f.Issuer.Profile == "shortlived" {
		limit, kept = shortlyFor, "1 hour with profile "+f.Issuer.Profile
	}
	if f.Now.Sub(ch.Created) > limit {
		return finding{Diagnosis{
			Cause:   Zombie,
			Message: with(fmt.Sprintf("%s cannot succeed any more: the CA keeps a pending authorization for %s", name, kept), ch.Reason),
			Next:    "mend what stopped it, then have a new one made: " + renewed,
		}, ch.Created.Add(limit)}, true
	}
	if !ch.Processing {
		return queued(f, ch, name), true
	}
	return working(f, ch, name)
}

// queued is for a Challenge that cert-manager has not begun (acmechallenges/scheduler/scheduler.go).
func queued(f Facts, ch *Challenge, name string) finding {
	d := Diagnosis{Cause: ChallengeQueued, Next: "see why the one before does not come to an end"}
	var oldest *Challenge
	for _, b := range f.Busy {
		if b.Domain == ch.Domain && b.Type == ch.Type && (b.Name != ch.Name || b.Namespace != ch.Namespace) {
			d.Message = fmt.Sprintf("%s waits for Challenge %s/%s, for the same name", name, b.Namespace, clip(b.Name, maxName))
			return finding{d, ch.Created}
		}
		if oldest == nil || b.Created.Before(oldest.Created) || (b.Created.Equal(oldest.Created) && b.Name < oldest.Name) {
			oldest = b
		}
	}
	if len(f.Busy) >= slots && oldest != nil {
		d.Message = fmt.Sprintf("%s waits: all slots (%d/%d) of the cluster are taken, longest by Challenge %s/%s", name, len(f.Busy), slots, oldest.Namespace, clip(oldest.Name, maxName))
		return finding{d, ch.Created}
	}
	d.Message = name + " waits, and cert-manager has not begun with it"
	d.Next = "see whether cert-manager runs, and its log for that name"
	return finding{d, ch.Created}
}

// working is for one that cert-manager has begun.
func working(f Facts, ch *Challenge, name string) (finding, bool) {
	said := strings.TrimPrefix(ch.Reason, fmt.Sprintf("Waiting for %s challenge propagation: ", ch.Type))
	since := later(ch.Created, ch.PresentedAt)
	if !ch.Presented {
		if ch.Reason == "" {
			return finding{}, false
		}
		return finding{presentError(name, said), since}, true
	}
	if said == "" || strings.HasPrefix(said, "Waiting before accepting") || strings.HasPrefix(said, "Successfully") {
		return finding{}, false
	}
	if ch.Type == acmeapi.ACMEChallengeTypeDNS01 {
		return finding{Diagnosis{
			Cause: SelfCheckDNS, Message: with("the record of "+name+" is not seen", said),
			Next: "look up TXT _acme-challenge." + clip(ch.Domain, maxName) + " at the zone's own servers",
		}, since}, true
	}
	if found, ok := ingress(f, ch, name, said); ok {
		return found, true
	}
	return finding{selfCheck(ch, name, said), since}, true
}

func presentError(name, said string) Diagnosis {
	return Diagnosis{Cause: PresentError, Message: with(name+" cannot be presented", said), Next: "mend that: cert-manager tries again by itself"}
}

// ingress is for a self-check that must fail: nobody serves the Challenge's Ingress.
func ingress(f Facts, ch *Challenge, name, said string) (finding, bool) {
	if ch.Class != "" && f.Classes != nil && !slices.Contains(f.Classes, ch.Class) {
		return finding{Diagnosis{
			Cause:   IngressClassUnknown,
			Message: with(fmt.Sprintf("%s is served by nobody: its ingressClassName %q names no IngressClass", name, clip(ch.Class, maxName)), said),
			Next:    fmt.Sprintf("correct the solver of %s, then: kubectl delete order %s -n %s", f.Issuer.Ref, clip(f.Order.Name, maxName), f.Certificate.Namespace),
		}, later(ch.Created, ch.PresentedAt)}, true
	}
	for _, in := range f.Ingresses {
		if in.Challenge != ch.Name || in.Address {
			continue
		}
		return finding{Diagnosis{
			Cause:   IngressNoAddress,
			Message: with(fmt.Sprintf("no controller has given Ingress %s an address, which is for %s", f.Certificate.at(in.Name), name), said),
			Next:    "see that the solver's class is one that a running controller serves",
		}, later(in.Created, ch.PresentedAt)}, true
	}
	return finding{}, false
}

// wrongStatus is the text of a self-check that was answered (cert-manager, pkg/issuer/acme/http/http.go).
var wrongStatus = regexp.MustCompile(`wrong status code '(\d{3})', expected '200'`)

func selfCheck(ch *Challenge, name, said string) Diagnosis {
	domain := clip(ch.Domain, maxName)
	d := Diagnosis{Next: "see where http://" + domain + "/.well-known/acme-challenge/ leads from within the cluster"}
	code := ""
	if m := wrongStatus.FindStringSubmatch(said); m != nil {
		code = m[1]
	}
	switch {
	case code == "404":
		d.Cause, d.Message = SelfCheck404, fmt.Sprintf("the self-check of %s is answered 404: what answers does not know the solver's Ingress", name)
		d.Next = "see where the DNS of " + domain + " leads, and that the solver's class is served there"
	case code != "":
		d.Cause, d.Message = SelfCheckStatus, fmt.Sprintf("the self-check of %s is answered %s", name, code)
		d.Next = statusHelp(code)
	case strings.Contains(said, "did not get expected response"):
		d.Cause, d.Message = SelfCheckWrongBody, fmt.Sprintf("the self-check of %s is answered by somebody else", name)
		d.Next = "see where the DNS of " + domain + " leads, and which Ingress has that host"
	case strings.Contains(said, "self check GET request"), strings.Contains(said, "failed to read response body"):
		_, why, _ := strings.Cut(said, "': ") // after the URL, whose token says nothing
		if _, after, ok := strings.Cut(why, "\": "); ok && strings.HasPrefix(why, "Get ") {
			why = after
		}
		d.Cause, d.Message = SelfCheckConnect, with(fmt.Sprintf("the self-check of %s gets no answer", name), cmp.Or(why, said))
	default: // a self-check presents once more at first
		return presentError(name, said)
	}
	return d
}

func statusHelp(code string) string {
	switch code[0] {
	case '3':
		return "take the redirect off /.well-known/acme-challenge/, or let it end at the solver"
	case '5':
		return "see whether the pod and the Service of the solver run, and what their proxy says"
	default:
		return "let /.well-known/acme-challenge/ pass the access control in front of it"
	}
}
