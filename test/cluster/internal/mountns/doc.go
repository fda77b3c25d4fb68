// Package mountns gives a thread, and the processes started from it, mounts of
// their own. The kubelet, containerd and CNI plugins have paths that no setting
// moves (/var/lib/kubelet/device-plugins, /run/containerd/s, /run/netns): in a
// namespace of its own a node has those paths in the folder of its run, and the
// machine's are neither read nor written. All mounts, those of pods included, end
// with the last process of the node, however it ends. Start at [Enter].
package mountns
