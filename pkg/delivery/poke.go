package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/inventory"
	"github.com/certwire/certwire/pkg/probe"
	"github.com/certwire/certwire/pkg/reload/spec"
)

const (
	// pokeAgain is how long a pod is not written to once more with the same word: the cache is behind.
	pokeAgain = 5 * time.Second
	// pokeTwice is how long a pod that knows of a leaf and goes on serving what was before is waited for, until it is poked
	// once more: the kubelet may have looked at the Secret a moment too early.
	pokeTwice = 10 * time.Second
)

// poke annotates the pods that do not serve the leaf and do not know of it. The kubelet then brings a changed Secret at
// once, and not when it next comes by. Agents that restart their pod do not get their permit here, see roll.
func (s *sweep) poke(ctx context.Context) error {
	var mu sync.Mutex
	var trouble []error
	var poking sync.WaitGroup
	room := make(chan struct{}, patches)
	for _, p := range s.pods {
		m := s.m.pods[p.UID]
		if announced(p.Deliver, s.leaf.Fingerprint) {
			if m.announced.IsZero() {
				m.announced = s.Now()
			}
			if !s.wantsPokeAgain(p, m) {
				continue
			}
		} else if !s.wantsPoke(p, m) {
			continue
		}
		m.poked = s.Now()
		poking.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			permit := !p.Restarts() || permitted(p.Deliver, s.leaf.Fingerprint) // what was given is not taken back
			if err := s.annotate(ctx, p, permit); err != nil {
				mu.Lock()
				trouble = append(trouble, err)
				mu.Unlock()
			}
		})
	}
	poking.Wait()
	return errors.Join(trouble...)
}

func (s *sweep) wantsPoke(p *Pod, m *podMemory) bool {
	secret, written := s.secretOf(p)
	switch {
	case !p.DeletionTimestamp.IsZero(), p.Started.IsZero(), younger(p.Started, written), !p.TakesPokes(secret), s.isBehind(p):
		return false
	case p.Restarts() && !p.Gentle():
		return false
	case m.looks > 0 || s.Now().Sub(m.poked) < pokeAgain:
		return false
	}
	// Before the first look at a renewal everybody is behind. Otherwise what was seen decides: who cannot be seen is left
	// to the kubelet.
	r := s.byUID[p.UID]
	return r == nil && s.byUID == nil || r != nil && r.diverges()
}

// wantsPokeAgain reports whether a pod that knows of the leaf, and mounts it, serves what was before for so long that the
// poke, or the permit, must have come before the Secret. It is poked so once more, and not again.
func (s *sweep) wantsPokeAgain(p *Pod, m *podMemory) bool {
	r := s.byUID[p.UID]
	secret, written := s.secretOf(p)
	return r != nil && r.diverges() && p.DeletionTimestamp.IsZero() && !twice(p.Deliver, s.leaf.Fingerprint) &&
		p.TakesPokes(secret) && !younger(p.Started, written) && !s.isBehind(p) &&
		s.Now().Sub(m.announced) >= pokeTwice && s.Now().Sub(m.poked) >= pokeTwice
}

// annotate writes the word for the leaf to a pod, as fast as the cluster-wide rate allows. A pod that is gone is no error.
func (s *sweep) annotate(ctx context.Context, p *Pod, permit bool) error {
	if err := s.limiter.Wait(ctx); err != nil {
		return err
	}
	var others []probe.Fingerprint
	for _, other := range s.othersOf(p) {
		others = append(others, other.Leaf.Fingerprint)
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid":         p.UID, // not a successor of the same name
		"annotations": map[string]string{spec.DeliverKey: withWordAgain(p.Deliver, s.leaf.Fingerprint, permit, others)},
	}})
	if err != nil {
		return fmt.Errorf("building the annotation: %w", err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name}}
	if err := s.Client.Patch(ctx, pod, client.RawPatch(types.MergePatchType, patch)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("annotating pod %s: %w", p.Name, err)
	}
	return nil
}

// othersOf are the other Certificates whose Secrets a pod uses, as far as it is known what was issued.
func (s *sweep) othersOf(p *Pod) []inventory.Issued {
	var out []inventory.Issued
	for _, secret := range p.Secrets {
		for _, c := range s.certificatesOf(p.Namespace, secret) {
			if c == s.key {
				continue
			}
			if other, ok := s.Cluster.Issued(c.Namespace, c.Name); ok && other.Leaf != nil {
				out = append(out, other)
			}
		}
	}
	return out
}
