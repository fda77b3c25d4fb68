package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	acmeapi "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/acme"
	"github.com/certwire/certwire/pkg/admission"
	"github.com/certwire/certwire/pkg/apis/v1alpha1"
	"github.com/certwire/certwire/pkg/inventory"
	"github.com/certwire/certwire/pkg/ledger"
	"github.com/certwire/certwire/pkg/policy"
	"github.com/certwire/certwire/pkg/resume"
)

// budgets prepares the ledger and who looks after refused orders.
func (s *server) budgets() error {
	quick := rest.CopyConfig(s.rest) // an order of many domains takes a place in each
	quick.QPS, quick.Burst = 200, 400
	live, err := client.New(quick, client.Options{Scheme: s.manager.GetScheme()})
	if err != nil {
		return fmt.Errorf("preparing the client for budgets: %w", err)
	}
	s.live = live
	broadcaster := record.NewBroadcaster()
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: s.client.CoreV1().Events("")})
	events := broadcaster.NewRecorder(s.manager.GetScheme(), corev1.EventSource{Component: "certwire"})
	s.corrupt = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "certwire_ledger_corrupt_total", Help: "Budgets whose stored state could not be read and was rebuilt.",
	})
	s.unmetered = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "certwire_ledger_unmetered_total", Help: "Orders of new domains that were not metered, because there are too many budgets.",
	})
	s.foreign = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "certwire_ledger_foreign_orders_total", Help: "Orders whose URL is of another CA than their issuer; they are not counted.",
	})
	s.lost = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "certwire_ledger_lost_total", Help: "Changes of a budget that the API server never takes, and that were given up.",
	})
	s.ledger = ledger.New(ledger.Options{
		Cache: s.manager.GetCache(), Client: live,
		Directories: func() acme.Directories { return s.settings.Current().Directories },
		Orders: func(f func(string) bool) {
			s.inventory.Orders(func(o *inventory.Order) bool { return f(string(o.UID)) })
		},
		OrdersReady: func() error { return s.inventory.Ready() },
		Reseed:      func() { s.inventory.ShowOrders() },
		Lost: func(budget string, err error) {
			s.lost.Inc()
			s.log.Error(err, "The API server does not take what was counted; it is given up", "budget", budget)
		},
		Corrupt: func(b *v1alpha1.IssuanceBudget, err error) {
			s.corrupt.Inc()
			s.log.Error(err, "A budget could not be read and is rebuilt from the Orders that still exist", "budget", b.Name)
			events.Event(b, corev1.EventTypeWarning, "BudgetRebuilt", err.Error()+"; it is rebuilt from the Orders that still exist, and orders of deleted Certificates are missing")
		},
		Full: func() {
			s.unmetered.Inc()
			s.log.Info("There are too many budgets: a new domain is not metered")
		},
		Leading: func() bool { return s.leading.Load() },
		Moved:   func() { s.resumer.Wake() },
		Log:     s.log.WithName("ledger"), Now: time.Now,
	})
	s.resumer = &resume.Resumer{
		Waiting: waiting{s}, Order: s.orderOfRequest, Assess: s.ledger.Assess, Retry: s.retry,
		Tell: func(on *corev1.ObjectReference, reason, text string) {
			events.Event(on, corev1.EventTypeWarning, reason, text)
		},
		Log: s.log.WithName("resume"), Now: time.Now,
	}
	s.resumer.Prepare()
	return errors.Join(s.manager.Add(s.ledger), s.add(func(ctx context.Context) error {
		<-ctx.Done()
		broadcaster.Shutdown()
		return nil
	}))
}

// waiting lets the resumer be built before the inventory is.
type waiting struct{ s *server }

func (w waiting) Refused() []*inventory.Request { return w.s.inventory.Refused() }

func (w waiting) Owner(namespace, certificate string) (self, owner *metav1.OwnerReference) {
	return w.s.inventory.Owner(namespace, certificate)
}

