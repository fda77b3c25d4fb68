package mutate

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/certwire/certwire/pkg/reload/spec"
)

// situation is what a choice is made from: a pod template or a Pod, and what stands around it.
type situation struct {
	annotations map[string]string
	spec        *corev1.PodSpec
	secrets     []string
	mode        Mode
	facts       *Facts
	// method holds where the annotations say nothing.
	method string
	// instead says what happens where the agent cannot be: the end of a warning.
	instead string
}

// choice is what the agent does in a pod.
type choice struct {
	agent    Agent
	values   spec.Values
	spec     spec.Spec
	methods  []spec.Method
	consumer consumer
	// demanded is whether the owner named method restart, and not a preset or the configuration.
	demanded bool
	// resources are the container's, within what the namespace takes.
	resources corev1.ResourceRequirements
	// user is who the agent runs as.
	user int64
	// shares is whether the pod needs shareProcessNamespace set.
	shares bool
	// mounts are the application's own that a method's parameters point into.
	mounts []corev1.VolumeMount
	// sidecar is what all of this comes to.
	sidecar sidecar
}

// outcome is how a choice ended.
type outcome int

const (
	unfit   outcome = iota // the agent cannot be there, or nothing is left for it to do
	watches                // the server watches its files: there is nothing to do
	acts                   // the agent is there
)

// choose decides whether the agent is in the pod, and what it does there. What the owner asked for and cannot be had
// is a warning.
func choose(s situation) (choice, outcome, []string) {
	var w warner
	c := choice{}
	if !c.read(s, &w) {
		return c, unfit, w
	}
	asked := slices.DeleteFunc(slices.Clone(c.spec.Methods), func(m spec.Method) bool { return m == spec.Rollout })
	switch {
	case len(asked) == 0:
		return c, unfit, w
	case len(asked) == 1 && asked[0] == spec.Self && s.mode != Sidecar && s.method == "":
		return c, watches, w
	}
	if why := s.unfit(c.agent); why != "" {
		w.say("the agent cannot be used: %s; %s", why, s.instead)
		return c, unfit, w
	}
	c.look(s)
	c.keep(asked, s, &w)
	if why := c.idle(asked); why != "" {
		w.say("%s; %s", why, s.instead)
		return c, unfit, w
	}
	var why string
	if c.resources, why = resourcesFor(s.spec, c.agent.Resources, s.facts.Limits); why != "" {
		w.say("the agent cannot be used: %s; %s", why, s.instead)
		return c, unfit, w
	}
	c.settle()
	c.listen(s, &w)
	var err error
	if c.sidecar, err = newSidecar(c); err != nil {
		w.say("the agent cannot be used: %s; %s", err, s.instead)
		return c, unfit, w
	}
	return c, acts, w
}

// read reads the annotations; false when they make no sense.
func (c *choice) read(s situation, w *warner) bool {
	var err error
	if c.agent, err = s.facts.Agent.override(s.annotations[AgentKey]); err != nil {
		w.say("%s; ignored", err)
	}
	c.values = c.agent.values(s.annotations)
	if c.values == (spec.Values{Verify: c.values.Verify, Process: c.values.Process}) {
		c.values.Method = s.method
	}
	if c.spec, err = spec.Parse(c.values); err == nil {
		named, err := spec.ParseMethods(s.annotations[MethodKey])
		c.demanded = err == nil && slices.Contains(named, spec.Restart)
		return true
	}
	for _, problem := range unjoin(err) {
		w.say("%s", problem)
	}
	w.say("the certwire.dev annotations are not as they should be; %s", s.instead)
	return false
}

// keep keeps the methods that can work.
func (c *choice) keep(asked []spec.Method, s situation, w *warner) {
	for _, m := range asked {
		why := c.refuses(m, s.facts)
		if why == "" {
			why = c.share(m)
		}
		if why != "" {
			w.say("method %s cannot be used: %s", m, why)
			continue
		}
		c.methods = append(c.methods, m)
	}
	for _, secret := range slices.Sorted(maps.Keys(c.consumer.blind)) {
		w.say("the agent cannot see Secret %s change: %s", secret, c.consumer.blind[secret])
	}
}

// idle says why nothing is left for the agent to do; empty when something is.
func (c *choice) idle(asked []spec.Method) string {
	switch {
	case len(c.methods) == 0, len(asked) > 1 && len(c.methods) == 1 && c.methods[0] == spec.Self:
		return "no method is left for the agent"
	case len(c.consumer.watched) == 0 && (!slices.Contains(c.methods, spec.Restart) || len(c.consumer.unmounted) == 0):
		return "there is no file for the agent to watch"
	}
	return ""
}

// look finds the certificates, and who the agent would be.
func (c *choice) look(s situation) {
	c.consumer = newConsumer(s.spec, s.secrets, c.agent.User)
	c.user = c.agent.User
	if uid, known := c.consumer.user(); known && uid != 0 {
		// The application's own user reads what the application reads, and may signal it; a platform that gives every
		// namespace its users takes no other.
		c.user = uid
	}
}

// settle finds what the methods that are left need of the pod.
func (c *choice) settle() {
	if slices.Contains(c.methods, spec.SignalMethod) {
		c.shares = !isTrue(c.consumer.spec.ShareProcessNamespace)
		if uid, _ := c.consumer.user(); uid == 0 {
			c.user = 0 // signals reach only the same user's processes (kill(2))
		}
	}
}

