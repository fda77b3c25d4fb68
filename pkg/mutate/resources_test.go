package mutate

import (
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// list reads "cpu=5m memory=16Mi".
func list(text string) corev1.ResourceList {
	out := corev1.ResourceList{}
	for word := range strings.FieldsSeq(text) {
		name, value, _ := strings.Cut(word, "=")
		out[corev1.ResourceName(name)] = resource.MustParse(value)
	}
	return out
}

func needs(requests, limits string) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: list(requests), Limits: list(limits)}
}

func TestResources(t *testing.T) {
	t.Parallel()
	usually := needs("cpu=5m memory=16Mi", "cpu=100m memory=32Mi")
	one := func(r corev1.ResourceRequirements) *corev1.PodSpec {
		return &corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Resources: r}}}
	}
	all := func(s *corev1.PodSpec, requests, limits string) *corev1.PodSpec {
		s.Resources = new(needs(requests, limits))
		return s
	}
	bounds := func(kind corev1.LimitType, least, most, ratio string) []corev1.LimitRangeItem {
		l := corev1.LimitRangeItem{Type: kind, Min: list(least), Max: list(most), MaxLimitRequestRatio: list(ratio)}
		return []corev1.LimitRangeItem{defaulted(l)}
	}
	const container, pod = corev1.LimitTypeContainer, corev1.LimitTypePod
	for sentence, c := range map[string]struct {
		spec   *corev1.PodSpec
		wanted corev1.ResourceRequirements
		limits []corev1.LimitRangeItem
		want   corev1.ResourceRequirements
		why    string
	}{
		"as configured": {one(needs("", "")), usually, nil, usually, ""},
		"storage, where a quota wants it of each container": {
			one(needs("ephemeral-storage=1Gi", "")), usually, nil, needs("cpu=5m memory=16Mi ephemeral-storage=32Mi", "cpu=100m memory=32Mi"), "",
		},
		"a limit that all others have, and the configuration has not": {
			one(needs("cpu=1 memory=1Gi", "cpu=2 memory=1Gi")), needs("memory=16Mi", "memory=32Mi"), nil, needs("cpu=5m memory=16Mi", "cpu=100m memory=32Mi"), "",
		},
		"what is left of the pod's": {
			one(needs("cpu=100m memory=64Mi", "cpu=950m memory=100Mi")), usually, bounds(pod, "", "cpu=1 memory=128Mi", ""), needs("cpu=5m memory=16Mi", "cpu=50m memory=28Mi"), "",
		},
		"nothing is left of the pod's": {
			one(needs("cpu=100m", "cpu=1")), usually, bounds(pod, "", "cpu=1", ""), corev1.ResourceRequirements{}, "a LimitRange lets the pod have 1 of cpu, which it has already",
		},
		"too little is left of the pod's": {
			one(needs("memory=64Mi", "memory=124Mi")), usually, bounds(pod, "", "memory=128Mi", ""), corev1.ResourceRequirements{}, "4Mi of memory are left for it, and it needs 8Mi",
		},
		"less than it needs":            {one(needs("", "")), usually, bounds(container, "", "memory=4Mi", ""), corev1.ResourceRequirements{}, "4Mi of memory are left for it, and it needs 8Mi"},
		"a pod's ratio":                 {one(needs("cpu=100m", "cpu=200m")), usually, bounds(pod, "", "", "cpu=2"), needs("cpu=100m memory=16Mi", "cpu=100m memory=32Mi"), ""},
		"a ratio of what nobody set":    {one(needs("", "")), usually, bounds(container, "", "", "ephemeral-storage=2"), needs("cpu=5m memory=16Mi ephemeral-storage=32Mi", "cpu=100m memory=32Mi ephemeral-storage=32Mi"), ""},
		"a bound on what nobody set":    {one(needs("", "")), usually, bounds(container, "", "ephemeral-storage=2Gi", ""), needs("cpu=5m memory=16Mi ephemeral-storage=32Mi", "cpu=100m memory=32Mi ephemeral-storage=64Mi"), ""},
		"the pod's own":                 {all(one(needs("", "")), "cpu=1", "cpu=1"), usually, nil, corev1.ResourceRequirements{}, ""},
		"the pod's own, under defaults": {all(one(needs("cpu=1", "cpu=1")), "cpu=1", "cpu=1"), usually, bounds(container, "", "cpu=1", ""), needs("cpu=0", "cpu=100m"), ""},
		"the pod's own, and no more": {
			all(one(needs("cpu=1", "cpu=1")), "cpu=1", "cpu=1"), usually, bounds(container, "cpu=50m", "", ""), corev1.ResourceRequirements{},
			"a LimitRange wants 50m of cpu for it, and the pod's resources leave less",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			got, why := resourcesFor(c.spec, c.wanted, c.limits)
			if why != c.why {
				t.Fatalf("why: %q", why)
			}
			if !same(got.Requests, c.want.Requests) || !same(got.Limits, c.want.Limits) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func same(a, b corev1.ResourceList) bool {
	for name, q := range a {
		if other, ok := b[name]; !ok || q.Cmp(other) != 0 {
			return false
		}
	}
	return len(a) == len(b)
}

// defaulted is a LimitRange as it is stored (kubernetes pkg/apis/core/v1/defaults.go, SetDefaults_LimitRangeItem).
func defaulted(l corev1.LimitRangeItem) corev1.LimitRangeItem {
	if l.Type != corev1.LimitTypeContainer {
		return l
	}
	l.Default, l.DefaultRequest = complete(l.Default, l.Max), complete(l.DefaultRequest, nil)
	l.DefaultRequest = complete(complete(l.DefaultRequest, l.Default), l.Min)
	return l
}

func complete(list, with corev1.ResourceList) corev1.ResourceList {
	out := corev1.ResourceList{}
	for _, from := range []corev1.ResourceList{with, list} {
		maps.Copy(out, from)
	}
	return out
}

// TestNoLimitRangeRefusesAPodForItsAgent makes up pods and LimitRanges. Where the pod would be let in without the agent, it has
// to be with it.
func TestNoLimitRangeRefusesAPodForItsAgent(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	fits, left := 0, 0
	for range 20000 {
		limits := randomLimits(r)
		spec := &corev1.PodSpec{}
		for range 1 + r.IntN(2) {
			spec.Containers = append(spec.Containers, withDefaults(corev1.Container{Resources: randomResources(r)}, limits))
		}
		if why := refused(spec, limits); why != "" {
			continue
		}
		wanted := needs("cpu=5m memory=16Mi", "cpu=100m memory=32Mi")
		if r.IntN(3) == 0 {
			wanted = randomResources(r)
		}
		got, why := resourcesFor(spec, wanted, limits)
		if left++; why != "" {
			continue
		}
		fits, left = fits+1, left-1
		with := spec.DeepCopy()
		with.InitContainers = append(with.InitContainers, withDefaults(corev1.Container{
			Name: AgentName, Resources: got, RestartPolicy: new(corev1.ContainerRestartPolicyAlways),
		}, limits))
		if why := refused(with, limits); why != "" {
			t.Fatalf("%s\npod %+v\nagent %+v\nlimits %+v", why, spec.Containers, with.InitContainers[0].Resources, limits)
		}
		if guaranteed(spec) && !guaranteed(&corev1.PodSpec{Containers: append(with.InitContainers[:1:1], with.Containers...)}) {
			t.Fatalf("the pod is not Guaranteed any more: %+v", got)
		}
	}
	t.Logf("%d pods with the agent, %d without", fits, left)
	if fits < 1000 {
		t.Errorf("only %d pods were tried", fits)
	}
}

var amounts = map[corev1.ResourceName][]string{
	corev1.ResourceCPU:              {"1m", "10m", "50m", "100m", "200m", "1"},
	corev1.ResourceMemory:           {"4Mi", "16Mi", "24Mi", "64Mi", "128Mi", "1Gi"},
	corev1.ResourceEphemeralStorage: {"8Mi", "48Mi", "1Gi"},
}

func randomList(r *rand.Rand, one int) corev1.ResourceList {
	out := corev1.ResourceList{}
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage} {
		if r.IntN(one) == 0 {
			out[name] = resource.MustParse(amounts[name][r.IntN(len(amounts[name]))])
		}
	}
	return out
}

func randomResources(r *rand.Rand) corev1.ResourceRequirements {
	out := corev1.ResourceRequirements{Requests: randomList(r, 2), Limits: randomList(r, 2)}
	for name, limit := range out.Limits {
		lower(out.Requests, name, limit)
	}
	return out
}

func randomLimits(r *rand.Rand) []corev1.LimitRangeItem {
	var out []corev1.LimitRangeItem
	for range r.IntN(3) {
		l := corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, Min: randomList(r, 4), Max: randomList(r, 4), MaxLimitRequestRatio: corev1.ResourceList{}}
		if r.IntN(3) == 0 {
			l.Type = corev1.LimitTypePod
		} else if r.IntN(2) == 0 {
			l.Default = randomList(r, 3)
		}
		for name, most := range l.Max { // as the validation of LimitRanges wants it
			lower(l.Min, name, most)
			lower(l.Default, name, most)
		}
		for name, least := range l.Min {
			raise(l.Default, name, least)
		}
		if r.IntN(4) == 0 {
			l.MaxLimitRequestRatio[corev1.ResourceMemory] = resource.MustParse("2")
		}
		if r.IntN(4) == 0 {
			l.MaxLimitRequestRatio[corev1.ResourceEphemeralStorage] = resource.MustParse("1500m")
		}
		out = append(out, defaulted(l))
	}
	return out
}

