package forward

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

// Forwarder opens pods. It is safe for concurrent use.
type Forwarder struct {
	config *rest.Config
	pods   *rest.RESTClient
}

// New makes a Forwarder for an API server. It asks nothing of it yet.
func New(config *rest.Config) (*Forwarder, error) {
	c := rest.CopyConfig(config)
	c.APIPath, c.GroupVersion, c.NegotiatedSerializer = "/api", &corev1.SchemeGroupVersion, scheme.Codecs.WithoutConversion()
	pods, err := rest.RESTClientFor(c)
	if err != nil {
		return nil, fmt.Errorf("preparing the port forward: %w", err)
	}
	return &Forwarder{config: c, pods: pods}, nil
}

// Pod is one pod's ports. It is safe for concurrent use, and has to be closed.
type Pod struct {
	streams httpstream.Connection
	request atomic.Int64
}

// Open asks the API server for a pod's ports. It needs permission to create pods/portforward.
func (f *Forwarder) Open(ctx context.Context, namespace, name string) (*Pod, error) {
	dialer, err := f.dialer(f.pods.Post().Resource("pods").Namespace(namespace).Name(name).SubResource("portforward").URL())
	if err != nil {
		return nil, err
	}
	type opened struct {
		streams httpstream.Connection
		err     error
	}
	done := make(chan opened, 1)
	go func() { // the dialer knows no context
		streams, protocol, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
		if err == nil && protocol != portforward.PortForwardProtocolV1Name {
			_ = streams.Close()
			err = fmt.Errorf("the API server speaks %q", protocol)
		}
		done <- opened{streams, err}
	}()
	select {
	case o := <-done:
		if o.err != nil {
			return nil, fmt.Errorf("opening pod %s/%s: %w", namespace, name, o.err)
		}
		return &Pod{streams: o.streams}, nil
	case <-ctx.Done():
		go func() {
			if o := <-done; o.err == nil {
				_ = o.streams.Close()
			}
		}()
		return nil, fmt.Errorf("opening pod %s/%s: %w", namespace, name, ctx.Err())
	}
}

// dialer prefers WebSockets, as kubectl does, and falls back to SPDY where an API server or a proxy before it cannot do it.
func (f *Forwarder) dialer(at *url.URL) (httpstream.Dialer, error) {
	transport, upgrader, err := spdy.RoundTripperFor(f.config)
	if err != nil {
		return nil, fmt.Errorf("preparing the port forward: %w", err)
	}
	old := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, at)
	tunnel, err := portforward.NewSPDYOverWebsocketDialerForStreaming(at, f.config)
	if err != nil {
		return nil, fmt.Errorf("preparing the port forward: %w", err)
	}
	return portforward.NewFallbackDialerForStreaming(tunnel, old, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}

// Close ends all connections to the pod.
func (p *Pod) Close() { _ = p.streams.Close() }

// Connect connects to a port at the pod's own loopback address, which is where a port forward leads.
func (p *Pod) Connect(port uint16) (net.Conn, error) {
	headers := http.Header{}
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	headers.Set(corev1.PortHeader, strconv.Itoa(int(port)))
	headers.Set(corev1.PortForwardRequestIDHeader, strconv.FormatInt(p.request.Add(1), 10))
	trouble, err := p.streams.CreateStream(headers)
	if err != nil {
		return nil, fmt.Errorf("connecting to port %d: %w", port, err)
	}
	_ = trouble.Close() // nothing is ever written to it
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := p.streams.CreateStream(headers)
	if err != nil {
		p.streams.RemoveStreams(trouble)
		return nil, fmt.Errorf("connecting to port %d: %w", port, err)
	}
	return newConn(data, trouble, func() { p.streams.RemoveStreams(trouble, data) }), nil
}
