package certs

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fieldManager is under which name the bundler writes, and published finds when it last did.
const fieldManager = "certwire-certs"

const (
	mutatingKind   = "MutatingWebhookConfiguration"
	validatingKind = "ValidatingWebhookConfiguration"
)

// configuration is what this package needs of a webhook configuration of either kind.
type configuration struct {
	kind, name      string
	resourceVersion string
	// bundles are the caBundles, one for each webhook, in order.
	bundles [][]byte
	// written is when the bundler last wrote to it, zero if unknown.
	written time.Time
}

// key names the configuration in logs, errors and maps.
func (c configuration) key() string { return c.kind + "/" + c.name }

// asConfiguration reads an object of an informer; ok is false if it is none of ours.
func asConfiguration(object any) (c configuration, ok bool) {
	switch object := object.(type) {
	case *admissionregistrationv1.MutatingWebhookConfiguration:
		c = metadata(mutatingKind, object)
		for i := range object.Webhooks {
			c.bundles = append(c.bundles, object.Webhooks[i].ClientConfig.CABundle)
		}
		return c, true
	case *admissionregistrationv1.ValidatingWebhookConfiguration:
		c = metadata(validatingKind, object)
		for i := range object.Webhooks {
			c.bundles = append(c.bundles, object.Webhooks[i].ClientConfig.CABundle)
		}
		return c, true
	}
	return configuration{}, false
}

func metadata(kind string, object metav1.Object) configuration {
	c := configuration{kind: kind, name: object.GetName(), resourceVersion: object.GetResourceVersion()}
	for _, entry := range object.GetManagedFields() {
		if entry.Manager == fieldManager && entry.Time != nil && entry.Time.After(c.written) {
			c.written = entry.Time.Time
		}
	}
	return c
}

// operation is one of RFC 6902.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// patch returns the JSON patch that makes every caBundle what want says of it, nil if all of them are. It names the
// resourceVersion that it was made for: webhooks are addressed by position, which another writer may have changed.
func (c configuration) patch(want func(existing []byte) []byte) ([]byte, error) {
	var operations []operation
	for i, existing := range c.bundles {
		if wanted := want(existing); !slices.Equal(wanted, existing) {
			// "add" also replaces, so it fits whether there is a caBundle or not.
			path := fmt.Sprintf("/webhooks/%d/clientConfig/caBundle", i)
			operations = append(operations, operation{Op: "add", Path: path, Value: wanted})
		}
	}
	if len(operations) == 0 {
		return nil, nil
	}
	// The API server answers a replaced resourceVersion that is not the stored one with a conflict.
	guard := operation{Op: "replace", Path: "/metadata/resourceVersion", Value: c.resourceVersion}
	patch, err := json.Marshal(append([]operation{guard}, operations...))
	if err != nil {
		return nil, fmt.Errorf("encoding the patch of %s: %w", c.key(), err)
	}
	return patch, nil
}
