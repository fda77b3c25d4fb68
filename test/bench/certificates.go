package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"

	"github.com/certwire/certwire/test/harness"
)

const (
	// fillNamespaces is over how many namespaces a cluster's Certificates and workloads are spread.
	fillNamespaces = 100
	// labelledNamespaces of them have opted in to certwire.
	labelledNamespaces = 5
	// ownCertificates is how many the object's own namespace has at least.
	ownCertificates = 10
	// creators is how many requests are on their way while the cluster grows.
	creators = 16
)

// filling is what the cluster holds already.
type filling struct {
	namespaces bool
	spread     int // Certificates in the namespaces fill-000 and on
	own        int // in each of the annotating contenders' namespaces
	workloads  int
	markers    int
}

func (f filling) total() int { return f.spread + 2*f.own }

func fillNamespace(i int) string { return fmt.Sprintf("fill-%03d", i%fillNamespaces) }

// grow makes it about total Certificates: a contender's namespace has as many as any other, and never less than ten.
func (b *bench) grow(ctx context.Context, total int) error {
	own := max(total/fillNamespaces, ownCertificates)
	return b.fill(ctx, total-2*own, own)
}

// crowd measures with very many Certificates in the object's own namespace.
func (b *bench) crowd(ctx context.Context) error {
	if err := b.fill(ctx, 0, b.options.crowded); err != nil {
		return err
	}
	few := *b.options
	few.sequential, few.concurrent = min(b.options.sequential, 30), 0
	crowded := *b
	crowded.options = &few
	err := crowded.latency(ctx, 0)
	return err
}

func (b *bench) fill(ctx context.Context, spread, own int) error {
	if err := b.fillingNamespaces(ctx, spread); err != nil {
		return err
	}
	start, before := time.Now(), b.filling.total()
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(creators)
	for ; b.filling.spread < spread; b.filling.spread++ {
		i := b.filling.spread
		g.Go(func() error { return b.certificate(inner, fillNamespace(i), fmt.Sprintf("fill-%d", i)) })
	}
	for ; b.filling.own < own; b.filling.own++ {
		certificate := "bench"
		if b.filling.own > 0 {
			certificate = fmt.Sprintf("own-%d", b.filling.own)
		}
		for _, c := range contenders {
			if c.looksUp() {
				g.Go(func() error { return b.certificate(inner, c.namespace(), certificate) })
			}
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if n := b.filling.total() - before; n > 100 {
		b.say("%d Certificates created in %s", n, time.Since(start).Round(100*time.Millisecond))
	}
	return b.known(ctx)
}

func (b *bench) fillingNamespaces(ctx context.Context, spread int) error {
	if b.filling.namespaces || spread <= 0 {
		return nil
	}
	b.filling.namespaces = true
	for i := range fillNamespaces {
		labels := map[string]string{contenderLabel: "fill", "certwire.dev/issuance": "off"}
		if i < labelledNamespaces {
			labels["certwire.dev/reload"] = "auto"
		}
		if err := b.namespace(ctx, fillNamespace(i), labels); err != nil {
			return err
		}
	}
	return nil
}

// certificate creates one, issued, whose Secret is called after it.
func (b *bench) certificate(ctx context.Context, namespace, name string) error {
	body := fmt.Sprintf(`{"apiVersion":"cert-manager.io/v1","kind":"Certificate","metadata":{"name":%[1]q,
"labels":{"app.kubernetes.io/name":%[1]q,"app.kubernetes.io/managed-by":"Helm"}},"spec":{"secretName":"%[1]s-tls",
"dnsNames":["%[1]s.%[2]s.example.com","www.%[1]s.%[2]s.example.com"],"issuerRef":{"name":"letsencrypt","kind":"ClusterIssuer","group":"cert-manager.io"},
"privateKey":{"algorithm":"ECDSA","rotationPolicy":"Always"},"usages":["digital signature","server auth"]}}`, name, namespace)
	client := b.cluster.Client.CoreV1().RESTClient()
	raw, err := client.Post().AbsPath("/apis/cert-manager.io/v1/namespaces", namespace, "certificates").
		SetHeader("Content-Type", "application/json").Body([]byte(body)).DoRaw(ctx)
	if err != nil {
		return fmt.Errorf("creating Certificate %s/%s: %w: %s", namespace, name, err, raw)
	}
	status := `{"status":{"revision":1,"notBefore":"2026-01-01T00:00:00Z","notAfter":"2036-01-01T00:00:00Z","renewalTime":"2035-12-01T00:00:00Z",
"conditions":[{"type":"Ready","status":"True","reason":"Ready","message":"Certificate is up to date and has not expired",
"lastTransitionTime":"2026-01-01T00:00:00Z","observedGeneration":1}]}}`
	raw, err = client.Patch(types.MergePatchType).AbsPath("/apis/cert-manager.io/v1/namespaces", namespace, "certificates", name, "status").
		Body([]byte(status)).DoRaw(ctx)
	if err != nil {
		return fmt.Errorf("issuing Certificate %s/%s: %w: %s", namespace, name, err, raw)
	}
	return nil
}

// known waits until the annotating contenders know a Certificate that is newer than all others.
func (b *bench) known(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, harness.Patience)
	defer cancel()
	b.filling.markers++
	marker := fmt.Sprintf("marker-%d", b.filling.markers)
	for _, c := range contenders {
		if !c.looksUp() {
			continue
		}
		if err := b.certificate(ctx, c.namespace(), marker); err != nil {
			return err
		}
		err := poll(ctx, func() (bool, error) {
			annotations, err := b.try(ctx, c, marker+"-tls")
			return annotations[reloadKey] == marker+"-tls", err
		})
		if err != nil {
			return fmt.Errorf("waiting until %s knows %d Certificates: %w", c.title(), b.filling.total(), err)
		}
	}
	return nil
}

// poll asks until the answer is yes.
func poll(ctx context.Context, ask func() (bool, error)) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		yes, err := ask()
		if yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(errors.New("it never was so"), ctx.Err())
		case <-tick.C:
		}
	}
}
