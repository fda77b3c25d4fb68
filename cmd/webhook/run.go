package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/certwire/certwire/certs"
	"github.com/certwire/certwire/pkg/admission"
	"github.com/certwire/certwire/pkg/adopt"
	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/config"
	"github.com/certwire/certwire/pkg/delivery"
	"github.com/certwire/certwire/pkg/front"
	"github.com/certwire/certwire/pkg/inventory"
	"github.com/certwire/certwire/pkg/ledger"
	"github.com/certwire/certwire/pkg/policy"
	"github.com/certwire/certwire/pkg/resume"
)

// configEvery is how often the configuration file is looked at.
const configEvery = 5 * time.Second

// server is everything that run wires together.
type server struct {
	options  *options
	log      logr.Logger
	settings *config.File
	draining atomic.Bool

	rest    *rest.Config
	client  kubernetes.Interface
	manager manager.Manager

	source    certs.Source
	bundler   *certs.Bundler // nil when the certificate is brought along
	inventory *inventory.Inventory
	adopter   *adopt.Adopter
	live      client.Client // asks the API server itself
	ledger    *ledger.Ledger
	resumer   *resume.Resumer
	delivery  *delivery.Controller // nil when it is switched off
	corrupt   prometheus.Counter
	unmetered prometheus.Counter
	foreign   prometheus.Counter
	lost      prometheus.Counter
	leading   atomic.Bool
}

// run serves until the context ends, and then for the shutdown delay more with readiness failing: by the time it stops,
// nothing is sent here any longer. Errors are of set-up alone; an API server that is away is waited for.
func run(ctx context.Context, o *options) error {
	s := &server{options: o, log: o.logger()}
	ctrl.SetLogger(s.log)
	klog.SetLogger(s.log)
	var err error
	if s.settings, err = config.Open(o.config); err != nil {
		return err
	}
	keepSmall()
	s.log.Info("Starting", "version", versionString(), "config", o.config, "configHash", s.settings.Current().Hash)
	for _, step := range []func() error{s.connect, s.certificate, s.budgets, s.watch, s.hooks, s.health, s.metrics} {
		if err := step(); err != nil {
			return err
		}
	}
	serving, stop := context.WithCancel(logr.NewContext(context.WithoutCancel(ctx), s.log))
	defer stop()
	go func() {
		<-ctx.Done()
		s.draining.Store(true)
		s.log.Info("Stopping: not ready any longer, still serving", "for", o.shutdownDelay.String())
		time.Sleep(o.shutdownDelay)
		stop()
	}()
	if err := s.manager.Start(serving); err != nil {
		return fmt.Errorf("running: %w", err)
	}
	s.log.Info("Stopped")
	return nil
}

// connect prepares clients; nothing is asked of the API server yet.
func (s *server) connect() error {
	var err error
	if s.options.kubeconfig != "" {
		s.rest, err = clientcmd.BuildConfigFromFlags("", s.options.kubeconfig)
	} else {
		s.rest, err = rest.InClusterConfig()
	}
	if err != nil {
		return fmt.Errorf("finding the API server (outside a pod, give --kubeconfig): %w", err)
	}
	s.rest.QPS, s.rest.Burst = 50, 100
	s.rest.UserAgent = "certwire/" + versionString()
	if s.client, err = kubernetes.NewForConfig(s.rest); err != nil {
		return fmt.Errorf("preparing the client: %w", err)
	}
	scheme, err := inventory.Scheme()
	if err != nil {
		return fmt.Errorf("preparing the types: %w", err)
	}
	if err := errors.Join(v1alpha1.AddToScheme(scheme), front.AddToScheme(scheme)); err != nil {
		return fmt.Errorf("preparing certwire's own types: %w", err)
	}
	host, port, err := s.options.listen()
	if err != nil {
		return fmt.Errorf("reading --bind-address: %w", err)
	}
	grace := 20 * time.Second
	s.manager, err = ctrl.NewManager(s.rest, ctrl.Options{
		Scheme:                  scheme,
		Logger:                  s.log,
		Cache:                   inventory.CacheOptions(s.options.delivery),
		Metrics:                 metricsserver.Options{BindAddress: s.options.metricsAddress},
		HealthProbeBindAddress:  s.options.healthAddress,
		GracefulShutdownTimeout: &grace,
		WebhookServer: webhook.NewServer(webhook.Options{
			Host: host, Port: port,
			TLSOpts: []func(*tls.Config){func(c *tls.Config) {
				// HTTP/1.1 alone: the API server speaks nothing else to Services, and HTTP/2's rapid reset
				// (CVE-2023-44487) is not worth having. Its client verifies by caBundle, so TLS 1.3 costs nobody.
				c.NextProtos = []string{"http/1.1"}
				c.MinVersion = tls.VersionTLS13
				c.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return s.source.GetCertificate(hello) }
			}},
		}),
	})
	if err != nil {
		return fmt.Errorf("preparing the manager: %w", err)
	}
	return nil
}

// certificate chooses where the serving certificate comes from.
func (s *server) certificate() error {
	if s.options.certFile != "" {
		files, err := certs.NewFiles(s.options.certFile, s.options.keyFile)
		if err != nil {
			return fmt.Errorf("reading the serving certificate: %w", err)
		}
		s.source = files
	} else {
		managed, err := certs.New(certs.Options{
			Namespace: s.options.namespace, DNSNames: s.options.servingNames(),
			PublishDelay: s.options.publishDelay, RESTConfig: s.rest, Client: s.client,
		})
		if err != nil {
			return fmt.Errorf("preparing the serving certificate: %w", err)
		}
		s.source, s.bundler = managed, managed.Bundler()
	}
	return s.add(s.source.Start)
}

