package inventory

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/version"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/certwire/certwire/pkg/mutate"
)

// The minor versions of Kubernetes 1 from which a feature is on by default (the feature gates SidecarContainers and
// RestartAllContainersOnContainerExits).
const (
	nativeSidecarsSince       = 29
	restartAllContainersSince = 36
)

// versionEvery is how often the API server is asked for its version: it may be upgraded, or downgraded.
const versionEvery = 5 * time.Minute

// featuresPatience is how long Ready waits for what the cluster can do. Somebody may have taken away the permission to
// list nodes: then nothing is injected, and all else goes on.
const featuresPatience = 20 * time.Second

// unknownFeatures hold once nobody waits any longer: without the agent, workloads are left to Reloader, with a warning that says
// why.
var unknownFeatures = mutate.Features{
	NativeSidecars:       "certwire could not find out what API server and nodes can do",
	RestartAllContainers: "certwire could not find out what API server and nodes can do",
}

// Features says what the API server and every node can do; false while nobody knows. It answers from memory.
func (i *Inventory) Features() (mutate.Features, bool) {
	if found := i.features.Load(); found != nil {
		return *found, true
	}
	if i.featuresAwaited.Load() {
		return unknownFeatures, true
	}
	return mutate.Features{}, false
}

// findFeatures looks through all nodes; false while nobody knows.
func (i *Inventory) findFeatures() (mutate.Features, bool) {
	server, tried, nodes := i.serverVersion.Load(), i.tried.Load(), i.nodes.Load()
	if server == nil || tried == nil || nodes == nil || !(*nodes).HasSynced() {
		return mutate.Features{}, false
	}
	return mutate.Features{
		NativeSidecars:       cmp.Or(tooOld(*server, *nodes, "native sidecars need", nativeSidecarsSince), tried.NativeSidecars),
		RestartAllContainers: cmp.Or(tooOld(*server, *nodes, "restarting all containers needs", restartAllContainersSince), tried.RestartAllContainers),
	}, true
}

// awaitFeatures ends when they are known, or nobody waits any longer.
func (i *Inventory) awaitFeatures(ctx context.Context) {
	patience := time.NewTimer(featuresPatience)
	defer patience.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if i.replan() {
			i.featuresAwaited.Store(true)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-patience.C:
			i.log.Info("Not known what API server and nodes can do: no agent is injected until it is. Is listing nodes allowed?")
			i.featuresAwaited.Store(true)
		case <-tick.C:
		}
	}
}

// replan finds out what the cluster can do, and has every plan made again that this changes. False while nobody knows.
func (i *Inventory) replan() bool {
	i.finding.Lock()
	now, known := i.findFeatures()
	if !known {
		i.finding.Unlock()
		return false
	}
	before := i.features.Swap(&now)
	i.finding.Unlock()
	if before == nil && !i.featuresAwaited.Load() || before != nil && *before == now {
		return true // nobody has planned without it
	}
	for _, key := range i.Interesting() {
		if w := i.Workload(key); w != nil && w.Pod != nil {
			i.affected(key)
		}
	}
	return true
}

// onNode makes plans anew when a node comes, goes or is upgraded, and that changes what all of them can do.
func (i *Inventory) onNode() toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(_ any, initially bool) {
			if !initially { // or every node of a large cluster would have all of them looked through
				i.replan()
			}
		},
		UpdateFunc: func(before, after any) {
			a, okA := before.(*corev1.Node)
			b, okB := after.(*corev1.Node)
			if okA && okB && a.Status.NodeInfo != b.Status.NodeInfo {
				i.replan()
			}
		},
		DeleteFunc: func(any) { i.replan() },
	}
}

// tooOld names the first of API server and nodes that is older than a minor version; empty when none is. A node that does
// not say what it is may be anything. Windows nodes do not run the pods that this is about.
func tooOld(server string, nodes toolscache.SharedIndexInformer, what string, since int) string {
	if minor(server) < since {
		return fmt.Sprintf("the API server is %s, and %s 1.%d", server, what, since)
	}
	first, reason := "", ""
	for _, object := range nodes.GetIndexer().List() {
		n, ok := object.(*corev1.Node)
		if !ok || n.Status.NodeInfo.OperatingSystem == string(corev1.Windows) || minor(n.Status.NodeInfo.KubeletVersion) >= since {
			continue
		}
		if first == "" || n.Name < first {
			first, reason = n.Name, fmt.Sprintf("the kubelet of node %s is %s, and %s 1.%d",
				n.Name, cmp.Or(n.Status.NodeInfo.KubeletVersion, "of no known version"), what, since)
		}
	}
	return reason
}

// minorOf finds the minor version in what servers and kubelets report, such as v1.37.2 or v1.31.4-eks-0af8b11.
var minorOf = regexp.MustCompile(`^v1\.(\d{1,4})\b`)

// minor is -1 for a version that cannot be read.
func minor(v string) int {
	m := minorOf.FindStringSubmatch(v)
	if m == nil {
		return -1
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return -1
	}
	return n
}

// Versioner tells the API server's version. A discovery client is one.
type Versioner interface {
	ServerVersion() (*version.Info, error)
}

