package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// leader runs its tasks while this replica leads. The manager's own leader election ends the process when the lease is
// lost, as it is whenever the API server is away for some seconds; but admission needs no leader, and its filled caches
// are worth keeping. So the lease is our own: losing it ends the tasks, and they begin again when it is won.
type leader struct {
	client    kubernetes.Interface
	namespace string
	log       logr.Logger
	tasks     []func(context.Context)
	leads     *atomic.Bool
	leading   sync.Mutex
}

// Start returns nil when the context ends.
func (l *leader) Start(ctx context.Context) error {
	host, err := os.Hostname()
	if err != nil {
		host = "certwire"
	}
	lock := &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: l.namespace, Name: "certwire"},
		Client:     l.client.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: host + "_" + string(uuid.NewUUID())},
	}
	for ctx.Err() == nil {
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock: lock, LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
			ReleaseOnCancel: true, Name: "certwire",
			Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: l.lead, OnStoppedLeading: func() {}},
		})
		if err != nil {
			return fmt.Errorf("preparing the leader election: %w", err)
		}
		elector.Run(ctx)
	}
	return nil
}

// lead runs the tasks until the context ends: the lease is lost, or the process stops.
func (l *leader) lead(ctx context.Context) {
	// The elector does not wait for this to return before it stands for election again.
	l.leading.Lock()
	defer l.leading.Unlock()
	l.log.Info("Leading")
	l.leads.Store(true)
	defer l.leads.Store(false)
	var running sync.WaitGroup
	for _, task := range l.tasks {
		running.Go(func() { task(ctx) })
	}
	running.Wait()
	l.log.Info("Not leading any longer")
}
