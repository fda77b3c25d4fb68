package certs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// apiServer is a small fake of the API server, over real HTTP: objects as JSON, list and watch of one object by its
// name, optimistic locking, JSON patches. client-go's fake clientset would do less: it knows no conflicts, and
// cert-manager's authority makes its own client. What a real API server does is covered by the end-to-end tests.
//
// It lets nobody list or watch more than one object by name, as RBAC with resourceNames would not.
type apiServer struct {
	t      *testing.T
	server *httptest.Server

	mu      sync.Mutex
	version int
	objects map[string][]byte // by collection/name
	events  []event
	news    chan struct{} // closed at the next event
	asked   map[string]int
	// before, if set, may change things just before a patch is carried out.
	before func(path string)
}

type event struct {
	path    string
	version int
	line    []byte
}

const (
	secrets            = "/api/v1/namespaces/certwire/secrets"
	mutatingWebhooks   = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
	validatingWebhooks = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
)

var kinds = map[string][2]string{
	secrets:            {"v1", "Secret"},
	mutatingWebhooks:   {"admissionregistration.k8s.io/v1", mutatingKind},
	validatingWebhooks: {"admissionregistration.k8s.io/v1", validatingKind},
}

func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	a := &apiServer{t: t, objects: map[string][]byte{}, news: make(chan struct{}), asked: map[string]int{}}
	a.server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(func() {
		a.server.CloseClientConnections() // watches do not end by themselves
		a.server.Close()
	})
	return a
}

func (a *apiServer) config() *rest.Config {
	// The generated clients prefer protobuf, which this server does not speak.
	json := rest.ContentConfig{ContentType: "application/json", AcceptContentTypes: "application/json"}
	return &rest.Config{Host: a.server.URL, QPS: -1, ContentConfig: json}
}

// applyMutating is what an installer does: the configuration as in its manifest, with these caBundles or none.
func (a *apiServer) applyMutating(bundles ...[]byte) {
	object := &admissionregistrationv1.MutatingWebhookConfiguration{}
	for i, bundle := range bundles {
		object.Webhooks = append(object.Webhooks, admissionregistrationv1.MutatingWebhook{
			Name: fmt.Sprintf("w%d", i), ClientConfig: admissionregistrationv1.WebhookClientConfig{CABundle: bundle},
		})
	}
	a.put(mutatingWebhooks, "certwire", object)
}

func (a *apiServer) applyValidating(bundles ...[]byte) {
	object := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	for i, bundle := range bundles {
		object.Webhooks = append(object.Webhooks, admissionregistrationv1.ValidatingWebhook{
			Name: fmt.Sprintf("w%d", i), ClientConfig: admissionregistrationv1.WebhookClientConfig{CABundle: bundle},
		})
	}
	a.put(validatingWebhooks, "certwire", object)
}

// bundles returns the caBundles of both configurations, as an API server would use them.
func (a *apiServer) bundles() (all [][]byte) {
	for _, collection := range []string{mutatingWebhooks, validatingWebhooks} {
		var object struct {
			Webhooks []struct {
				ClientConfig struct{ CABundle []byte }
			}
		}
		a.get(collection, "certwire", &object)
		for _, webhook := range object.Webhooks {
			all = append(all, webhook.ClientConfig.CABundle)
		}
	}
	return all
}

func (a *apiServer) secretCA() []byte {
	var secret corev1.Secret
	a.get(secrets, "certwire-ca", &secret)
	return secret.Data[corev1.TLSCertKey]
}

// requests returns what was asked, sorted, as "VERB collection".
func (a *apiServer) requests() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(maps.Keys(a.asked))
}

// changes returns how often an object of the collection was changed, once it was there.
func (a *apiServer) changes(collection string) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, event := range a.events {
		if strings.HasPrefix(event.path, collection) && bytes.HasPrefix(event.line, []byte(`{"type":"MODIFIED"`)) {
			n++
		}
	}
	return n
}

func (a *apiServer) get(collection, name string, into any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if data, ok := a.objects[collection+"/"+name]; ok {
		if err := json.Unmarshal(data, into); err != nil {
			a.t.Error(err)
		}
	}
}