// followServer asks what the API server can do until the context ends.
func (i *Inventory) followServer(ctx context.Context) {
	if i.version == nil {
		return
	}
	wait, last := i.retry, ""
	for {
		if err := i.askServer(ctx); err == nil {
			wait, last = versionEvery, ""
			i.replan()
		} else if err.Error() != last && ctx.Err() == nil {
			last = err.Error()
			i.log.Info("Not known what the API server can do, trying again", "reason", last)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// askServer asks for the version, and what it makes of a pod with the agent. Where nobody may try that, nothing is
// injected: a version does not tell which features are switched off, and a pod is at stake.
func (i *Inventory) askServer(ctx context.Context) error {
	v, err := i.version.ServerVersion()
	if err != nil {
		return fmt.Errorf("asking for the version: %w", err)
	}
	tried := mutate.Features{}
	if i.trial != nil {
		if tried, err = try(ctx, i.trial); err != nil {
			return err
		}
	}
	i.serverVersion.Store(&v.GitVersion)
	i.tried.Store(&tried)
	return nil
}

// startNodes begins to watch nodes and LimitRanges. Nothing waits for them but the agent's injection.
func (i *Inventory) startNodes(ctx context.Context) error {
	var nodes, limits toolscache.SharedIndexInformer
	if err := i.informers(ctx, []kind{
		{&corev1.Node{}, &nodes, nil},
		{&corev1.LimitRange{}, &limits, toolscache.Indexers{toolscache.NamespaceIndex: toolscache.MetaNamespaceIndexFunc}},
	}); err != nil {
		return err
	}
	i.limitRanges.Store(&limits)
	i.nodes.Store(&nodes)
	return i.handle(ctx, []pair{{nodes, i.onNode()}, {limits, nil}})
}

// Limits returns the bounds that a namespace's LimitRanges set on containers and on pods.
func (i *Inventory) Limits(namespace string) []corev1.LimitRangeItem {
	informer := i.limitRanges.Load()
	if informer == nil {
		return nil
	}
	objects, err := (*informer).GetIndexer().ByIndex(toolscache.NamespaceIndex, namespace)
	if err != nil {
		return nil // only for an index that does not exist
	}
	var items []corev1.LimitRangeItem
	for _, o := range objects {
		if l, ok := o.(*corev1.LimitRange); ok {
			items = append(items, l.Spec.Limits...)
		}
	}
	return items
}

// OwnerLabel returns the value of certwire.dev/reload on the workload that a Pod belongs to; empty for none, and for a
// workload that the cache does not have yet.
func (i *Inventory) OwnerLabel(namespace, kind, name string) string {
	w := i.Workload(WorkloadKey{Kind: kind, Namespace: namespace, Name: name})
	if w == nil {
		return ""
	}
	return w.Workload.Metadata.Labels.Reload
}

func stripNode(n *corev1.Node) *corev1.Node {
	return &corev1.Node{ObjectMeta: identity(n.ObjectMeta), Status: corev1.NodeStatus{NodeInfo: corev1.NodeSystemInfo{
		KubeletVersion: n.Status.NodeInfo.KubeletVersion, OperatingSystem: n.Status.NodeInfo.OperatingSystem,
	}}}
}

func stripLimitRange(l *corev1.LimitRange) *corev1.LimitRange {
	kept := &corev1.LimitRange{ObjectMeta: identity(l.ObjectMeta)}
	for _, item := range l.Spec.Limits {
		if item.Type == corev1.LimitTypeContainer || item.Type == corev1.LimitTypePod {
			kept.Spec.Limits = append(kept.Spec.Limits, item)
		}
	}
	return kept
}

// stripTemplate keeps of a pod spec what the agent's plan reads.
func stripTemplate(s *corev1.PodSpec) *corev1.PodSpec {
	kept := &corev1.PodSpec{
		HostPID: s.HostPID, HostNetwork: s.HostNetwork, ShareProcessNamespace: s.ShareProcessNamespace, Resources: s.Resources,
		RestartPolicy: s.RestartPolicy,
	}
	if mutate.OnWindows(s) {
		kept.OS = &corev1.PodOS{Name: corev1.Windows}
	}
	if c := s.SecurityContext; c != nil {
		kept.SecurityContext = &corev1.PodSecurityContext{RunAsUser: c.RunAsUser, FSGroup: c.FSGroup}
	}
	for i := range s.Volumes {
		if v := &s.Volumes[i]; v.Secret != nil || v.Projected != nil {
			kept.Volumes = append(kept.Volumes, *v)
		}
	}
	kept.InitContainers, kept.Containers = stripContainers(s.InitContainers), stripContainers(s.Containers)
	return kept
}

func stripContainers(list []corev1.Container) []corev1.Container {
	out := make([]corev1.Container, 0, len(list))
	for i := range list {
		c := &list[i]
		kept := corev1.Container{Name: c.Name, VolumeMounts: c.VolumeMounts, Ports: c.Ports, Resources: c.Resources, RestartPolicy: c.RestartPolicy}
		if c.SecurityContext != nil {
			kept.SecurityContext = &corev1.SecurityContext{RunAsUser: c.SecurityContext.RunAsUser}
		}
		for _, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				kept.Env = append(kept.Env, e)
			}
		}
		for _, e := range c.EnvFrom {
			if e.SecretRef != nil {
				kept.EnvFrom = append(kept.EnvFrom, e)
			}
		}
		out = append(out, kept)
	}
	return out
}
