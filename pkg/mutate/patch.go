package mutate

import (
	"maps"
	"slices"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
)

// Changes returns the annotations that differ from what the plan wants: the value to set, or nil to remove. It is empty
// when the workload is where the plan wants it.
func (p Plan) Changes(w *Workload) map[string]*string {
	if w.Metadata == nil {
		return nil // not an object the API server would send; a patch that does not apply would deny it
	}
	var changes map[string]*string
	for key, want := range p.annotations {
		value, present := w.Metadata.Annotations[key]
		if (want == nil) == !present && (want == nil || value == *want) {
			continue
		}
		if changes == nil {
			changes = make(map[string]*string, len(p.annotations))
		}
		changes[key] = want
	}
	return changes
}

// Patch returns the same changes as operations, in a fixed order, or nil when there are none. They apply to the object
// that the Workload was decoded from: parents that are missing are added, everything else is left alone. Applied twice,
// the second time is empty.
func (p Plan) Patch(w *Workload) []jsonpatch.Operation {
	changes := p.Changes(w)
	if len(changes) == 0 {
		return nil
	}
	have := w.Metadata.Annotations
	if have == nil { // then nothing can be removed or replaced
		added := make(map[string]any, len(changes))
		for key, want := range changes {
			added[key] = *want
		}
		return []jsonpatch.Operation{jsonpatch.NewOperation("add", "/metadata/annotations", added)}
	}
	ops := make([]jsonpatch.Operation, 0, len(changes))
	for _, key := range slices.Sorted(maps.Keys(changes)) {
		want := changes[key]
		_, present := have[key]
		switch {
		case want == nil:
			ops = append(ops, jsonpatch.NewOperation("remove", annotationPath(key), nil))
		case present:
			ops = append(ops, jsonpatch.NewOperation("replace", annotationPath(key), *want))
		default:
			ops = append(ops, jsonpatch.NewOperation("add", annotationPath(key), *want))
		}
	}
	return ops
}

// pointer escapes a member's name for a JSON pointer (RFC 6901).
var pointer = strings.NewReplacer("~", "~0", "/", "~1")

func annotationPath(key string) string { return "/metadata/annotations/" + pointer.Replace(key) }