// orderChanged tells the ledger what has become of an Order. The CA is the issuer's. What an Order says of its own URL is
// whatever the server said that was asked, so it proves nothing: an order of another CA than the issuer's counts only if it
// was let through for that CA, before the issuer was changed.
func (s *server) orderChanged(o *inventory.Order, deleted bool) {
	directories := s.settings.Current().Directories
	issuer := s.inventory.Issuer(o.Namespace, o.Issuer, directories)
	service, known := directories.Service("https://" + issuer.Directory.Host)
	if at, other := directories.Service(o.URL); other && at.Host != service.Host {
		if !s.ledger.LetThrough(at, string(o.UID), o.Names) {
			s.foreign.Inc()
			s.log.V(1).Info("An Order's URL is of another CA than its issuer; it is not counted", "order", o.Namespace+"/"+o.Name, "url", o.URL)
			return
		}
		service, known = at, true
	}
	if !known {
		return
	}
	seen := ledger.Seen{
		Order: ledger.NewOrder(ledger.Order{
			UID: string(o.UID), Name: o.Name, Namespace: o.Namespace, Certificate: o.Certificate, Service: service, Created: o.CreationTimestamp.Time,
		}, o.Names),
		Taken: o.URL != "", IssuedAt: o.Issued, Reason: o.Reason, Deleted: deleted,
	}
	if issuer.Directory.Host == service.Host {
		seen.Account = issuer.Account
	}
	switch o.State {
	case acmeapi.Valid:
		seen.Stage = ledger.Issued
	case acmeapi.Ready, acmeapi.Processing:
		seen.Stage = ledger.Finalizing
	case acmeapi.Invalid, acmeapi.Expired, acmeapi.Errored:
		seen.Stage = ledger.Failed
	default:
		seen.Stage = ledger.Pending
	}
	s.ledger.Changed(seen)
}

// challengeFailed tells the ledger of a name that the CA could not validate.
func (s *server) challengeFailed(c *inventory.Challenge, at time.Time) {
	directories := s.settings.Current().Directories
	issuer := s.inventory.Issuer(c.Namespace, c.Issuer, directories)
	if service, known := directories.Service("https://" + issuer.Directory.Host); known {
		s.ledger.FailedAuthorization(service, issuer.Account, c.Name, string(c.UID), at)
	}
}

// orderOfRequest is the order that a waiting request leads to.
func (s *server) orderOfRequest(r *inventory.Request) (ledger.Order, bool) {
	directories := s.settings.Current().Directories
	issuer := s.inventory.Issuer(r.Namespace, r.Issuer, directories)
	service, known := directories.Service("https://" + issuer.Directory.Host)
	if !known || len(r.Names) == 0 {
		return ledger.Order{}, false
	}
	return ledger.NewOrder(ledger.Order{
		Namespace: r.Namespace, Certificate: r.Certificate, Service: service, Account: issuer.Account,
		Due: s.inventory.DueRenewal(r.Namespace, policy.Renewal{
			Certificate: r.Certificate, Issuer: r.Issuer, Directory: issuer.Directory, Names: r.Names,
		}, directories, time.Now()),
	}, r.Names), true
}

// retry annotates a request, which has cert-manager look at it.
func (s *server) retry(ctx context.Context, namespace, name string, at time.Time) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{
		resume.RetryKey: at.UTC().Format(time.RFC3339Nano),
	}}})
	if err != nil {
		return fmt.Errorf("building the annotation: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request := &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: cmapi.SchemeGroupVersion.String(), Kind: cmapi.CertificateRequestKind},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
	}
	if err := s.live.Patch(ctx, request, client.RawPatch(types.MergePatchType, patch)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("annotating the request: %w", err)
	}
	return nil
}

// reader reads single objects for the guard.
type reader struct{ client.Reader }

var (
	_ admission.Secrets  = reader{}
	_ admission.Requests = reader{}
)

// Secret implements [admission.Secrets].
func (r reader) Secret(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	return get(ctx, r, namespace, name, &corev1.Secret{})
}

// Request implements [admission.Requests].
func (r reader) Request(ctx context.Context, namespace, name string) (*cmapi.CertificateRequest, error) {
	return get(ctx, r, namespace, name, &cmapi.CertificateRequest{})
}

func get[T interface {
	*corev1.Secret | *cmapi.CertificateRequest
	client.Object
	runtime.Object
}](ctx context.Context, r client.Reader, namespace, name string, into T) (T, error) {
	err := r.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, into)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // nothing there is an answer
	case err != nil:
		return nil, fmt.Errorf("reading %s/%s: %w", namespace, name, err)
	}
	return into, nil
}
