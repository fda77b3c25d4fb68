package inventory

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/mutate"
)

// Inventory answers from its informers. Build it with [New], run it with Start, and ask only when Ready returns nil.
type Inventory struct {
	cache, configMaps cache.Cache
	solvers           cache.Cache
	live              client.Reader
	log               logr.Logger
	retry             time.Duration

	affected func(WorkloadKey)
	order    func(*Order, bool)
	failed   func(*Challenge, time.Time)
	refused  func()
	issued   func(namespace, certificate string)
	issuance func(namespace, certificate string)

	creations *creations

	core, certManager     atomic.Pointer[stores]
	certManagerMissing    atomic.Bool
	reloader              atomic.Pointer[mutate.Reloader]
	looking               sync.Mutex
	informersHaveSynced   atomic.Bool
	certManagerHaveSynced atomic.Bool
	ingressClasses        atomic.Pointer[toolscache.SharedIndexInformer]
	solverIngresses       atomic.Pointer[toolscache.SharedIndexInformer]

	version            Versioner
	trial              Trial
	serverVersion      atomic.Pointer[string]
	tried              atomic.Pointer[mutate.Features]
	nodes, limitRanges atomic.Pointer[toolscache.SharedIndexInformer]
	finding            sync.Mutex // features
	features           atomic.Pointer[mutate.Features]
	featuresAwaited    atomic.Bool
}

// stores are the indexed caches of a group of kinds, set once they exist.
type stores struct {
	deployments, statefulSets, daemonSets, namespaces, configMaps toolscache.SharedIndexInformer
	certificates, issuers, clusterIssuers                         toolscache.SharedIndexInformer
	orders, challenges, requests                                  toolscache.SharedIndexInformer
}

// Options are the ways to build an Inventory.
type Options struct {
	// Cache is the manager's, made with [CacheOptions].
	Cache cache.Cache
	// ConfigMaps is made with [ConfigMapCache].
	ConfigMaps cache.Cache
	// Live reads from the API server; only namespaces that the cache does not have are asked of it.
	Live client.Reader
	Log  logr.Logger
	// Affected is called for every workload whose plan may have changed: it, its namespace, its Certificates or
	// Reloader changed. It must not block. Optional.
	Affected func(WorkloadKey)
	// Order is called when an Order has come further, or is gone (true). It must not block. Optional.
	Order func(order *Order, deleted bool)
	// Failed is called when a CA has found a Challenge invalid, with the time when that was. It must not block. Optional.
	Failed func(*Challenge, time.Time)
	// Refused is called when the requests that certwire holds up have changed. It must not block. Optional.
	Refused func()
	// Issued is called when a Certificate was issued, changed its Secret, appeared or is gone. It must not block. Optional.
	Issued func(namespace, certificate string)
	// Issuance is called when what [Inventory.Issuance] tells of a Certificate may have changed. It must not block. Optional.
	Issuance func(namespace, certificate string)
	// Solvers is made with [SolverCache]. Optional: without it nothing is known of the Ingresses of Challenges.
	Solvers cache.Cache
	// Version tells what the API server can do; without it nothing is known of that.
	Version Versioner
	// Trial creates Pods as a dry run in certwire's own namespace; without it the version has to do.
	Trial Trial
	// Retry is how long to wait before the API server is asked again for what was missing. Defaults to 2 s.
	Retry time.Duration
}

// New returns an Inventory that is not started.
func New(o Options) *Inventory {
	i := &Inventory{
		cache: o.Cache, configMaps: o.ConfigMaps, live: o.Live, log: o.Log, retry: o.Retry,
		creations: newCreations(), version: o.Version, trial: o.Trial,
		affected: o.Affected, order: o.Order, failed: o.Failed, refused: o.Refused, issued: o.Issued,
		issuance: o.Issuance, solvers: o.Solvers,
	}
	if i.affected == nil {
		i.affected = func(WorkloadKey) {}
	}
	if i.order == nil {
		i.order = func(*Order, bool) {}
	}
	if i.failed == nil {
		i.failed = func(*Challenge, time.Time) {}
	}
	if i.refused == nil {
		i.refused = func() {}
	}
	if i.issuance == nil {
		i.issuance = func(string, string) {}
	}
	if i.issued == nil {
		i.issued = func(string, string) {}
	}
	if i.retry <= 0 {
		i.retry = 2 * time.Second
	}
	none := mutate.NoReloader()
	i.reloader.Store(&none)
	return i
}

