// Package harness runs certwire against a real API server, for the end-to-end tests, the benchmark and the demo: it
// starts test/cluster (or takes the cluster of KUBECONFIG), installs the manifests as they are, and runs the webhook's
// binary as the manifests' Deployment would, with its ServiceAccount's token.
//
// What is not real, because there is no node: the replicas are processes of this machine, and [Service] stands in for
// kubelet, EndpointSlices and kube-proxy. The webhook configurations' clientConfig is therefore turned from the Service
// into the stand-in's URL; everything else in them is what the files say.
//
// Start reading at [Start].
package harness
