package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// contender is one way to get the annotation, or none.
type contender string

const (
	noWebhook   contender = "none"
	noopWebhook contender = "noop"
	// constantPatch does no work and patches all the same: what the API server itself needs for a patch is in there.
	constantPatch contender = "constant"
	policy        contender = "policy"
	certwire      contender = "certwire"
)

var contenders = []contender{noWebhook, noopWebhook, constantPatch, policy, certwire}

func (c contender) namespace() string { return "bench-" + string(c) }

// title is the contender's name in tables.
func (c contender) title() string {
	return map[contender]string{
		noWebhook: "no webhook", noopWebhook: "no-op webhook", constantPatch: "the same patch always",
		policy: "CEL policy with lookup", certwire: "certwire",
	}[c]
}

// looksUp reports whether it finds out by itself which Secrets are certificates'.
func (c contender) looksUp() bool { return c == policy || c == certwire }

// annotates reports whether it is to add the annotation.
func (c contender) annotates() bool { return c.looksUp() || c == constantPatch }

// object is a Deployment by what certwire finds in it.
type object string

const (
	needs   object = "needs the annotation"
	carries object = "carries it already"
	plain   object = "Secrets, no certificate"
	without object = "no Secret at all"
)

var objects = []object{needs, carries, plain, without}

const (
	reloadKey         = "secret.reloader.stakater.com/reload"
	statusKey         = "certwire.dev/status"
	certificateSecret = "bench-tls"
	// named is where a template's body takes the object's name.
	named = "NAME-OF-THE-OBJECT"
)

//go:embed objects/deployment.yaml
var deploymentYAML []byte

// template is a request's body but for the object's name.
type template []byte

func (t template) named(name string) []byte { return bytes.ReplaceAll(t, []byte(named), []byte(name)) }

// newTemplate is the Deployment with a change.
func newTemplate(change func(d map[string]any)) (template, error) {
	var d map[string]any
	if err := yaml.Unmarshal(deploymentYAML, &d); err != nil {
		return nil, fmt.Errorf("reading the Deployment: %w", err)
	}
	at(d, "metadata")["name"] = named
	change(d)
	raw, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encoding the Deployment: %w", err)
	}
	return raw, nil
}

// at returns the map under a path of keys, all of which are there.
func at(m map[string]any, path ...string) map[string]any {
	for _, key := range path {
		m, _ = m[key].(map[string]any)
	}
	return m
}

// volumes returns the pod template's volumes.
func volumes(d map[string]any) []map[string]any {
	list, _ := at(d, "spec", "template", "spec")["volumes"].([]any)
	var out []map[string]any
	for _, v := range list {
		if volume, ok := v.(map[string]any); ok {
			out = append(out, volume)
		}
	}
	return out
}

// mount replaces the certificate's Secret by another.
func mount(secret string) func(map[string]any) {
	return func(d map[string]any) {
		for _, v := range volumes(d) {
			if s := at(v, "secret"); s["secretName"] == certificateSecret {
				s["secretName"] = secret
			}
		}
	}
}

func withoutSecrets(d map[string]any) {
	for _, v := range volumes(d) {
		if s := at(v, "secret"); s != nil {
			v["configMap"] = map[string]any{"name": s["secretName"], "defaultMode": s["defaultMode"]}
			delete(v, "secret")
		}
	}
}

// prepareObjects makes the templates. What an object carries that has been through certwire is asked of certwire.
func (b *bench) prepareObjects(ctx context.Context) error {
	b.objects = map[object]template{}
	for o, change := range map[object]func(map[string]any){
		needs: func(map[string]any) {}, plain: mount("bench-token"), without: withoutSecrets,
	} {
		t, err := newTemplate(change)
		if err != nil {
			return err
		}
		b.objects[o] = t
	}
	if err := b.grow(ctx, 1); err != nil {
		return err
	}
	annotations, err := b.try(ctx, certwire, certificateSecret)
	if err != nil {
		return err
	}
	if annotations[statusKey] == "" {
		return fmt.Errorf("certwire's status is not among %v", slices.Sorted(maps.Keys(annotations)))
	}
	b.objects[carries], err = newTemplate(func(d map[string]any) {
		for key, value := range annotations {
			at(d, "metadata", "annotations")[key] = value
		}
	})
	return err
}

// try creates (dry-run) a Deployment that mounts a Secret, and returns its annotations.
func (b *bench) try(ctx context.Context, c contender, secret string) (map[string]string, error) {
	t, err := newTemplate(mount(secret))
	if err != nil {
		return nil, err
	}
	b.count(c, needs)
	raw, err := b.create(ctx, c, t.named("probe"))
	if err != nil {
		return nil, err
	}
	return annotationsOf(raw)
}

// create posts a Deployment as a dry run.
func (b *bench) create(ctx context.Context, c contender, body []byte) ([]byte, error) {
	raw, err := b.cluster.Client.CoreV1().RESTClient().Post().
		AbsPath("/apis/apps/v1/namespaces", c.namespace(), "deployments").Param("dryRun", "All").
		SetHeader("Content-Type", "application/json").SetHeader("Accept", "application/json").Body(body).DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("creating a Deployment in %s: %w: %s", c.namespace(), err, strings.TrimSpace(string(raw)))
	}
	return raw, nil
}

func annotationsOf(raw []byte) (map[string]string, error) {
	var o struct {
		Metadata struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, fmt.Errorf("reading an answer: %w", err)
	}
	return o.Metadata.Annotations, nil
}

// check fails unless an answer carries the annotation where it is due, and nowhere else.
func check(c contender, o object, raw []byte) error {
	annotations, err := annotationsOf(raw)
	if err != nil {
		return err
	}
	want := ""
	if o == carries || (o == needs && c.annotates()) {
		want = certificateSecret
	}
	if got := annotations[reloadKey]; got != want {
		return fmt.Errorf("%s, object that %s: the annotation is %q, want %q", c.title(), o, got, want)
	}
	return nil
}