// NeedLeaderElection is false: every replica answers admission requests.
func (i *Inventory) NeedLeaderElection() bool { return false }

// ErrNotSynced is returned by Ready while the caches fill.
var ErrNotSynced = errors.New("the caches are still filling")

// Ready returns nil once every informer has synced. cert-manager's count once its CRDs are there: a cluster without
// them has no Certificates, and certwire is ready to say so.
func (i *Inventory) Ready() error {
	switch {
	case !i.informersHaveSynced.Load():
		return fmt.Errorf("workloads and namespaces: %w", ErrNotSynced)
	case !i.certManagerHaveSynced.Load() && !i.certManagerMissing.Load():
		return fmt.Errorf("cert-manager's resources: %w", ErrNotSynced)
	case i.version != nil && !i.featuresAwaited.Load():
		return fmt.Errorf("the versions of API server and nodes: %w", ErrNotSynced)
	}
	return nil
}

// Installed reports whether cert-manager's resources are watched. While they are not, nobody knows what a certificate
// Secret is, and what certwire added before must stay.
func (i *Inventory) Installed() bool { return i.certManagerHaveSynced.Load() }

// Start makes the informers and keeps them until the context ends. An API server that cannot be reached, and CRDs that
// are not there, are asked for again and again; only the context ends it, with nil.
func (i *Inventory) Start(ctx context.Context) error {
	var filling sync.WaitGroup // side by side: decoding is most of the time to ready
	filling.Go(func() {
		if i.until(ctx, "kinds of Kubernetes itself", i.startCore) {
			i.informersHaveSynced.Store(true)
			i.log.Info("Caches have synced", "kinds", "workloads and namespaces")
		}
	})
	filling.Go(func() {
		if i.until(ctx, "kinds of cert-manager", i.startCertManager) {
			i.certManagerMissing.Store(false)
			i.certManagerHaveSynced.Store(true)
			i.log.Info("Caches have synced", "kinds", "Certificates and issuers")
		}
	})
	filling.Go(func() { i.until(ctx, "IngressClasses", i.startIngressClasses) })
	if i.solvers != nil {
		filling.Go(func() { i.until(ctx, "Ingresses of Challenges", i.startSolvers) })
	}
	filling.Go(func() { i.until(ctx, "Nodes and LimitRanges", i.startNodes) })
	filling.Go(func() { i.awaitFeatures(ctx) })
	go i.followServer(ctx)
	filling.Wait()
	<-ctx.Done()
	return nil
}

// until calls start until it succeeds; false when the context ended first.
func (i *Inventory) until(ctx context.Context, kinds string, start func(context.Context) error) bool {
	last := ""
	for {
		err := start(ctx)
		switch {
		case err == nil:
			return true
		case ctx.Err() != nil:
			return false
		}
		if err.Error() != last { // once for each cause, not at every attempt
			last = err.Error()
			if meta.IsNoMatchError(err) {
				i.log.Info("Not installed in this cluster yet, waiting", "kinds", kinds, "missing", err.Error())
			} else {
				i.log.Error(err, "The API server did not answer, trying again", "kinds", kinds, "every", i.retry.String())
			}
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(i.retry):
		}
	}
}

func (i *Inventory) startCore(ctx context.Context) error {
	s := &stores{}
	if err := i.informers(ctx, []kind{
		{&appsv1.Deployment{}, &s.deployments, workloadIndexers},
		{&appsv1.StatefulSet{}, &s.statefulSets, workloadIndexers},
		{&appsv1.DaemonSet{}, &s.daemonSets, workloadIndexers},
		{namespaceMeta(), &s.namespaces, nil},
		{&corev1.ConfigMap{}, &s.configMaps, nil},
	}); err != nil {
		return err
	}
	i.core.Store(s)
	return i.handle(ctx, []pair{
		{s.deployments, i.onWorkload()}, {s.statefulSets, i.onWorkload()}, {s.daemonSets, i.onWorkload()},
		{s.namespaces, i.onNamespace()}, {s.configMaps, i.onReloader()},
	})
}

