package policy

import "testing"

func TestUnrehearsedChange(t *testing.T) {
	t.Parallel()
	const (
		prod, stage = "https://acme-v02.api.letsencrypt.org/directory", "https://acme-staging-v02.api.letsencrypt.org/directory"
		http, dns   = `[{http01: {}}]`, `[{dns01: {}}]`
	)
	issuer := func(name, server, rest string) string {
		return `{metadata: {name: ` + name + `}, spec: {acme: {server: "` + server + `", ` + rest + `}}}`
	}
	twin := func(name, rest string, ready bool) Issuer {
		o := parse(t, ClusterIssuer, issuer(name, stage, rest))
		i := NewIssuer(*o.Issuer, o.ACME(), directories(t))
		i.Ready = ready
		return i
	}
	used := func(twins ...Issuer) func(*Request) {
		return func(r *Request) {
			r.Namespace, r.StagingHost = "", "acme-staging-v02.api.letsencrypt.org"
			r.Users, r.Rehearsals = []User{{Namespace: "shop", Name: "web"}, {Namespace: "shop", Name: "api"}}, twins
		}
	}
	const (
		what = "ClusterIssuer le is used by 2 Certificates, and this change has not worked on staging yet"
		more = "more: https://github.com/certwire/certwire/blob/main/docs/rules.md#unrehearsed-change"
	)
	changed := issuer("le", prod, "solvers: "+dns)
	before := was(t, issuer("le", prod, "solvers: "+http))
	for sentence, c := range map[string]expectation{
		"without any issuer at staging": {
			request: built(t, ClusterIssuer, changed, used(), before), reason: ReasonUnrehearsedChange,
			warnings: []string{what, "make one like it with server acme-staging-v02.api.letsencrypt.org, and issue from that first", more},
		},
		"with one of other solvers": {
			request: built(t, ClusterIssuer, changed, used(twin("a", "solvers: "+http, true)), before), reason: ReasonUnrehearsedChange,
			warnings: []string{what, "ClusterIssuer a has other solvers: change it there, and issue from that first", more},
		},
		"with one of the same that is not ready": {
			request: built(t, ClusterIssuer, changed, used(twin("a", "solvers: "+http, true), twin("b", "solvers: "+dns, false)), before), reason: ReasonUnrehearsedChange,
			warnings: []string{what, "ClusterIssuer b has the same solvers but is not Ready: see why first", more},
		},
		"with one of another profile": {
			request: built(t, ClusterIssuer, changed, used(twin("a", "profile: shortlived, solvers: "+dns, true)), before), reason: ReasonUnrehearsedChange,
			warnings: []string{what, "ClusterIssuer a has another profile: change it there, and issue from that first", more},
		},
		"with a rehearsal it is fine":              {request: built(t, ClusterIssuer, changed, used(twin("a", "solvers: "+http, true), twin("b", "solvers: "+dns, true)), before)},
		"a new profile needs one too":              {request: built(t, ClusterIssuer, issuer("le", prod, "profile: x, solvers: "+http), used(twin("a", "solvers: "+http, true)), before), reason: ReasonUnrehearsedChange},
		"a new external account needs one too":     {request: built(t, ClusterIssuer, issuer("le", prod, "externalAccountBinding: {keyID: x, keySecretRef: {name: s}}, solvers: "+http), used(), before), reason: ReasonUnrehearsedChange},
		"an issuer moved from staging had its own": {request: built(t, ClusterIssuer, issuer("le", prod, "solvers: "+http), used(twin("le", "solvers: "+http, true)), was(t, issuer("le", stage, "solvers: "+http)))},
		"but not when its solvers change as well": {
			request: built(t, ClusterIssuer, changed, used(twin("le", "solvers: "+http, true)), was(t, issuer("le", stage, "solvers: "+http))), reason: ReasonUnrehearsedChange,
			warnings: []string{what, "make one like it with server acme-staging-v02.api.letsencrypt.org, and issue from that first", more},
		},
		"another e-mail address needs none":        {request: built(t, ClusterIssuer, issuer("le", prod, "email: x@example.com, solvers: "+http), used(), before), unchanged: true},
		"an issuer that nobody uses":               {request: built(t, ClusterIssuer, changed, used(), before, func(r *Request) { r.Users = nil })},
		"a CA without a staging directory":         {request: built(t, ClusterIssuer, changed, used(), before, func(r *Request) { r.StagingHost = "" })},
		"an issuer at a staging directory":         {request: built(t, ClusterIssuer, issuer("le", stage, "solvers: "+dns), used(), before)},
		"a new issuer":                             {request: built(t, ClusterIssuer, changed, used())},
		"an Issuer is asked as a ClusterIssuer is": {request: built(t, IssuerKind, changed, used(), before), reason: ReasonUnrehearsedChange},
	} {
		t.Run(sentence, func(t *testing.T) { t.Parallel(); c.check(t, unrehearsedChange) })
	}
}