func (a *apiServer) put(collection, name string, object any) {
	data, err := json.Marshal(object)
	if err != nil {
		a.t.Error(err)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.store(collection, name, data)
}

func (a *apiServer) remove(collection, name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	path := collection + "/" + name
	a.version++
	a.announce("DELETED", path, a.objects[path])
	delete(a.objects, path)
}

// store writes an object; the caller holds mu.
func (a *apiServer) store(collection, name string, data []byte) []byte {
	path := collection + "/" + name
	var object map[string]any
	if err := json.Unmarshal(data, &object); err != nil {
		a.t.Error(err)
		return nil
	}
	a.version++
	metadata, _ := object["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
	}
	metadata["name"], metadata["resourceVersion"] = name, strconv.Itoa(a.version)
	if collection == secrets {
		metadata["namespace"] = "certwire"
	}
	object["apiVersion"], object["kind"], object["metadata"] = kinds[collection][0], kinds[collection][1], metadata
	data, err := json.Marshal(object)
	if err != nil {
		a.t.Error(err)
	}
	change := "MODIFIED"
	if _, ok := a.objects[path]; !ok {
		change = "ADDED"
	}
	a.objects[path] = data
	a.announce(change, path, data)
	return data
}

func (a *apiServer) announce(change, path string, object []byte) {
	line := fmt.Appendf(nil, `{"type":%q,"object":%s}`+"\n", change, object)
	a.events = append(a.events, event{path: path, version: a.version, line: line})
	close(a.news)
	a.news = make(chan struct{})
}

func (a *apiServer) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	collection, name := r.URL.Path, ""
	if _, ok := kinds[collection]; !ok {
		slash := strings.LastIndex(r.URL.Path, "/")
		collection, name = r.URL.Path[:slash], r.URL.Path[slash+1:]
	}
	verb := r.Method
	if r.URL.Query().Has("watch") {
		verb = "WATCH"
	}
	a.mu.Lock()
	a.asked[verb+" "+collection]++
	before := a.before
	a.mu.Unlock()

	if verb == "GET" || verb == "WATCH" {
		selected, ok := strings.CutPrefix(r.URL.Query().Get("fieldSelector"), "metadata.name=")
		if !ok {
			fail(w, http.StatusForbidden, metav1.StatusReasonForbidden)
			return
		}
		if verb == "GET" {
			a.list(w, collection, selected)
		} else {
			a.watch(w, r, collection+"/"+selected)
		}
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		a.t.Error(err)
	}
	if verb == http.MethodPatch && before != nil {
		before(r.URL.Path)
	}
	a.write(w, verb, collection, name, body)
}

func (a *apiServer) list(w io.Writer, collection, name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fmt.Fprintf(w, `{"apiVersion":%q,"kind":"%sList","metadata":{"resourceVersion":"%d"},"items":[%s]}`,
		kinds[collection][0], kinds[collection][1], a.version, a.objects[collection+"/"+name])
}

func (a *apiServer) watch(w http.ResponseWriter, r *http.Request, path string) {
	if r.URL.Query().Has("sendInitialEvents") {
		fail(w, http.StatusUnprocessableEntity, metav1.StatusReasonInvalid) // as an old API server: then they list
		return
	}
	seen, err := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	if err != nil {
		a.t.Error(err)
	}
	w.WriteHeader(http.StatusOK)
	for {
		var lines [][]byte
		a.mu.Lock()
		for _, event := range a.events {
			if event.version > seen && event.path == path {
				lines = append(lines, event.line)
			}
		}
		seen = a.version
		news := a.news
		a.mu.Unlock()
		for _, line := range lines {
			_, _ = w.Write(line)
		}
		w.(http.Flusher).Flush()
		select {
		case <-news:
		case <-r.Context().Done():
			return
		}
	}
}

func (a *apiServer) write(w http.ResponseWriter, verb, collection, name string, body []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	type named struct {
		Metadata struct{ Name, ResourceVersion string }
	}
	var given, stored named
	if verb == http.MethodPost {
		_ = json.Unmarshal(body, &given)
		name = given.Metadata.Name
	}
	old, exists := a.objects[collection+"/"+name]
	switch {
	case verb == http.MethodPost && exists:
		fail(w, http.StatusConflict, metav1.StatusReasonAlreadyExists)
		return
	case verb != http.MethodPost && !exists:
		fail(w, http.StatusNotFound, metav1.StatusReasonNotFound)
		return
	case verb == http.MethodPatch:
		patch, err := jsonpatch.DecodePatch(body)
		if err == nil {
			body, err = patch.Apply(old)
		}
		if err != nil {
			fail(w, http.StatusUnprocessableEntity, metav1.StatusReasonInvalid)
			return
		}
	}
	_, _ = json.Unmarshal(body, &given), json.Unmarshal(old, &stored)
	if exists && given.Metadata.ResourceVersion != stored.Metadata.ResourceVersion {
		fail(w, http.StatusConflict, metav1.StatusReasonConflict)
		return
	}
	_, _ = w.Write(a.store(collection, name, body))
}

func fail(w http.ResponseWriter, code int, reason metav1.StatusReason) {
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure, Code: int32(code), Reason: reason, Message: string(reason),
	})
}
