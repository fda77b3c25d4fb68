// Package cluster reaches the API server the way kubectl does, with the caller's own permissions.
//
// Start reading at [Flags].
package cluster

import (
	"errors"
	"fmt"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/front"
)

// Flags are kubectl's own for choosing a cluster, a user and a namespace.
type Flags struct {
	rules     *clientcmd.ClientConfigLoadingRules
	overrides clientcmd.ConfigOverrides
}

// Add adds the flags.
func (f *Flags) Add(to *pflag.FlagSet) {
	f.rules = clientcmd.NewDefaultClientConfigLoadingRules()
	to.StringVar(&f.rules.ExplicitPath, "kubeconfig", "", "kubeconfig file; without one, KUBECONFIG or ~/.kube/config")
	clientcmd.BindOverrideFlags(&f.overrides, to, clientcmd.RecommendedConfigOverrideFlags(""))
}

// Cluster is an API server to ask. It is safe for concurrent use.
type Cluster struct {
	client.Client
	Discovery discovery.DiscoveryInterface
	// Namespace is the chosen one, or the context's, or default.
	Namespace string

	config *rest.Config
	scheme *runtime.Scheme
}

// Connect reads the kubeconfig. It asks nothing of the API server yet.
func (f *Flags) Connect() (*Cluster, error) {
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(f.rules, &f.overrides)
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config.QPS, config.Burst = 50, 100
	config.WarningHandler = rest.NoWarnings{}
	c := &Cluster{Namespace: namespace, config: config, scheme: runtime.NewScheme()}
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, cmapi.AddToScheme, acmeapi.AddToScheme, v1alpha1.AddToScheme, front.AddToScheme} {
		if err := add(c.scheme); err != nil {
			return nil, fmt.Errorf("preparing the client: %w", err)
		}
	}
	if c.Client, err = client.NewWithWatch(config, client.Options{Scheme: c.scheme}); err != nil {
		return nil, fmt.Errorf("preparing the client: %w", err)
	}
	if c.Discovery, err = discovery.NewDiscoveryClientForConfig(config); err != nil {
		return nil, fmt.Errorf("preparing the client: %w", err)
	}
	return c, nil
}

// Config is the connection's, for what no client can do; nil where there is none. It is not to be changed.
func (c *Cluster) Config() *rest.Config { return c.config }

// Watching returns the client as one that can watch.
func (c *Cluster) Watching() (client.WithWatch, error) {
	if w, ok := c.Client.(client.WithWatch); ok {
		return w, nil
	}
	return nil, errors.New("there is no connection to watch on")
}

// Listening returns a client whose warnings, which the API server sends along with an answer, go to a function. The function
// may be called concurrently.
func (c *Cluster) Listening(to func(text string)) (client.Client, error) {
	if c.config == nil {
		return nil, errors.New("there is no connection to listen on")
	}
	config := rest.CopyConfig(c.config)
	config.WarningHandler = listener(to)
	out, err := client.New(config, client.Options{Scheme: c.scheme, Mapper: c.RESTMapper()})
	if err != nil {
		return nil, fmt.Errorf("preparing the client: %w", err)
	}
	return out, nil
}

type listener func(string)

// HandleWarningHeader implements [rest.WarningHandler].
func (l listener) HandleWarningHeader(_ int, _, text string) { l(text) }

// Why says in a few words why something could not be read: not allowed, not installed, or the error itself.
func Why(err error) string {
	switch {
	case apierrors.IsForbidden(err):
		return "you may not read it"
	case meta.IsNoMatchError(err):
		return "this cluster does not have that kind"
	case apierrors.IsNotFound(err):
		return "it is not there"
	default:
		return err.Error()
	}
}
