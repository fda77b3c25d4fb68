package mutate

import "github.com/certwire/certwire/pkg/reload/spec"

// Names on objects, as the design fixes them.
const (
	// ReloadLabel opts a namespace in, and refines that on a workload or a pod template: the most specific wins.
	ReloadLabel = "certwire.dev/reload"
	// MethodKey, an annotation on a pod template says how its server takes up a new certificate.
	MethodKey = spec.MethodKey
	// PresetKey, an annotation on a pod template names a known server, and with it a method.
	PresetKey = spec.PresetKey
	// StatusKey, an annotation on a workload or a Pod, records what certwire added, see [Status].
	StatusKey = "certwire.dev/status"
)

// Mode is a value of [ReloadLabel].
type Mode string

// The values of [ReloadLabel]. An unset or unknown value is Unset.
const (
	Unset      Mode = ""
	Auto       Mode = "auto"
	Annotation Mode = "annotation"
	Sidecar    Mode = "sidecar"
	Off        Mode = "off"
)

// ParseMode reads a label value; false for one that is not a mode.
func ParseMode(value string) (Mode, bool) {
	switch m := Mode(value); m {
	case Auto, Annotation, Sidecar, Off:
		return m, true
	default:
		return Unset, value == ""
	}
}
