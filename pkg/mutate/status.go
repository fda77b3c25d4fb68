package mutate

import (
	"encoding/json"
	"maps"
	"slices"
)

// Status is the value of [StatusKey]: what certwire added to a workload. It is what lets a second pass change
// nothing, and an opt-out remove only what is ours.
type Status struct {
	// Version is the certwire that wrote it. It takes no part in comparisons: an upgrade alone rewrites nothing.
	Version string `json:"version,omitempty"`
	// Method is how the workload is made to reload.
	Method Method `json:"method,omitempty"`
	// Added lists, by annotation key, the items that are ours.
	Added map[string][]string `json:"added,omitempty"`
	// Why says it in a sentence.
	Why string `json:"why,omitempty"`
}

// parseStatus reads the annotation. A value that cannot be read means that nothing is known to be ours: then nothing
// is taken away.
func parseStatus(value string) Status {
	var s Status
	if value == "" || json.Unmarshal([]byte(value), &s) != nil {
		return Status{}
	}
	return s
}

// String is the annotation's value; encoding a Status cannot fail.
func (s Status) String() string {
	out, err := json.Marshal(s)
	if err != nil {
		return ""
	}
	return string(out)
}

func (s Status) same(other Status) bool {
	return s.Method == other.Method && s.Why == other.Why &&
		maps.EqualFunc(s.Added, other.Added, slices.Equal[[]string])
}
