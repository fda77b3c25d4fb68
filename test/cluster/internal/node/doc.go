// Package node makes this machine a node of the test cluster: containerd with
// images that were made here, CNI's bridge plugin, and the kubelet. What they do
// stays in the folder of the run: see package mountns for their mounts, cgroup
// for their processes and bridge for their network.
//
// The node cannot change the machine's settings either. Where the kubelet and the
// plugins would write to /proc/sys they find what they want there already, in
// files that only they see.
//
// Start at [New] and [Node.Start].
package node