// share finds the mounts that hold what a method's parameters name, or says why the agent cannot have them. A container
// does not start with two mounts at one place (the API server refuses it), nor with one inside of another that is read-only:
// the runtime could not make its folder. It would keep the whole pod from starting.
func (c *choice) share(m spec.Method) string {
	mounts := c.mounts
	for _, file := range c.files(m) {
		if within(file, tokenFolder) {
			return file + " is the API's, and the agent is given no token"
		}
		mount, ok := c.consumer.holding(file)
		if !ok {
			return file + " is in no volume of the container, so the agent cannot share it"
		}
		for _, own := range []string{program, agentFolder, tokenFolder} {
			if within(mount.MountPath, own) || within(own, mount.MountPath) {
				return "the volume at " + mount.MountPath + " is where the agent has something itself; mount one elsewhere"
			}
		}
		known := false
		for _, o := range mounts {
			same := place(o.MountPath) == place(mount.MountPath)
			known = known || same
			if !same && (within(mount.MountPath, o.MountPath) || within(o.MountPath, mount.MountPath)) {
				return "the volumes at " + o.MountPath + " and " + mount.MountPath + " lie in one another"
			}
		}
		if !known {
			mounts = append(slices.Clip(mounts), mount)
		}
	}
	c.mounts = mounts
	return ""
}

// listen looks whether the port for the agent's metrics is free. The agent starts first, so that a server whose port it had
// taken would not start. On the node's network the port would be every such pod's of the node, and the scheduler would keep
// them apart; so it is used there only if the owner chose it.
func (c *choice) listen(s situation, w *warner) {
	port := c.agent.MetricsPort
	if port == 0 {
		return
	}
	for container := range allContainers(s.spec) {
		if container.Name != AgentName && slices.ContainsFunc(container.Ports, func(p corev1.ContainerPort) bool { return p.ContainerPort == port }) {
			w.say("the agent serves no metrics: container %s has port %d; choose another with %s=port=", container.Name, port, AgentKey)
			c.agent.MetricsPort = 0
			return
		}
	}
	if s.spec.HostNetwork && port == s.facts.Agent.MetricsPort {
		w.say("the agent serves no metrics on the node's network; choose a port for it there with %s=port=", AgentKey)
		c.agent.MetricsPort = 0
	}
}

// unfit says why the agent cannot be in the pod whatever its method.
func (s situation) unfit(a Agent) string {
	switch {
	case !a.Enabled || a.Image == "":
		return "it is switched off in certwire's configuration"
	case s.facts.Features.NativeSidecars != "":
		return s.facts.Features.NativeSidecars
	case OnWindows(s.spec):
		return "it runs on Linux alone"
	}
	return ""
}

// OnWindows reports whether a pod is meant for Windows nodes: by os.name, by a node selector or a required affinity, or by
// options that only those have.
func OnWindows(s *corev1.PodSpec) bool {
	windows := string(corev1.Windows)
	if (s.OS != nil && s.OS.Name == corev1.Windows) || s.NodeSelector[corev1.LabelOSStable] == windows ||
		(s.SecurityContext != nil && s.SecurityContext.WindowsOptions != nil) {
		return true
	}
	for c := range allContainers(s) {
		if c.SecurityContext != nil && c.SecurityContext.WindowsOptions != nil {
			return true
		}
	}
	if s.Affinity == nil || s.Affinity.NodeAffinity == nil || s.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return false
	}
	for _, term := range s.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		if slices.ContainsFunc(term.MatchExpressions, func(r corev1.NodeSelectorRequirement) bool {
			return r.Key == corev1.LabelOSStable && r.Operator == corev1.NodeSelectorOpIn && slices.Contains(r.Values, windows)
		}) {
			return true
		}
	}
	return false
}

// refuses says why a method cannot work in this pod; empty if it can. One reason a line, the first one holds.
func (c *choice) refuses(m spec.Method, f *Facts) string {
	if m != spec.Restart && len(c.consumer.frozen) > 0 {
		return fmt.Sprintf("Secret %s is used through env or subPath, which only new containers see anew", c.consumer.frozen[0])
	}
	switch m {
	case spec.SignalMethod:
		return c.refusesSignal()
	case spec.Restart:
		if ends := c.consumer.spec.RestartPolicy; ends != "" && ends != corev1.RestartPolicyAlways && !c.demanded {
			return "the pod runs to its end (restartPolicy " + string(ends) + ") and would begin its work anew; name it in " + MethodKey
		}
		return f.Features.RestartAllContainers
	}
	return ""
}

func (c *choice) refusesSignal() string {
	shares := c.consumer.spec.ShareProcessNamespace
	_, known := c.consumer.user()
	switch {
	case c.consumer.spec.HostPID:
		return "the pod has hostPID, and would show the agent the node's processes"
	case shares != nil && !*shares:
		return "the pod says shareProcessNamespace: false"
	case shares == nil && !c.agent.SharesProcesses:
		return "certwire's configuration forbids to set shareProcessNamespace"
	case !known:
		return "the container's user is not known; set one securityContext.runAsUser"
	}
	return ""
}

// files are the paths in the application's container that a method's parameters name.
func (c *choice) files(m spec.Method) []string {
	var files []string
	switch {
	case m == spec.HTTPMethod && c.spec.HTTP != nil && c.spec.HTTP.Body != "":
		files = append(files, c.spec.HTTP.Body)
	case m == spec.SocketMethod && c.spec.Socket != nil:
		if c.spec.Socket.Network == "unix" {
			files = append(files, c.spec.Socket.Address)
		}
		files = append(files, c.spec.Socket.Files()...)
	}
	return files
}
