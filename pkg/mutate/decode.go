package mutate

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Decode reads a workload from its JSON. Unknown fields are skipped; a field of the wrong type, a key that occurs twice
// or bytes that are not UTF-8 are errors.
func Decode(object []byte) (*Workload, error) {
	w := &Workload{}
	if err := json.Unmarshal(object, w); err != nil {
		return nil, fmt.Errorf("decoding the workload: %w", err)
	}
	return w, nil
}

// Volumes, EnvVars and VolumeMounts are lists that keep only the items that can matter: most of a pod template names no
// Secret, and is not worth the memory.
type (
	// Volumes keeps those with a Secret source.
	Volumes []Volume
	// EnvVars keeps those from a Secret.
	EnvVars []EnvVar
	// VolumeMounts keeps those through subPath or subPathExpr.
	VolumeMounts []VolumeMount
)

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (l *Volumes) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	return decodeItems(d, (*[]Volume)(l), func(v *Volume) bool { return v.Secret != nil || v.Projected != nil })
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (l *EnvVars) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	return decodeItems(d, (*[]EnvVar)(l), func(e *EnvVar) bool { return e.ValueFrom.SecretKeyRef != nil })
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (l *VolumeMounts) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	return decodeItems(d, (*[]VolumeMount)(l), func(m *VolumeMount) bool { return m.SubPath != "" || m.SubPathExpr != "" })
}

// decodeItems reads a list or null, and keeps the items that are wanted.
func decodeItems[T any](d *jsontext.Decoder, into *[]T, wanted func(*T) bool) error {
	*into = nil
	if d.PeekKind() != '[' {
		return json.UnmarshalDecode(d, into) // null, or an error worth the library's words
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	item := new(T)
	for d.PeekKind() != ']' {
		var zero T
		*item = zero
		if err := json.UnmarshalDecode(d, item); err != nil {
			return err
		}
		if wanted(item) {
			*into = append(*into, *item)
		}
	}
	_, err := d.ReadToken()
	return err
}
