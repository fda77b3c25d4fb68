package walk

import (
	"context"
	"net"
	"strconv"

	"github.com/certwire/certwire/cmd/kubectl-certwire/internal/forward"
	"github.com/certwire/certwire/pkg/delivery"
	"github.com/certwire/certwire/pkg/probe"
)

// Direct reaches pods at their own addresses: from a machine that is in the cluster's network.
func Direct(context.Context, string, string) (func(context.Context, delivery.Place) probe.Result, func(), error) {
	return func(ctx context.Context, p delivery.Place) probe.Result { return probe.Dial(ctx, p.Target) }, func() {}, nil
}

// Through reaches pods through the API server.
func Through(f *forward.Forwarder) Reach {
	return func(ctx context.Context, namespace, name string) (func(context.Context, delivery.Place) probe.Result, func(), error) {
		limited, cancel := context.WithTimeout(ctx, probe.DefaultTimeout)
		defer cancel()
		pod, err := f.Open(limited, namespace, name)
		if err != nil {
			return nil, nil, err
		}
		return func(ctx context.Context, p delivery.Place) probe.Result {
			return probe.Over(ctx, p.Target, func(context.Context) (net.Conn, error) { return pod.Connect(p.Number()) })
		}, pod.Close, nil
	}
}

// At is what looks at a public name, at HTTPS' port and by this machine's own resolver.
func At(ctx context.Context, host string) probe.Result {
	return probe.Dial(ctx, probe.Target{Address: net.JoinHostPort(host, strconv.Itoa(https)), ServerName: host})
}

const https = 443
