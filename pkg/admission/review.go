package admission

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"gomodules.xyz/jsonpatch/v2"
)

const reviewVersion = "admission.k8s.io/v1"

// review is an AdmissionReview (k8s.io/api admission/v1) with the admitted object decoded as T, in one pass over the
// bytes.
type review[T any] struct {
	APIVersion string      `json:"apiVersion"`
	Kind       string      `json:"kind"`
	Request    *request[T] `json:"request"`
}

// request is the part of AdmissionRequest that certwire reads.
type request[T any] struct {
	UID         string           `json:"uid"`
	Kind        groupVersionKind `json:"kind"`
	SubResource string           `json:"subResource"`
	Name        string           `json:"name"`
	Namespace   string           `json:"namespace"`
	Operation   string           `json:"operation"`
	UserInfo    userInfo         `json:"userInfo"`
	Object      T                `json:"object"`
	OldObject   jsontext.Value   `json:"oldObject"`
	DryRun      bool             `json:"dryRun"`
}

type groupVersionKind struct {
	Group string `json:"group"`
	Kind  string `json:"kind"`
}

type userInfo struct {
	Username string              `json:"username"`
	UID      string              `json:"uid"`
	Groups   []string            `json:"groups"`
	Extra    map[string][]string `json:"extra"`
}

// decode reads a review. Objects may hold members twice or bytes that are not UTF-8 only in parts that certwire skips
// anyway; elsewhere they are errors.
func decode[T any](body []byte) (*request[T], error) {
	var r review[T]
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, fmt.Errorf("decoding the AdmissionReview: %w", err)
	}
	switch {
	case r.APIVersion != reviewVersion || r.Kind != "AdmissionReview":
		return nil, fmt.Errorf("decoding the AdmissionReview: it is %q of %q, want AdmissionReview of %s", r.Kind, r.APIVersion, reviewVersion)
	case r.Request == nil || r.Request.UID == "":
		return nil, fmt.Errorf("decoding the AdmissionReview: it has no request with a uid")
	}
	return r.Request, nil
}

// Response is the answer to one review. Build it with [allowed], [patched], [denied] and do not change it afterwards.
type Response struct {
	UID      string
	Allowed  bool
	Message  string
	Patch    []jsonpatch.Operation
	Warnings []string
	Audit    map[string]string
}

func allowed(uid string, audit map[string]string, warnings ...string) Response {
	return Response{UID: uid, Allowed: true, Audit: audit, Warnings: warnings}
}

func patched(uid string, patch []jsonpatch.Operation, audit map[string]string, warnings []string) Response {
	return Response{UID: uid, Allowed: true, Patch: patch, Audit: audit, Warnings: warnings}
}

func denied(uid, message string, audit map[string]string, warnings ...string) Response {
	return Response{UID: uid, Message: message, Audit: audit, Warnings: warnings}
}

type wireReview struct {
	APIVersion string       `json:"apiVersion"`
	Kind       string       `json:"kind"`
	Response   wireResponse `json:"response"`
}

type wireResponse struct {
	UID       string            `json:"uid"`
	Allowed   bool              `json:"allowed"`
	Status    *wireStatus       `json:"status,omitempty"`
	Patch     []byte            `json:"patch,omitempty"`
	PatchType string            `json:"patchType,omitempty"`
	Audit     map[string]string `json:"auditAnnotations,omitempty"`
	Warnings  []string          `json:"warnings,omitempty"`
}

type wireStatus struct {
	Code    int    `json:"code"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// encode writes the response as an AdmissionReview.
func (r Response) encode() ([]byte, error) {
	w := wireResponse{UID: r.UID, Allowed: r.Allowed, Audit: r.Audit}
	for _, line := range r.Warnings {
		w.Warnings = append(w.Warnings, oneLine(line, maxWarning))
	}
	if !r.Allowed {
		w.Status = &wireStatus{Code: 403, Reason: "Forbidden", Message: oneLine(r.Message, maxMessage)}
	}
	if len(r.Patch) > 0 {
		w.PatchType = "JSONPatch"
		w.Patch = append(w.Patch, '[')
		for i, op := range r.Patch {
			raw, err := op.MarshalJSON()
			if err != nil {
				return nil, fmt.Errorf("encoding the patch: %w", err)
			}
			if i > 0 {
				w.Patch = append(w.Patch, ',')
			}
			w.Patch = append(w.Patch, raw...)
		}
		w.Patch = append(w.Patch, ']')
	}
	out, err := json.Marshal(wireReview{APIVersion: reviewVersion, Kind: "AdmissionReview", Response: w}, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("encoding the response: %w", err)
	}
	return out, nil
}

const (
	// maxWarning is the longest warning that Kubernetes asks for (k8s.io/api admission/v1, AdmissionResponse.Warnings).
	maxWarning = 120
	// maxMessage keeps a refusal readable in a CertificateRequest's condition, where cert-manager copies it.
	maxMessage = 1024
)

// oneLine replaces control characters, which would make the API server drop the line, and shortens it.
func oneLine(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) <= limit {
		return s
	}
	if runes := []rune(s); len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return s
}