// withDefaults is a container after the API server's defaults and the plugin's.
func withDefaults(c corev1.Container, limits []corev1.LimitRangeItem) corev1.Container {
	c.Resources.Requests = complete(c.Resources.Requests, c.Resources.Limits)
	c.Resources.Limits = complete(c.Resources.Limits, nil)
	for _, l := range limits {
		if l.Type == corev1.LimitTypeContainer {
			c.Resources.Limits = complete(c.Resources.Limits, l.Default)
			c.Resources.Requests = complete(c.Resources.Requests, l.DefaultRequest)
		}
	}
	return c
}

// refused is what validation and the plugin LimitRanger say of a pod.
func refused(s *corev1.PodSpec, limits []corev1.LimitRangeItem) string {
	total := corev1.ResourceRequirements{Requests: corev1.ResourceList{}, Limits: corev1.ResourceList{}}
	for c := range allContainers(s) {
		for name, request := range c.Resources.Requests {
			if limit, ok := c.Resources.Limits[name]; ok && request.Cmp(limit) > 0 {
				return "request over limit of " + string(name)
			}
		}
		for _, l := range limits {
			if l.Type == corev1.LimitTypeContainer && outside(l, c.Resources) != "" {
				return outside(l, c.Resources)
			}
		}
		for _, sum := range []struct{ to, from corev1.ResourceList }{{total.Requests, c.Resources.Requests}, {total.Limits, c.Resources.Limits}} {
			for name, q := range sum.from {
				have := sum.to[name].DeepCopy()
				have.Add(q)
				sum.to[name] = have
			}
		}
	}
	for _, l := range limits {
		if l.Type == corev1.LimitTypePod && outside(l, total) != "" {
			return outside(l, total)
		}
	}
	return ""
}

// outside holds resources against one item (kubernetes plugin/pkg/admission/limitranger, minConstraint and the others).
func outside(l corev1.LimitRangeItem, r corev1.ResourceRequirements) string {
	for name, least := range l.Min {
		request, ok := r.Requests[name]
		limit, limited := r.Limits[name]
		if !ok || request.Cmp(least) < 0 || (limited && limit.Cmp(least) < 0) {
			return "under the minimum of " + string(name) + " per " + string(l.Type)
		}
	}
	for name, most := range l.Max {
		request, ok := r.Requests[name]
		limit, limited := r.Limits[name]
		if !limited || limit.Cmp(most) > 0 || (ok && request.Cmp(most) > 0) {
			return "over the maximum of " + string(name) + " per " + string(l.Type)
		}
	}
	for name, ratio := range l.MaxLimitRequestRatio {
		request, limit := r.Requests[name], r.Limits[name]
		if request.IsZero() || limit.IsZero() || float64(limit.MilliValue())/float64(request.MilliValue()) > float64(ratio.MilliValue())/1000 {
			return "over the ratio of " + string(name) + " per " + string(l.Type)
		}
	}
	return ""
}
