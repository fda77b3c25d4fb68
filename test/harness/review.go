package harness

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/yaml"
)

// Review asks one replica about the creation of an object, as the API server does, and past it: nothing is stored, and
// nothing has been defaulted, pruned or validated before. The path is a hook's ("/guard"), the text the object's YAML.
func (r *Replica) Review(ctx context.Context, path, namespace, text string, dryRun bool) (*admissionv1.AdmissionResponse, error) {
	body, err := creation(namespace, text, dryRun)
	if err != nil {
		return nil, fmt.Errorf("building a review: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+r.Address+path+"?timeout=5s", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("building a review: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // it is a process of this machine
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking a replica: %w", err)
	}
	defer response.Body.Close()
	answer := &admissionv1.AdmissionReview{}
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		return nil, fmt.Errorf("reading a replica's answer (%s): %w", response.Status, err)
	}
	if answer.Response == nil {
		return nil, fmt.Errorf("reading a replica's answer (%s): there is no response in it", response.Status)
	}
	return answer.Response, nil
}

// creation is an AdmissionReview for an object that an administrator creates.
func creation(namespace, text string, dryRun bool) ([]byte, error) {
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return nil, err
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(raw); err != nil {
		return nil, err
	}
	object.SetNamespace(namespace)
	object.SetUID(uuid.NewUUID()) // the API server has given it one by then
	if raw, err = object.MarshalJSON(); err != nil {
		return nil, err
	}
	gvk := object.GroupVersionKind()
	kind := metav1.GroupVersionKind(gvk)
	resource := metav1.GroupVersionResource{Group: gvk.Group, Version: gvk.Version, Resource: strings.ToLower(gvk.Kind) + "s"}
	return json.Marshal(&admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: uuid.NewUUID(), Kind: kind, Resource: resource, RequestKind: &kind, RequestResource: &resource,
			Name: object.GetName(), Namespace: namespace, Operation: admissionv1.Create,
			UserInfo: authenticationv1.UserInfo{Username: "admin", Groups: []string{"system:masters", "system:authenticated"}},
			Object:   runtime.RawExtension{Raw: raw}, DryRun: &dryRun,
			Options: runtime.RawExtension{Raw: []byte(`{"kind":"CreateOptions","apiVersion":"meta.k8s.io/v1"}`)},
		},
	})
}
