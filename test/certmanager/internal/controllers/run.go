package controllers

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/cert-manager/cert-manager/pkg/controller"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

// Config says how to run them.
type Config struct {
	// Kubeconfig is the controllers' own.
	Kubeconfig string
	// Log is the file that they write to.
	Log string
}

// Running are the controllers at work.
type Running struct {
	// Log is the file that they write to.
	Log string

	shared *controller.Context
	cancel context.CancelFunc
	group  sync.WaitGroup
	failed chan error
	log    io.Closer
}

// Start starts all controllers that this package imports. It may be called once per
// process: cert-manager's logger and feature gates are global.
func Start(ctx context.Context, config Config) (*Running, error) {
	file, err := os.OpenFile(config.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the log of cert-manager: %w", err)
	}
	if err := errors.Join(logTo(file), stayHere(config.Kubeconfig)); err != nil {
		return nil, err
	}
	r := &Running{Log: config.Log, failed: make(chan error, 1), log: file}
	ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	ctx = logf.NewContext(ctx, logf.Log, "controller")
	if err := r.start(ctx, config); err != nil {
		r.Stop()
		return nil, fmt.Errorf("starting cert-manager's controllers: %w", err)
	}
	return r, nil
}

func (r *Running) start(ctx context.Context, config Config) error {
	factory, err := controller.NewContextFactory(ctx, options(config.Kubeconfig))
	if err != nil {
		return err
	}
	if r.shared, err = factory.Build(); err != nil {
		return err
	}
	// All are built before any informer starts, since building one asks for informers.
	built := map[string]controller.Interface{}
	for name, construct := range controller.Known() {
		if built[name], err = construct(factory); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for name, c := range built {
		r.group.Go(func() {
			err := c.Run(workers, ctx)
			if ctx.Err() != nil {
				return
			}
			if err == nil {
				err = errors.New("it ended")
			}
			select {
			case r.failed <- fmt.Errorf("cert-manager's controller %s: %w", name, err):
			default: // another one failed first
			}
		})
	}
	r.shared.SharedInformerFactory.Start(ctx.Done())
	r.shared.KubeSharedInformerFactory.Start(ctx.Done())
	r.shared.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	r.shared.GWShared.Start(ctx.Done())
	return nil
}

// Ready waits until the controllers know what is in the cluster.
func (r *Running) Ready(ctx context.Context) error {
	for kind, synced := range r.shared.SharedInformerFactory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return notSynced(ctx, kind.String())
		}
	}
	for kind, synced := range r.shared.KubeSharedInformerFactory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return notSynced(ctx, kind)
		}
	}
	for kind, synced := range r.shared.HTTP01ResourceMetadataInformersFactory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return notSynced(ctx, kind.String())
		}
	}
	for kind, synced := range r.shared.GWShared.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return notSynced(ctx, kind.String())
		}
	}
	return nil
}

func notSynced(ctx context.Context, kind string) error {
	return fmt.Errorf("waiting for cert-manager to know every %s: %w", kind, context.Cause(ctx))
}

// Wait returns an error when a controller ends without having been asked to.
func (r *Running) Wait() error { return <-r.failed }

// Stop ends the controllers and waits for them.
func (r *Running) Stop() {
	r.cancel()
	r.group.Wait()
	klog.Flush()
	_ = r.log.Close()
}

// stayHere keeps cert-manager from every ACME server that is not on this machine: tests
// make issuers for real ones, and cert-manager would open an account with each of them.
// Its ACME client and its self-check go by these variables, and never use a proxy for
// loopback addresses (net/http, ProxyFromEnvironment).
func stayHere(kubeconfig string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	api, err := url.Parse(config.Host)
	if err != nil {
		return fmt.Errorf("reading the address of the API server: %w", err)
	}
	const nobody = "http://127.0.0.1:1" // tcpmux, which nothing has served for decades
	for name, value := range map[string]string{"HTTPS_PROXY": nobody, "HTTP_PROXY": nobody, "NO_PROXY": api.Hostname()} {
		if err := errors.Join(os.Setenv(name, value), os.Unsetenv(strings.ToLower(name))); err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	return nil
}

// logTo sends what cert-manager and client-go log to a file, at the level that the Helm
// chart sets.
func logTo(file io.Writer) error {
	var flags flag.FlagSet
	klog.InitFlags(&flags)
	for name, value := range map[string]string{
		"logtostderr": "false", "alsologtostderr": "false", "stderrthreshold": "FATAL", "one_output": "true", "v": "2",
	} {
		if err := flags.Set(name, value); err != nil {
			return fmt.Errorf("setting up the log of cert-manager: %w", err)
		}
	}
	klog.SetOutput(file)
	klog.EnableContextualLogging(true)
	return nil
}