func (i *Inventory) startCertManager(ctx context.Context) error {
	s := &stores{}
	if err := i.informers(ctx, []kind{
		{&cmapi.Certificate{}, &s.certificates, certificateIndexers},
		{&cmapi.Issuer{}, &s.issuers, nil},
		{&cmapi.ClusterIssuer{}, &s.clusterIssuers, nil},
		{&acmeapi.Order{}, &s.orders, orderIndexers},
		{&acmeapi.Challenge{}, &s.challenges, challengeIndexers},
		{&cmapi.CertificateRequest{}, &s.requests, requestIndexers},
	}); err != nil {
		i.certManagerMissing.Store(meta.IsNoMatchError(err))
		return err
	}
	i.certManagerMissing.Store(false)
	i.certManager.Store(s)
	if err := i.handle(ctx, []pair{{s.certificates, i.onCertificate()}, {s.certificates, i.onCreation()}, {s.certificates, i.onIssued()}, {s.certificates, i.onWaiting()},
		{s.issuers, i.onIssuer()}, {s.clusterIssuers, i.onIssuer()}}); err != nil {
		return err
	}
	// What is said of an order depends on its issuer, so the issuers come first.
	return i.handle(ctx, []pair{{s.orders, i.onOrder()}, {s.challenges, i.onChallenge()}, {s.requests, i.onRequest()}})
}

// kind is one informer to be: for which objects, where it goes, and by what it is asked.
type kind struct {
	object   client.Object
	to       *toolscache.SharedIndexInformer
	indexers toolscache.Indexers
}

func (i *Inventory) informers(ctx context.Context, kinds []kind) error {
	for _, k := range kinds {
		if err := i.informer(ctx, k.object, k.indexers, k.to); err != nil {
			return err
		}
	}
	return nil
}

// informer gets or makes the informer of one kind.
func (i *Inventory) informer(ctx context.Context, object client.Object, indexers toolscache.Indexers, to *toolscache.SharedIndexInformer) error {
	from := i.cache
	if _, ok := object.(*corev1.ConfigMap); ok {
		from = i.configMaps
	}
	got, err := from.GetInformer(ctx, object, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("starting the informer for %T: %w", object, err)
	}
	shared, ok := got.(toolscache.SharedIndexInformer)
	if !ok {
		return fmt.Errorf("starting the informer for %T: it has no index", object)
	}
	missing := toolscache.Indexers{}
	have := shared.GetIndexer().GetIndexers()
	for name, fn := range indexers {
		if _, ok := have[name]; !ok {
			missing[name] = fn
		}
	}
	if err := shared.AddIndexers(missing); err != nil {
		return fmt.Errorf("indexing %T: %w", object, err)
	}
	*to = shared
	return nil
}

type pair struct {
	informer toolscache.SharedIndexInformer
	handler  toolscache.ResourceEventHandler
}

// handle adds the handlers and waits until everything has synced, handlers included.
func (i *Inventory) handle(ctx context.Context, pairs []pair) error {
	synced := make([]toolscache.InformerSynced, 0, len(pairs))
	for _, p := range pairs {
		if p.handler == nil {
			synced = append(synced, p.informer.HasSynced)
			continue
		}
		registration, err := p.informer.AddEventHandler(p.handler)
		if err != nil {
			return fmt.Errorf("listening to an informer: %w", err)
		}
		synced = append(synced, registration.HasSynced)
	}
	if !toolscache.WaitForCacheSync(ctx.Done(), synced...) {
		return fmt.Errorf("waiting for the caches: %w", context.Cause(ctx))
	}
	return nil
}

func namespaceMeta() *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}}
}
