package config

import (
	"math"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// checkShape compares a decoded document with the shape of [Config]: unknown fields and values of the wrong type, all
// of them and not just the first, which is where decoders stop. The second result is the document without the bad
// parts, so that the rest can be checked in the same go.
func checkShape(tree any) (field.ErrorList, any) {
	var problems field.ErrorList
	clean, _ := shape(nil, tree, reflect.TypeFor[Config](), &problems)
	if clean == nil {
		clean = map[string]any{}
	}
	return problems, clean
}

// shape checks one value; false when nothing of it can be kept.
func shape(at *field.Path, value any, want reflect.Type, problems *field.ErrorList) (any, bool) {
	if value == nil {
		return nil, false
	}
	if want.Kind() == reflect.Pointer {
		want = want.Elem()
	}
	if what := wrongType(value, want); what != "" {
		*problems = append(*problems, field.TypeInvalid(at, value, "must be "+what))
		return nil, false
	}
	switch v := value.(type) {
	case map[string]any:
		if want.Kind() == reflect.Struct {
			return shapeStruct(at, v, want, problems), true
		}
		out := map[string]any{}
		for _, key := range sortedKeys(v) {
			if member, ok := shape(at.Key(key), v[key], want.Elem(), problems); ok {
				out[key] = member
			}
		}
		return out, true
	case []any:
		out := []any{}
		for i, item := range v {
			if member, ok := shape(at.Index(i), item, want.Elem(), problems); ok {
				out = append(out, member)
			}
		}
		return out, true
	default:
		return value, true
	}
}

// wrongType says what a value should be, or "" when it is that.
func wrongType(value any, want reflect.Type) string {
	ok, what := false, ""
	switch want.Kind() {
	case reflect.Struct, reflect.Map:
		_, ok = value.(map[string]any)
		what = "an object"
	case reflect.Slice:
		_, ok = value.([]any)
		what = "a list"
	case reflect.String:
		_, ok = value.(string)
		what = "a string"
	case reflect.Bool:
		_, ok = value.(bool)
		what = "true or false"
	case reflect.Int:
		n, is := value.(float64)
		ok, what = is && n == math.Trunc(n) && math.Abs(n) <= math.MaxInt32, "a whole number"
	case reflect.Float64:
		_, ok = value.(float64)
		what = "a number"
	}
	if ok {
		return ""
	}
	return what
}

func shapeStruct(at *field.Path, members map[string]any, want reflect.Type, problems *field.ErrorList) map[string]any {
	fields := map[string]reflect.Type{}
	for f := range want.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields[name] = f.Type
	}
	out := map[string]any{}
	for _, key := range sortedKeys(members) {
		kind, known := fields[key]
		if !known {
			*problems = append(*problems, field.Invalid(at.Child(key), field.OmitValueType{}, "unknown field; known here: "+strings.Join(sortedKeys(fields), ", ")))
			continue
		}
		if v, ok := shape(at.Child(key), members[key], kind, problems); ok {
			out[key] = v
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
