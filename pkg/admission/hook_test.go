package admission

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

func TestReloadFailsOpen(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		cluster cluster
		body    string
		failure string
	}{
		"while the caches fill":                {cluster{notReady: errors.New("filling")}, reviewOf("apps", "Deployment", "CREATE", workload, ""), "reload cache"},
		"when nobody knows the namespace":      {cluster{noNamespaces: errors.New("away")}, reviewOf("apps", "Deployment", "CREATE", workload, ""), "reload lookup"},
		"on a panic":                           {cluster{labels: optedIn, panics: true}, reviewOf("apps", "Deployment", "CREATE", workload, ""), "reload panic"},
		"on an object of the wrong shape":      {cluster{labels: optedIn}, reviewOf("apps", "Deployment", "CREATE", `{"metadata":{"annotations":7}}`, ""), "reload decode"},
		"on a workload whose template is text": {cluster{labels: optedIn}, reviewOf("apps", "StatefulSet", "UPDATE", `{"spec":{"template":"x"}}`, ""), "reload decode"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			h, n := newHook(t, "reload", c.cluster)
			a := post(t, h, c.body)
			if !a.Response.Allowed || a.Response.UID != "u-1" || len(a.Response.Patch) > 0 || len(a.Response.Warnings) != 1 || a.Response.Audit["error"] == "" {
				t.Errorf("answer %s", a.text)
			}
			if !slices.Equal(n.failures, []string{c.failure}) {
				t.Errorf("counted %v, want %s", n.failures, c.failure)
			}
		})
	}
}

func TestGuardFailsByHook(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]cluster{
		"while the caches fill":           {notReady: errors.New("filling")},
		"when nobody knows the namespace": {noNamespaces: errors.New("away")},
		"on a panic":                      {labels: optedIn, panics: true},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			open, _ := newHook(t, "guard", c)
			if a := post(t, open, reviewOf("cert-manager.io", "Certificate", "CREATE", order, "")); !a.Response.Allowed || len(a.Response.Warnings) != 1 {
				t.Errorf("people's requests do not fail open: %s", a.text)
			}
			closed, _ := newHook(t, "orders", c)
			body := reviewOf("acme.cert-manager.io", "Order", "CREATE", order, "")
			a := post(t, closed, body)
			if a.Response.Allowed || a.Response.Status.Code != http.StatusForbidden || !strings.Contains(a.Response.Status.Message, "tries again by itself") {
				t.Errorf("Orders do not fail closed: %s", a.text)
			}
			if again := post(t, closed, body); again.text != a.text {
				t.Errorf("the text is not stable:\n%s\n%s", a.text, again.text)
			}
		})
	}
	t.Run("on an Order of the wrong shape", func(t *testing.T) {
		t.Parallel()
		closed, _ := newHook(t, "orders", cluster{labels: optedIn})
		if a := post(t, closed, reviewOf("acme.cert-manager.io", "Order", "CREATE", `{"spec":{"issuerRef":[]}}`, "")); a.Response.Allowed {
			t.Errorf("let through: %s", a.text)
		}
	})
}

func TestNotAReview(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		method, media, body string
		code                int
	}{
		"another method":        {http.MethodGet, "application/json", "", http.StatusMethodNotAllowed},
		"another content type":  {http.MethodPost, "text/yaml", "a: b", http.StatusUnsupportedMediaType},
		"no content type":       {http.MethodPost, "", "{}", http.StatusUnsupportedMediaType},
		"nothing":               {http.MethodPost, "application/json", "", http.StatusBadRequest},
		"truncated":             {http.MethodPost, "application/json", reviewOf("apps", "Deployment", "CREATE", workload, "")[:200], http.StatusBadRequest},
		"an array":              {http.MethodPost, "application/json", "[]", http.StatusBadRequest},
		"a review without uid":  {http.MethodPost, "application/json", `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{}}`, http.StatusBadRequest},
		"a review of v1beta1":   {http.MethodPost, "application/json", strings.Replace(reviewOf("apps", "Deployment", "CREATE", workload, ""), "k8s.io/v1", "k8s.io/v1beta1", 1), http.StatusBadRequest},
		"an alien object":       {http.MethodPost, "application/json", `{"kind":"Pod","apiVersion":"v1"}`, http.StatusBadRequest},
		"a request that is not": {http.MethodPost, "application/json", `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":[]}`, http.StatusBadRequest},
		"more than the limit":   {http.MethodPost, "application/json", `{"x":"` + strings.Repeat("a", MaxBody) + `"}`, http.StatusRequestEntityTooLarge},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			for _, name := range []string{"reload", "guard", "orders"} {
				h, n := newHook(t, name, cluster{labels: optedIn})
				r := httptest.NewRequest(c.method, "/", strings.NewReader(c.body))
				r.Header.Set("Content-Type", c.media)
				r.ContentLength = -1 // as with chunks: the reader has to notice itself
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Code != c.code || strings.Count(strings.TrimSpace(w.Body.String()), "\n") > 0 {
					t.Errorf("%s: code %d, want %d: %s", name, w.Code, c.code, w.Body)
				}
				if len(n.failures) == 0 {
					t.Errorf("%s: not counted", name)
				}
			}
		})
	}
}

