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

func shape(at *field.Path, value any, want reflect.Type, problems *field.ErrorList) (any, bool) {
	if value == nil {
		return nil, false
	}
	wrong := func(what string) (any, bool) {
		*problems = append(*problems, field.TypeInvalid(at, value, "must be "+what))
		return nil, false
	}
	switch want.Kind() {
	case reflect.Pointer:
		return shape(at, value, want.Elem(), problems)
	case reflect.Struct:
		members, ok := value.(map[string]any)
		if !ok {
			return wrong("an object")
		}
		return shapeStruct(at, members, want, problems), true
	case reflect.Map:
		members, ok := value.(map[string]any)
		if !ok {
			return wrong("an object")
		}
		out := map[string]any{}
		for _, key := range sortedKeys(members) {
			if v, ok := shape(at.Key(key), members[key], want.Elem(), problems); ok {
				out[key] = v
			}
		}
		return out, true
	case reflect.Slice:
		items, ok := value.([]any)
		if !ok {
			return wrong("a list")
		}
		out := []any{}
		for i, item := range items {
			if v, ok := shape(at.Index(i), item, want.Elem(), problems); ok {
				out = append(out, v)
			}
		}
		return out, true
	case reflect.String:
		if _, ok := value.(string); !ok {
			return wrong("a string")
		}
	case reflect.Bool:
		if _, ok := value.(bool); !ok {
			return wrong("true or false")
		}
	case reflect.Int:
		if n, ok := value.(float64); !ok || n != math.Trunc(n) || math.Abs(n) > math.MaxInt32 {
			return wrong("a whole number")
		}
	case reflect.Float64:
		if _, ok := value.(float64); !ok {
			return wrong("a number")
		}
	}
	return value, true
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
