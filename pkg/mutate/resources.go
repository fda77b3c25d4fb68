package mutate

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// leastMemory is what the agent needs to start: with less it would be killed, and its pod would wait for it for ever.
var leastMemory = resource.MustParse("8Mi")

// usual is the container's share where the configuration gives none, and the pod or its namespace wants one.
var usual = map[corev1.ResourceName]struct{ request, limit resource.Quantity }{
	corev1.ResourceCPU:              {resource.MustParse("5m"), resource.MustParse("100m")},
	corev1.ResourceMemory:           {resource.MustParse("16Mi"), resource.MustParse("32Mi")},
	corev1.ResourceEphemeralStorage: {resource.MustParse("32Mi"), resource.MustParse("64Mi")}, // logs, which the kubelet rotates
}

// resourcesFor fits the container's resources to the pod's and to the namespace's bounds: a container, or a pod with it,
// outside of those would be refused (kubernetes plugin/pkg/admission/limitranger, resourcequota). Not empty, the second
// result says why it does not fit.
func resourcesFor(s *corev1.PodSpec, wanted corev1.ResourceRequirements, limits []corev1.LimitRangeItem) (corev1.ResourceRequirements, string) {
	f := fitter{spec: s, limits: limits, requests: corev1.ResourceList{}, most: corev1.ResourceList{}}
	if s.Resources == nil { // otherwise the pod's are for all of its containers together
		maps.Copy(f.requests, wanted.Requests)
		maps.Copy(f.most, wanted.Limits)
		f.follow()
	}
	for _, l := range limits {
		if l.Type == corev1.LimitTypeContainer {
			f.container(l)
		}
	}
	for _, l := range limits {
		if l.Type == corev1.LimitTypePod {
			if why := f.pod(l); why != "" {
				return corev1.ResourceRequirements{}, why
			}
		}
	}
	if s.Resources == nil && guaranteed(s) {
		maps.Copy(f.requests, f.most)
	}
	if why := f.misfit(); why != "" {
		return corev1.ResourceRequirements{}, why
	}
	return f.result(), ""
}

// fitter is the work of [resourcesFor].
type fitter struct {
	spec           *corev1.PodSpec
	limits         []corev1.LimitRangeItem
	requests, most corev1.ResourceList
}

// follow takes up what every container of the pod says: a quota for a resource demands it of each, and a pod is Guaranteed
// only if each has it.
func (f *fitter) follow() {
	for name, share := range usual {
		if _, ok := f.requests[name]; !ok && f.everyHas(name, f.requestOf) {
			f.requests[name] = share.request
			f.keepOrder(name)
		}
		if _, ok := f.most[name]; !ok && f.everyHas(name, f.limitOf) {
			f.most[name] = share.limit
			if request, ok := f.requests[name]; ok && request.Cmp(share.limit) > 0 {
				f.most[name] = request
			}
		}
	}
}

func (f *fitter) everyHas(name corev1.ResourceName, of func(*corev1.Container, corev1.ResourceName) (resource.Quantity, bool)) bool {
	for c := range allContainers(f.spec) {
		if _, ok := of(c, name); !ok && c.Name != AgentName {
			return false
		}
	}
	return true
}

// limitOf and requestOf are a container's as they will be: a LimitRange's defaults reach Pods before a webhook is called, and
// templates never.
func (f *fitter) limitOf(c *corev1.Container, name corev1.ResourceName) (resource.Quantity, bool) {
	if q, ok := c.Resources.Limits[name]; ok {
		return q, true
	}
	return f.preset(name, func(l corev1.LimitRangeItem) corev1.ResourceList { return l.Default })
}

func (f *fitter) requestOf(c *corev1.Container, name corev1.ResourceName) (resource.Quantity, bool) {
	if q, ok := c.Resources.Requests[name]; ok {
		return q, true
	}
	if q, ok := c.Resources.Limits[name]; ok {
		return q, true
	}
	return f.preset(name, func(l corev1.LimitRangeItem) corev1.ResourceList { return l.DefaultRequest })
}

func (f *fitter) preset(name corev1.ResourceName, of func(corev1.LimitRangeItem) corev1.ResourceList) (resource.Quantity, bool) {
	for _, l := range f.limits {
		if q, ok := of(l)[name]; ok && l.Type == corev1.LimitTypeContainer {
			return q, true
		}
	}
	return resource.Quantity{}, false
}

// container keeps the bounds on one container.
func (f *fitter) container(l corev1.LimitRangeItem) {
	for name := range l.DefaultRequest {
		if _, ok := f.requests[name]; !ok && f.spec.Resources != nil {
			f.requests[name] = resource.MustParse("0") // the default would be more than the pod has left
		}
	}
	for name, most := range l.Default {
		if _, ok := f.most[name]; !ok {
			lower(f.requests, name, most) // this will be its limit
		}
	}
	for name, least := range l.Min {
		if _, ok := f.requests[name]; !ok {
			f.requests[name] = least
		}
		raise(f.requests, name, least)
		raise(f.most, name, least)
		f.keepOrder(name)
	}
	for name, most := range l.Max {
		f.limit(name, most)
		lower(f.requests, name, most)
		lower(f.most, name, most)
	}
	for name, ratio := range l.MaxLimitRequestRatio {
		f.ratio(name, ratio)
	}
}

// limit gives a limit where one is demanded; the default would be all that a container may have.
func (f *fitter) limit(name corev1.ResourceName, most resource.Quantity) {
	if _, ok := f.most[name]; ok {
		return
	}
	share, ok := usual[name]
	if !ok {
		share.request, share.limit = most, most
	}
	f.most[name] = share.limit
	if request, ok := f.requests[name]; !ok {
		f.requests[name] = share.request
	} else if request.Cmp(share.limit) > 0 {
		f.most[name] = request
	}
}

