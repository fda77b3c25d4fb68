// Command cluster runs a real Kubernetes control plane on this machine for
// certwire's tests: etcd, the API server and the controller manager, built from Go
// modules, with cert-manager's CustomResourceDefinitions installed. With --node it
// makes the machine a node of the cluster, too, and pods run.
//
//	go -C test/cluster run .
//
// It needs Go, Linux and, for the first run, a Go module proxy; a node needs root and
// packages of Debian's, too. The module is apart from certwire's own, so that the
// product's go.mod stays free of Kubernetes' servers. The command itself imports
// only the standard library; the servers are build targets that go.mod pins.
//
// Start reading at serve; the parts are in internal:
//
//	binaries      builds the programs once per set of versions
//	rundir        a folder per run, and what a crashed run left
//	pki           keys and certificates
//	controlplane  starts, watches and ends the components
//	crds          installs CustomResourceDefinitions
//	node          runs containerd and the kubelet
//	debian        installs the packages that a node needs
//	image         writes container images
//	mountns       mounts that only a node sees
//	cgroup        the processes of pods, and how to know them again
//	bridge        the network of pods
//	process       a child process, and how to know it again
//	flock         file locks between commands
package main
