package config

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/certwire/certwire/pkg/mutate"
	"github.com/certwire/certwire/pkg/reload/spec"
)

// Agent is what certwire injects into pods. docs/agent.md says when.
type Agent struct {
	// Enabled switches injection on. Defaults to true.
	Enabled *bool `json:"enabled,omitempty"`
	// Image is the agent's, by tag or by digest. Without one nothing is injected.
	Image string `json:"image,omitempty"`
	// Method is for pods that no owner can roll out and that say nothing themselves. Defaults to self: the agent looks and
	// reports.
	Method string `json:"method,omitempty"`
	// RunAsUser is the agent's user in pods whose own is not known. Defaults to 65532.
	RunAsUser int `json:"runAsUser,omitempty"`
	// ShareProcessNamespace allows to set that on pods whose method is signal. Defaults to true.
	ShareProcessNamespace *bool `json:"shareProcessNamespace,omitempty"`
	// NativeSidecars is auto (when the API server and every node have them), on, or off. Defaults to auto.
	NativeSidecars string `json:"nativeSidecars,omitempty"`
	// RestartAllContainers is auto (when the API server and every node have it), on, or off. Defaults to auto.
	RestartAllContainers string `json:"restartAllContainers,omitempty"`
	// MetricsPort is where each agent serves /healthz and /metrics. Defaults to 0, which is nowhere.
	MetricsPort int `json:"metricsPort,omitempty"`
	// Permit is when method restart acts without a permit.
	Permit Permit `json:"permit"`
	// Resources are the agent's container's.
	Resources Resources `json:"resources"`
	// Presets are servers of your own, by name: what the annotations of the same names would say.
	Presets map[string]spec.Values `json:"presets,omitempty"`
}

// Permit is how long method restart waits for one.
type Permit struct {
	// Deadline is a Go duration. Defaults to 30m.
	Deadline string `json:"deadline,omitempty"`
	// Spread is the bound of the random delay after it, a Go duration. Defaults to 30m.
	Spread string `json:"spread,omitempty"`
}

// Resources are a container's, by resource name.
type Resources struct {
	// Requests default to cpu 5m and memory 16Mi.
	Requests map[string]string `json:"requests,omitempty"`
	// Limits default to cpu 100m and memory 32Mi. They are the requests, too, of a pod whose class is Guaranteed.
	Limits map[string]string `json:"limits,omitempty"`
}

// Switch is how a feature of the cluster is used.
type Switch string

// The values of a [Switch].
const (
	SwitchAuto Switch = "auto"
	SwitchOn   Switch = "on"
	SwitchOff  Switch = "off"
)

var switches = []string{string(SwitchAuto), string(SwitchOff), string(SwitchOn)}

func (a *Agent) applyDefaults() {
	on := true
	if a.Enabled == nil {
		a.Enabled = &on
	}
	if a.ShareProcessNamespace == nil {
		a.ShareProcessNamespace = &on
	}
	for _, f := range []struct {
		field *string
		value string
	}{
		{&a.Method, string(spec.Self)}, {&a.NativeSidecars, string(SwitchAuto)}, {&a.RestartAllContainers, string(SwitchAuto)},
		{&a.Permit.Deadline, "30m"}, {&a.Permit.Spread, "30m"},
	} {
		if *f.field == "" {
			*f.field = f.value
		}
	}
	if a.RunAsUser == 0 {
		a.RunAsUser = 65532
	}
	if a.Resources.Requests == nil {
		a.Resources.Requests = map[string]string{"cpu": "5m", "memory": "16Mi"}
	}
	if a.Resources.Limits == nil {
		a.Resources.Limits = map[string]string{"cpu": "100m", "memory": "32Mi"}
	}
}