// watch prepares the inventory and what follows from it.
func (s *server) watch() error {
	s.adopter = &adopt.Adopter{
		Writer:   adopt.Apps{Client: s.client.AppsV1()},
		Settings: s.settings.Current,
		Excluded: []string{s.options.namespace, "kube-system", "kube-node-lease"},
		Version:  versionString(),
		Log:      s.log.WithName("adopt"),
	}
	configMaps, err := inventory.ConfigMapCache(s.rest, s.manager.GetScheme())
	if err != nil {
		return fmt.Errorf("preparing the cache for Reloader's ConfigMap: %w", err)
	}
	var solvers cache.Cache // of Challenges' Ingresses: only deliveries tell of them
	if s.options.delivery {
		if solvers, err = inventory.SolverCache(s.rest, s.manager.GetScheme()); err != nil {
			return fmt.Errorf("preparing the cache for the Ingresses of Challenges: %w", err)
		}
		if err := s.manager.Add(solvers); err != nil {
			return fmt.Errorf("adding to the manager: %w", err)
		}
	}
	s.inventory = inventory.New(inventory.Options{
		Cache: s.manager.GetCache(), ConfigMaps: configMaps, Live: s.manager.GetAPIReader(),
		Log: s.log.WithName("inventory"), Affected: s.adopter.Add,
		Version: s.client.Discovery(), Trial: s.client.CoreV1().Pods(s.options.namespace), Order: s.orderChanged, Failed: s.challengeFailed, Refused: s.resumer.Wake,
		Issued: s.issued, Issuance: s.issuance, Solvers: solvers,
	})
	s.adopter.Cluster = s.inventory
	tasks := []func(context.Context){s.adopter.Run, s.ledger.Maintain, s.resumer.Run}
	if s.options.delivery {
		if err := s.deliver(); err != nil {
			return err
		}
		tasks = append(tasks, s.delivery.Run)
	}
	if s.bundler != nil {
		tasks = append(tasks, func(ctx context.Context) {
			if err := s.bundler.Run(ctx); err != nil {
				s.log.Error(err, "The caBundles are not kept current")
			}
		})
	}
	lead := &leader{client: s.client, namespace: s.options.namespace, log: s.log.WithName("leader"), tasks: tasks, leads: &s.leading}
	return errors.Join(
		s.manager.Add(configMaps),
		s.add(s.inventory.Start),
		s.add(s.giveBack),
		s.add(lead.Start),
		s.add(func(ctx context.Context) error { s.settings.Watch(ctx, configEvery, s.reconfigured); return nil }),
	)
}

// hooks registers the paths. Each knows which way it fails.
func (s *server) hooks() error {
	rules, err := policy.NewSet(policy.Rules())
	if err != nil {
		return fmt.Errorf("reading the rules: %w", err)
	}
	recorder, err := admission.NewMetrics(metrics.Registry)
	if err != nil {
		return err
	}
	guard := admission.Guard{
		Issuance: s.inventory, Rules: rules, Settings: s.settings.Current, Recorder: recorder, Now: time.Now,
		Permissions: admission.Reviews{Client: s.client.AuthorizationV1().SubjectAccessReviews()},
		Meter:       s.ledger, Requests: reader{s.live},
	}
	if s.options.readSecrets {
		guard.Secrets = reader{s.live}
	}
	orders := guard
	orders.Closed = true
	for path, reviewer := range map[string]admission.Reviewer{
		"/reload": &admission.Reload{Workloads: s.inventory, Settings: s.settings.Current, Recorder: recorder, Version: versionString()},
		"/pods":   &admission.Pods{Templates: s.inventory, Settings: s.settings.Current, Recorder: recorder, Version: versionString()},
		"/guard":  &guard,
		"/orders": &orders,
	} {
		s.manager.GetWebhookServer().Register(path, &admission.Hook{
			Reviewer: reviewer, Recorder: recorder, Log: s.log.WithName("admission"), Draining: &s.draining,
		})
	}
	return nil
}

// health adds the named checks: liveness says only that the process answers, since a restart mends nothing else.
func (s *server) health() error {
	dial := s.manager.GetWebhookServer().StartedChecker()
	checks := map[string]healthz.Checker{
		"serving-certificate": func(*http.Request) error { return s.source.Healthy() },
		"caches":              func(*http.Request) error { return s.inventory.Ready() },
		"budgets":             func(*http.Request) error { return s.ledger.Ready() },
		"server": func(r *http.Request) error {
			if _, err := s.source.GetCertificate(&tls.ClientHelloInfo{}); err != nil {
				return err // a dial would fail for the same reason, and leave a line in the log each time
			}
			return dial(r)
		},
		"stopping": func(*http.Request) error {
			if s.draining.Load() {
				return errors.New("stopping")
			}
			return nil
		},
	}
	for name, check := range checks {
		if err := s.manager.AddReadyzCheck(name, check); err != nil {
			return fmt.Errorf("adding the readiness check %s: %w", name, err)
		}
	}
	if err := s.manager.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("adding the liveness check: %w", err)
	}
	return nil
}

func (s *server) add(start func(context.Context) error) error {
	if err := s.manager.Add(everywhere(start)); err != nil {
		return fmt.Errorf("adding to the manager: %w", err)
	}
	return nil
}

// everywhere is a runnable of every replica.
type everywhere func(context.Context) error

func (f everywhere) Start(ctx context.Context) error { return f(ctx) }

// NeedLeaderElection tells the manager not to wait for a leader.
func (everywhere) NeedLeaderElection() bool { return false }
