package chain

import (
	"cmp"
	"fmt"
	"time"
)

// names are how the layers are called in a sentence.
var names = map[string]string{
	LayerIssuance: "the Certificate", LayerSecret: "the Secret", LayerMirror: "a mirror of the Secret", LayerPod: "the pods", LayerFront: "what serves it for others",
	LayerPublic: "the public address",
}

// sentence says what the tree shows.
func (a *assembly) sentence(t *Tree, f found) string {
	switch t.Verdict {
	case Stale:
		first := f.behind[0]
		text := fmt.Sprintf("The first stale layer is %s: %s", names[t.Layer], first.Name)
		if note := cmp.Or(a.why, first.Note); note != "" {
			text += " (" + note + ")"
		}
		if more := len(f.behind) - 1; more > 0 {
			text += fmt.Sprintf(", and %d more", more)
		}
		if a.f.UnderWay {
			text += fmt.Sprintf(". It was issued %s ago, and certwire is still bringing it", a.f.Now.Sub(a.f.Certificate.Issued).Round(time.Second))
		}
		return text + "."
	case Current:
		return fmt.Sprintf("Everything serves serial %s: %s.", a.want.Serial, countOf(f.seen))
	}
	switch {
	case a.want.Serial == "":
		return "Nobody knows what should be served: the CertificateRequest is gone, and the Secret could not be read."
	case f.seen == 0 && f.unseen == 0:
		return "Nothing that serves the certificate was found, so nothing can be said of the wire."
	case f.seen == 0:
		return fmt.Sprintf("What is served is not known: %s not be seen.", could(f.unseen))
	default:
		return fmt.Sprintf("What was seen is current, %s, but %s not be seen.", countOf(f.seen), could(f.unseen))
	}
}

func countOf(n int) string {
	if n == 1 {
		return "1 place"
	}
	return fmt.Sprintf("%d places", n)
}

func could(n int) string { return countOf(n) + " could" }