// ratio keeps a limit near its request. A limit that is its request is what every LimitRange takes.
func (f *fitter) ratio(name corev1.ResourceName, ratio resource.Quantity) {
	limit, limited := f.most[name]
	request, requested := f.requests[name]
	switch {
	case limited && requested && request.Sign() > 0 && limit.AsApproximateFloat64() <= request.AsApproximateFloat64()*ratio.AsApproximateFloat64():
	case limited:
		f.requests[name] = limit
	case requested && request.Sign() > 0:
		f.most[name] = request
	default:
		if share, ok := usual[name]; ok {
			f.requests[name], f.most[name] = share.request, share.request
		}
	}
}

// pod keeps the bounds on all containers together. The agent adds to what is there, so that a minimum is not missed; but
// where no other container has a limit, the agent's would be taken for all of the pod's.
func (f *fitter) pod(l corev1.LimitRangeItem) string {
	for name := range l.Min {
		if total := f.sum(name, f.limitOf); total.IsZero() {
			delete(f.most, name)
		}
	}
	for name := range l.MaxLimitRequestRatio {
		if limit, ok := f.most[name]; ok {
			f.requests[name] = limit
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.Max)) {
		if _, ok := f.podLevel(name); ok {
			continue // the pod's own stand for the sum
		}
		for _, part := range []struct {
			ours corev1.ResourceList
			of   func(*corev1.Container, corev1.ResourceName) (resource.Quantity, bool)
		}{{f.most, f.limitOf}, {f.requests, f.requestOf}} {
			room := l.Max[name].DeepCopy()
			room.Sub(f.sum(name, part.of))
			if ours, ok := part.ours[name]; ok && room.Sign() <= 0 && ours.Sign() > 0 {
				most := l.Max[name]
				return fmt.Sprintf("a LimitRange lets the pod have %s of %s, which it has already", most.String(), name)
			}
			lower(part.ours, name, room)
		}
		f.keepOrder(name)
	}
	return ""
}

func (f *fitter) podLevel(name corev1.ResourceName) (resource.Quantity, bool) {
	if f.spec.Resources == nil {
		return resource.Quantity{}, false
	}
	q, ok := f.spec.Resources.Requests[name]
	return q, ok
}

// sum is what the containers that run side by side have of a resource.
func (f *fitter) sum(name corev1.ResourceName, of func(*corev1.Container, corev1.ResourceName) (resource.Quantity, bool)) resource.Quantity {
	var total resource.Quantity
	for i := range f.spec.Containers {
		if q, ok := of(&f.spec.Containers[i], name); ok {
			total.Add(q)
		}
	}
	for i := range f.spec.InitContainers {
		c := &f.spec.InitContainers[i]
		if c.Name == AgentName || c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways {
			continue
		}
		if q, ok := of(c, name); ok {
			total.Add(q)
		}
	}
	return total
}

// keepOrder has a request be no more than its limit.
func (f *fitter) keepOrder(name corev1.ResourceName) {
	if limit, ok := f.most[name]; ok {
		lower(f.requests, name, limit)
	}
}

// misfit says what the agent could not start with, or would not be admitted with.
func (f *fitter) misfit() string {
	least := leastMemory
	if limit, ok := f.most[corev1.ResourceMemory]; ok && limit.Cmp(least) < 0 {
		return fmt.Sprintf("%s of memory are left for it, and it needs %s", limit.String(), least.String())
	}
	for _, l := range f.limits {
		for name, least := range l.Min {
			if have := f.requests[name]; l.Type == corev1.LimitTypeContainer && have.Cmp(least) < 0 {
				return fmt.Sprintf("%s of %s are left for it, and a LimitRange wants %s", have.String(), name, least.String())
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.requests)) {
		all, ok := f.podLevel(name)
		if !ok {
			continue
		}
		total := f.sum(name, f.requestOf)
		if ours := f.requests[name]; ours.Sign() > 0 {
			if total.Add(ours); total.Cmp(all) > 0 {
				return fmt.Sprintf("a LimitRange wants %s of %s for it, and the pod's resources leave less", ours.String(), name)
			}
		}
	}
	return ""
}

func (f *fitter) result() corev1.ResourceRequirements {
	var out corev1.ResourceRequirements
	if len(f.requests) > 0 {
		out.Requests = f.requests
	}
	if len(f.most) > 0 {
		out.Limits = f.most
	}
	return out
}

// guaranteed reports whether a pod's quality of service is Guaranteed: cpu and memory of every container have a limit,
// and a request that is the same (kubernetes pkg/apis/core/v1/helper/qos).
func guaranteed(s *corev1.PodSpec) bool {
	for c := range allContainers(s) {
		if c.Name == AgentName {
			continue
		}
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			limit, ok := c.Resources.Limits[name]
			if !ok || limit.IsZero() {
				return false
			}
			if request, ok := c.Resources.Requests[name]; ok && request.Cmp(limit) != 0 {
				return false
			}
		}
	}
	return true
}

func raise(list corev1.ResourceList, name corev1.ResourceName, least resource.Quantity) {
	if have, ok := list[name]; ok && have.Cmp(least) < 0 {
		list[name] = least
	}
}

func lower(list corev1.ResourceList, name corev1.ResourceName, most resource.Quantity) {
	if have, ok := list[name]; ok && have.Cmp(most) > 0 {
		list[name] = most
	}
}