func (a *Agent) validate(at *field.Path) field.ErrorList {
	var problems field.ErrorList
	if a.Image != "" && !mutate.IsImage(a.Image) {
		problems = append(problems, field.Invalid(at.Child("image"), a.Image, `must be an image such as "ghcr.io/certwire/agent:v1"`))
	}
	if _, err := spec.Parse(spec.Values{Method: a.Method}); err != nil {
		problems = append(problems, field.Invalid(at.Child("method"), a.Method, "must be self, restart, or self,restart: "+firstLine(err)))
	}
	if a.RunAsUser < 1 {
		problems = append(problems, field.Invalid(at.Child("runAsUser"), a.RunAsUser, "must be a user other than root"))
	}
	for name, value := range map[string]string{"nativeSidecars": a.NativeSidecars, "restartAllContainers": a.RestartAllContainers} {
		if !slices.Contains(switches, value) {
			problems = append(problems, field.NotSupported(at.Child(name), value, switches))
		}
	}
	if a.MetricsPort < 0 || a.MetricsPort > 65535 {
		problems = append(problems, field.Invalid(at.Child("metricsPort"), a.MetricsPort, "must be between 0 and 65535"))
	}
	for name, value := range map[string]string{"deadline": a.Permit.Deadline, "spread": a.Permit.Spread} {
		if d, err := time.ParseDuration(value); err != nil || d <= 0 {
			problems = append(problems, field.Invalid(at.Child("permit", name), value, `must be a positive duration such as "30m"`))
		}
	}
	problems = append(problems, a.Resources.validate(at.Child("resources"))...)
	for _, name := range sortedKeys(a.Presets) {
		problems = append(problems, validatePreset(at.Child("presets").Key(name), name, a.Presets[name])...)
	}
	return problems
}

func (r Resources) validate(at *field.Path) field.ErrorList {
	var problems field.ErrorList
	requests, limits := quantities(at.Child("requests"), r.Requests, &problems), quantities(at.Child("limits"), r.Limits, &problems)
	if limit, ok := limits[corev1.ResourceMemory]; ok && limit.Cmp(resource.MustParse("8Mi")) < 0 {
		problems = append(problems, field.Invalid(at.Child("limits").Key("memory"), limit.String(), "must be 8Mi or more: every pod waits for an agent that cannot start"))
	}
	for name, request := range requests {
		if limit, ok := limits[name]; ok && request.Cmp(limit) > 0 {
			problems = append(problems, field.Invalid(at.Child("requests").Key(string(name)), request.String(), "must not be more than the limit, "+limit.String()))
		}
	}
	return problems
}

func quantities(at *field.Path, texts map[string]string, problems *field.ErrorList) corev1.ResourceList {
	list := corev1.ResourceList{}
	for _, name := range sortedKeys(texts) {
		q, err := resource.ParseQuantity(texts[name])
		if err != nil || q.Sign() < 0 {
			*problems = append(*problems, field.Invalid(at.Key(name), texts[name], `must be a quantity such as "5m" or "16Mi"`))
			continue
		}
		if !slices.Contains([]string{"cpu", "memory", "ephemeral-storage"}, name) {
			*problems = append(*problems, field.NotSupported(at, name, []string{"cpu", "ephemeral-storage", "memory"}))
			continue
		}
		list[corev1.ResourceName(name)] = q
	}
	return list
}

func validatePreset(at *field.Path, name string, p spec.Values) field.ErrorList {
	var problems field.ErrorList
	for _, why := range validation.IsDNS1123Label(name) {
		problems = append(problems, field.Invalid(at, name, "must be a word: "+why))
	}
	if _, err := spec.Parse(p); err != nil {
		problems = append(problems, field.Invalid(at, field.OmitValueType{}, strings.ReplaceAll(err.Error(), "\n", "; ")))
	}
	return problems
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// settings translates a checked section.
func (a *Agent) settings() mutate.Agent {
	out := mutate.Agent{
		Enabled: *a.Enabled, Image: a.Image, Method: a.Method, User: int64(a.RunAsUser), SharesProcesses: *a.ShareProcessNamespace,
		MetricsPort: int32(a.MetricsPort), Presets: a.Presets,
	}
	out.Deadline, _ = time.ParseDuration(a.Permit.Deadline) // checked
	out.Spread, _ = time.ParseDuration(a.Permit.Spread)
	out.Resources.Requests = quantities(nil, a.Resources.Requests, &field.ErrorList{})
	out.Resources.Limits = quantities(nil, a.Resources.Limits, &field.ErrorList{})
	return out
}
