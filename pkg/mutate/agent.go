package mutate

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/certwire/certwire/pkg/reload/spec"
)

// Agent is what the configuration says of the agent. The zero value is one that is switched off.
type Agent struct {
	// Enabled allows injection at all.
	Enabled bool
	// Image is what it runs, by tag or by digest.
	Image string
	// Method is for pods that nobody can roll out and that say nothing themselves.
	Method string
	// Presets are the cluster's own, beside those that are built in; one of the same name wins.
	Presets map[string]spec.Values
	// User is what the agent runs as where the application's user is not known.
	User int64
	// SharesProcesses allows to set shareProcessNamespace on pods, which method signal needs.
	SharesProcesses bool
	// MetricsPort is where /healthz and /metrics are served in each pod; 0 is nowhere.
	MetricsPort int32
	// Deadline and Spread are when method restart acts without a permit; 0 leaves it to the agent.
	Deadline, Spread time.Duration
	// Resources are the container's. Limits are also the requests of a pod that is Guaranteed.
	Resources corev1.ResourceRequirements
}

// Features says what the API server and every node can do: empty for what they can, or else why not.
type Features struct {
	// NativeSidecars are init containers with restartPolicy Always (KEP-753; on by default from 1.29).
	NativeSidecars string
	// RestartAllContainers is an action of restartPolicyRules (KEP-5532; on by default from 1.36).
	RestartAllContainers string
}

// AgentKey is an annotation on a pod template that overrides what the configuration says of the agent, as in
// "image=registry.example/agent@sha256:... port=9402 deadline=1h spread=10m cpu=20m memory=32Mi".
const AgentKey = "certwire.dev/agent"

// override applies the annotation. With an error the Agent is as it was.
func (a Agent) override(value string) (Agent, error) {
	out := a
	for word := range strings.FieldsSeq(value) {
		name, text, _ := strings.Cut(word, "=")
		var err error
		switch name {
		case "image":
			if out.Image = text; !IsImage(text) {
				err = errors.New("is not an image as in registry.example/agent:v1, which a digest may follow")
			}
		case "port":
			var n uint64
			if n, err = strconv.ParseUint(text, 10, 16); err != nil || n < 1 {
				err = errors.New("is not a port from 1 to 65535")
			}
			out.MetricsPort = int32(n)
		case "deadline":
			out.Deadline, err = duration(text)
		case "spread":
			out.Spread, err = duration(text)
		case "cpu":
			out.Resources, err = withResource(out.Resources, corev1.ResourceCPU, text, "1m", "2")
		case "memory":
			out.Resources, err = withResource(out.Resources, corev1.ResourceMemory, text, leastMemory.String(), "1Gi")
		default:
			err = errors.New("is none of image=, port=, deadline=, spread=, cpu=, memory=")
		}
		if err != nil {
			return a, fmt.Errorf("%s: %q %w", AgentKey, short(word), err)
		}
	}
	return out, nil
}

// image is a name with an optional registry, tag and digest (https://github.com/distribution/reference, regexp.go).
var image = regexp.MustCompile(`^((\[[0-9a-fA-F:]+\]|[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?)(:[0-9]{1,5})?/)?` +
	`[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*` +
	`(:[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127})?(@[a-zA-Z][a-zA-Z0-9+._-]*:[0-9a-fA-F]{32,128})?$`)

// IsImage reports whether a kubelet could try to pull an image: with another text the pod would not start.
func IsImage(text string) bool { return len(text) <= 512 && image.MatchString(text) }

func duration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, errors.New("is not a positive duration as in 10m")
	}
	return d, nil
}

// withResource sets a request and its limit to the same. It is bounded: with memory=32, which is bytes, the agent would not
// start, nor with cpu=20, which no node has, and the pod would wait for it.
func withResource(r corev1.ResourceRequirements, name corev1.ResourceName, text, least, most string) (corev1.ResourceRequirements, error) {
	q, err := resource.ParseQuantity(text)
	if err != nil || q.Cmp(resource.MustParse(least)) < 0 || q.Cmp(resource.MustParse(most)) > 0 {
		return r, fmt.Errorf("is not a quantity from %s to %s", least, most)
	}
	out := *r.DeepCopy()
	for _, list := range []*corev1.ResourceList{&out.Requests, &out.Limits} {
		if *list == nil {
			*list = corev1.ResourceList{}
		}
		(*list)[name] = q
	}
	return out, nil
}

// values are what a template says of its server. A preset of the cluster's own is replaced by what it stands for.
func (a Agent) values(annotations map[string]string) spec.Values {
	v := spec.FromAnnotations(annotations)
	own, ok := a.Presets[v.Preset]
	if !ok {
		return v
	}
	v.Preset = ""
	for _, f := range []struct{ to, from *string }{
		{&v.Preset, &own.Preset}, {&v.Method, &own.Method}, {&v.HTTP, &own.HTTP}, {&v.Socket, &own.Socket},
		{&v.Signal, &own.Signal}, {&v.Process, &own.Process}, {&v.Verify, &own.Verify},
	} {
		if *f.to == "" {
			*f.to = *f.from
		}
	}
	return v
}

// short cuts what somebody wrote for a warning.
func short(s string) string {
	if runes := []rune(s); len(runes) > 40 {
		return string(runes[:37]) + "..."
	}
	return s
}
