package mutate

import (
	"slices"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
)

// Patch returns the operations that bring a workload's annotations to where the plan wants them, in a fixed order, or
// nil when they are there already. They apply to the object that the Workload was decoded from: parents that are
// missing are added, everything else is left alone. Applied twice, the second time is empty.
func (p Plan) Patch(w *Workload) []jsonpatch.Operation {
	if w.Metadata == nil {
		return nil // not an object the API server would send; a patch that does not apply would deny it
	}
	have := w.Metadata.Annotations
	var ops []jsonpatch.Operation
	added := map[string]any{}
	for _, key := range slices.Sorted(keysOf(p.annotations)) {
		want := p.annotations[key]
		value, present := have[key]
		switch {
		case want == nil && present:
			ops = append(ops, jsonpatch.NewOperation("remove", annotationPath(key), nil))
		case want != nil && !present && have == nil:
			added[key] = *want
		case want != nil && !present:
			ops = append(ops, jsonpatch.NewOperation("add", annotationPath(key), *want))
		case want != nil && value != *want:
			ops = append(ops, jsonpatch.NewOperation("replace", annotationPath(key), *want))
		}
	}
	if len(added) > 0 {
		ops = append(ops, jsonpatch.NewOperation("add", "/metadata/annotations", added))
	}
	return ops
}

func keysOf(m map[string]*string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// annotationPath is the JSON pointer (RFC 6901) of an annotation.
func annotationPath(key string) string {
	return "/metadata/annotations/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}