func TestDrainingEndsConnections(t *testing.T) {
	t.Parallel()
	h, _ := newHook(t, "reload", cluster{labels: optedIn})
	h.Draining = &atomic.Bool{}
	connection := func() string {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(reviewOf("apps", "Deployment", "CREATE", workload, "")))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Errorf("code %d", w.Code)
		}
		return w.Header().Get("Connection")
	}
	if c := connection(); c != "" {
		t.Errorf("connection %q", c)
	}
	h.Draining.Store(true)
	if c := connection(); c != "close" {
		t.Errorf("connection %q while draining", c)
	}
}

func TestWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	reload, _ := newHook(t, "reload", cluster{labels: optedIn})
	guard, _ := newHook(t, "orders", cluster{labels: optedIn, issuer: productionIssuer})
	for sentence, a := range map[string]answer{
		"a Pod":                          post(t, reload, reviewOf("", "Pod", "CREATE", workload, "")),
		"a Deployment of another group":  post(t, reload, reviewOf("example.com", "Deployment", "CREATE", workload, "")),
		"a deletion":                     post(t, reload, reviewOf("apps", "Deployment", "DELETE", "null", workload)),
		"an Order's deletion":            post(t, guard, reviewOf("acme.cert-manager.io", "Order", "DELETE", "null", order)),
		"an Order's status":              post(t, guard, strings.Replace(reviewOf("acme.cert-manager.io", "Order", "UPDATE", order, order), `"namespace"`, `"subResource":"status","namespace"`, 1)),
		"an Order that has not changed":  post(t, guard, reviewOf("acme.cert-manager.io", "Order", "UPDATE", order, order)),
		"an Order that is being deleted": post(t, guard, reviewOf("acme.cert-manager.io", "Order", "UPDATE", strings.Replace(order, `"name":"web-1"`, `"deletionTimestamp":"x"`, 1), order)),
	} {
		if !a.Response.Allowed || len(a.Response.Patch) > 0 || len(a.Response.Warnings) > 0 {
			t.Errorf("%s: %s", sentence, a.text)
		}
	}
	if a := post(t, guard, reviewOf("acme.cert-manager.io", "Order", "CREATE", order, "")); a.Response.Allowed {
		t.Errorf("the Order itself: %s", a.text)
	}
}

func TestReloadWithoutCertManagerTakesNothingAway(t *testing.T) {
	t.Parallel()
	ours := strings.Replace(workload, `"name":"web"`, `"name":"web","annotations":{"certwire.dev/status":"{\"added\":{\"secret.reloader.stakater.com/reload\":[\"web-tls\"]}}","secret.reloader.stakater.com/reload":"web-tls"}`, 1)
	h, _ := newHook(t, "reload", cluster{labels: optedIn, missing: true})
	if a := post(t, h, reviewOf("apps", "Deployment", "UPDATE", ours, workload)); !a.Response.Allowed || len(a.Response.Patch) > 0 {
		t.Errorf("answer %s", a.text)
	}
}

func TestBreakGlassThatCannotBeCheckedStaysShut(t *testing.T) {
	t.Parallel()
	h, _ := newHook(t, "orders", cluster{labels: optedIn, issuer: productionIssuer})
	glass := strings.Replace(order, `"name":"web-1"`, `"name":"web-1","annotations":{"certwire.dev/break-glass":"now"}`, 1)
	a := post(t, h, reviewOf("acme.cert-manager.io", "Order", "CREATE", glass, ""))
	if a.Response.Allowed || !strings.Contains(a.Response.Status.Message, "could not be checked") {
		t.Errorf("answer %s", a.text)
	}
}

func TestDueRenewalPassesTheGate(t *testing.T) {
	t.Parallel()
	h, n := newHook(t, "orders", cluster{labels: optedIn, issuer: productionIssuer, renewal: true})
	a := post(t, h, reviewOf("acme.cert-manager.io", "Order", "CREATE", order, ""))
	if !a.Response.Allowed || a.Response.Audit["reason"] != "due-renewal" {
		t.Errorf("answer %s", a.text)
	}
	if !slices.Equal(n.decisions, []string{"orders warn due-renewal CREATE false"}) {
		t.Errorf("counted %v", n.decisions)
	}
}

func TestWarningsFitTheWire(t *testing.T) {
	t.Parallel()
	out, err := allowed("u", nil, "a\nb\tc\x00", strings.Repeat("ü", 200), "bad \xff bytes").encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"a b c "`, `"` + strings.Repeat("ü", 119) + `…"`, `"bad ? bytes"`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%s is not in %s", want, out)
		}
	}
}
