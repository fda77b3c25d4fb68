package controlplane

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
)

const (
	loopback    = "127.0.0.1"
	serviceCIDR = "10.96.0.0/16"
	// apiServiceIP is the first address of serviceCIDR: the Service "kubernetes".
	apiServiceIP = "10.96.0.1"
)

// component is one program of the control plane.
type component struct {
	// name is the program's and its log's.
	name string
	// args returns the arguments for one attempt to start it.
	args func() ([]string, error)
	// ready returns nil when the component does its work.
	ready func(context.Context) error
}

func (cp *ControlPlane) etcdComponent() component {
	args := func() ([]string, error) {
		ports, err := freePorts(loopback, 2)
		if err != nil {
			return nil, err
		}
		cp.etcd = fmt.Sprintf("https://%s:%d", loopback, ports[0])
		peer := fmt.Sprintf("https://%s:%d", loopback, ports[1])
		ca, server := cp.creds.ca.Cert, cp.creds.etcd
		return []string{
			"--data-dir=" + filepath.Join(cp.config.Dir, "etcd"),
			"--listen-client-urls=" + cp.etcd,
			"--advertise-client-urls=" + cp.etcd,
			"--listen-peer-urls=" + peer,
			"--initial-advertise-peer-urls=" + peer,
			"--initial-cluster=default=" + peer,
			// Other users of the machine can reach the ports, too.
			"--client-cert-auth", "--trusted-ca-file=" + ca,
			"--cert-file=" + server.Cert, "--key-file=" + server.Key,
			"--peer-client-cert-auth", "--peer-trusted-ca-file=" + ca,
			"--peer-cert-file=" + server.Cert, "--peer-key-file=" + server.Key,
			// Nothing here has to outlive a power cut.
			"--unsafe-no-fsync",
		}, nil
	}
	ready := func(ctx context.Context) error { return cp.get(ctx, cp.etcd+"/health") }
	return component{"etcd", args, ready}
}

func (cp *ControlPlane) apiServer() component {
	args := func() ([]string, error) {
		host := cp.host()
		ports, err := freePorts(host, 1)
		if err != nil {
			return nil, err
		}
		cp.api = fmt.Sprintf("https://%s:%d", host, ports[0])
		creds := cp.creds
		args := []string{
			"--bind-address=" + host,
			"--advertise-address=" + host,
			fmt.Sprintf("--secure-port=%d", ports[0]),
			"--etcd-servers=" + cp.etcd,
			"--etcd-cafile=" + creds.ca.Cert,
			"--etcd-certfile=" + creds.etcdClient.Cert, "--etcd-keyfile=" + creds.etcdClient.Key,
			"--tls-cert-file=" + creds.apiServer.Cert, "--tls-private-key-file=" + creds.apiServer.Key,
			"--client-ca-file=" + creds.ca.Cert,
			"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
			"--service-account-key-file=" + creds.tokens.Public,
			"--service-account-signing-key-file=" + creds.tokens.Private,
			"--service-cluster-ip-range=" + serviceCIDR,
			"--allow-privileged=true",
			// The API server itself finds the pods behind a webhook's Service.
			"--enable-aggregator-routing=true",
		}
		return slices.Concat(args, cp.nodeArgs(), auditArgs(cp.config), cp.config.APIServerArgs), nil
	}
	ready := func(ctx context.Context) error { return cp.get(ctx, cp.api+"/readyz") }
	return component{"kube-apiserver", args, ready}
}

func (cp *ControlPlane) controllerManager() component {
	args := func() ([]string, error) {
		creds := cp.creds
		args := []string{
			"--kubeconfig=" + cp.controllerManagerKubeconfig(),
			// Nobody asks it anything, and a port that is not open is never taken.
			"--secure-port=0",
			// It is the only one, and an election costs seconds.
			"--leader-elect=false",
			"--root-ca-file=" + creds.ca.Cert,
			"--cluster-signing-cert-file=" + creds.ca.Cert, "--cluster-signing-key-file=" + creds.ca.Key,
			"--service-account-private-key-file=" + creds.tokens.Private,
			// Admission then sees each controller under its own name, as in a real cluster.
			"--use-service-account-credentials=true",
			// The default of 20 requests a second would make large tests wait for it.
			"--kube-api-qps=500", "--kube-api-burst=1000",
		}
		return append(args, cp.config.ControllerManagerArgs...), nil
	}
	// This account is there only if its controllers have synced and work.
	ready := func(ctx context.Context) error {
		return cp.get(ctx, cp.api+"/api/v1/namespaces/default/serviceaccounts/default")
	}
	return component{"kube-controller-manager", args, ready}
}
