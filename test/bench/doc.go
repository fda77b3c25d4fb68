// Command bench measures what certwire costs its users, on a real API server, beside what they would use instead:
//
//	go run ./test/bench            about ten minutes
//	go run ./test/bench --quick    about two
//	go run ./test/bench --full     with 10,000 Certificates and 50,000 workloads in memory, too
//	go run ./test/bench --meter    the budgets instead: about three minutes, with --full about eight
//	go run ./test/bench --agent    the agent instead: about three minutes, with --quick one, with --full eight
//	go run ./test/bench --delivery deliveries instead, as root: about 20 minutes, with --quick about 15
//
// Latency is that of server-side dry-run creates of a 6 KB Deployment, in one namespace for each contender:
//
//   - no webhook;
//   - a controller-runtime webhook that does nothing (folder noop);
//   - the same with the right patch as its answer to everything, which tells what the API server itself needs for a patch;
//   - a MutatingAdmissionPolicy that looks the Secret up among the namespace's Certificates (objects/policy.yaml);
//   - certwire with its manifests.
//
// Contenders take turns at random within one run and every answer is checked, so that ratios hold on a machine that does
// other things, too; "+" is what a contender needs more than no webhook at all. Webhooks are called straight on loopback,
// over HTTP/1.1, as the API server calls Services.
//
// Memory is that of a fresh replica with its ServiceAccount's permissions and the manifests' memory limit as GOMEMLIMIT.
//
// The budgets are measured with the ledger in this process and a real API server: how large and how quick to write one
// with 10,000 sets of names is, how many writes an order causes, and what a cold start costs with 100,000 Orders.
//
// The agent is measured on this machine alone, with no cluster: a volume that changes as the kubelet changes it, a server
// that takes a certificate up in no time of its own, and the agent as it is released. Beside it, in the same run and on the
// same volume, stands prometheus-operator's config-reloader, built from test/peer, with its defaults and with the shortest
// times that it takes. It tells a server by HTTP that files changed, and looks no further. The first run builds it, which
// takes minutes.
//
// Deliveries are measured twice. First on the test's node: a Deployment of 100 pods whose server watches its files is renewed
// by the kubelet alone, with certwire's pokes, and by a rolling restart, which is what Reloader has done. How long that takes
// is seen by this process, which dials every pod, and not by certwire. Then with 10,000 Certificates (or as many as
// --delivery-certificates says), each with one pod that is an object without a node. Its address, of those that RFC 2544 has
// for benchmarks, leads to this process, which serves each pod's certificate: to see what the replica that leads needs in
// memory and CPU, how many probes a second it makes, and how long a renewal waits when all other endpoints say nothing.
// No cert-manager runs: this process writes what its controllers would.
//
// Numbers never fail a run; a wrong answer does. The agent's bounds are the exception: 10 MiB resident, and 8 MB of image. With KUBECONFIG set the cluster must be one to spare, without certwire.
//
// Start reading at [run].
package main
