package lint

import (
	"encoding/json"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/manifest"
	"github.com/certwire/certwire/pkg/mutate"
	"github.com/certwire/certwire/pkg/policy"
)

// guarded is an object that rules look at.
type guarded struct {
	manifest  *manifest.Object
	namespace string
	object    policy.Object
}

// planned is a workload or a Pod.
type planned struct {
	manifest  *manifest.Object
	namespace string
	workload  *mutate.Workload
	pod       *mutate.Pod
}

// collection is the input, sorted by what is to be asked of it.
type collection struct {
	world   *world
	guarded []guarded
	planned []planned
}

// take sorts one object in. The error is for one whose shape is not its kind's.
func (c *collection) take(o *manifest.Object, namespace string) error {
	if kind, ok := policy.KindOf(o.Group, o.Kind); ok {
		return c.takeGuarded(o, namespace, kind)
	}
	switch {
	case o.Group == "apps" && (o.Kind == "Deployment" || o.Kind == "StatefulSet" || o.Kind == "DaemonSet"):
		return c.takeWorkload(o, namespace)
	case o.Group != "":
		return nil
	}
	switch o.Kind {
	case "Pod":
		pod, err := mutate.DecodePod(o.JSON)
		if err == nil {
			c.planned = append(c.planned, planned{manifest: o, namespace: namespace, pod: pod})
		}
		return err
	case "Namespace":
		var n struct {
			Metadata struct {
				Labels map[string]string `json:"labels"`
			} `json:"metadata"`
		}
		err := json.Unmarshal(o.JSON, &n)
		c.world.namespaces[o.Name] = n.Metadata.Labels
		return err
	case "LimitRange":
		var l corev1.LimitRange
		err := json.Unmarshal(o.JSON, &l)
		c.world.limits[namespace] = append(c.world.limits[namespace], l.Spec.Limits...)
		return err
	case "ConfigMap":
		return c.takeConfigMap(o)
	}
	return nil
}

func (c *collection) takeGuarded(o *manifest.Object, namespace string, kind policy.Kind) error {
	if kind == policy.ClusterIssuer {
		namespace = ""
	}
	object, err := policy.Parse(kind, o.JSON)
	if err != nil {
		return err
	}
	c.guarded = append(c.guarded, guarded{o, namespace, object})
	switch kind {
	case policy.Certificate:
		return c.world.addCertificate(namespace, object, o.JSON)
	case policy.IssuerKind, policy.ClusterIssuer:
		return c.world.addIssuer(namespace, object, o.JSON)
	}
	return nil
}

func (c *collection) takeWorkload(o *manifest.Object, namespace string) error {
	w, err := mutate.Decode(o.JSON)
	if err != nil {
		return err
	}
	if w.Metadata == nil {
		w.Metadata = &mutate.Meta{}
	}
	if w.Declares() {
		var full mutate.Template
		if err := json.Unmarshal(o.JSON, &full); err != nil {
			return err
		}
		w.Pod = &full.Spec.Template.Spec
	}
	c.planned = append(c.planned, planned{manifest: o, namespace: namespace, workload: w})
	c.world.labels[workload{o.Kind, namespace, o.Name}] = w.Metadata.Labels.Reload
	return nil
}

// takeConfigMap looks for the one in which Reloader publishes its options.
func (c *collection) takeConfigMap(o *manifest.Object) error {
	if o.Name != reloaderConfigMap {
		return nil
	}
	var m struct {
		Data map[string]string `json:"data"`
	}
	if err := json.Unmarshal(o.JSON, &m); err != nil {
		return err
	}
	reloader, err := mutate.ParseReloader(strings.TrimSpace(m.Data["reloaderOptions"]))
	if err == nil {
		c.world.reloader = reloader
	}
	return err
}

// reloaderConfigMap is Reloader's (stakater/Reloader, pkg/common/metainfo.go).
const reloaderConfigMap = "reloader-meta-info"
