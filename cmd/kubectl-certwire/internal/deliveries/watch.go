package deliveries

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/certwire/certwire/pkg/apis/v1alpha1"
)

// pause is the time between two watches, so that an API server that ends them at once is not pressed.
const pause = time.Second

// Watch tells of every delivery that there is, and then of each change of what it says, until the context ends, which is no
// error. What is shown stays the same object until it changes; gone is true for one that was removed.
func Watch(ctx context.Context, c client.WithWatch, options []client.ListOption, show func(d *v1alpha1.CertificateDelivery, gone bool) error) error {
	seen := map[types.NamespacedName]v1alpha1.CertificateDeliveryStatus{}
	for {
		var list v1alpha1.CertificateDeliveryList
		if err := c.List(ctx, &list, options...); err != nil {
			return unlessEnded(ctx, fmt.Errorf("listing the deliveries: %w", err))
		}
		Sort(list.Items)
		there := map[types.NamespacedName]bool{}
		for i := range list.Items {
			there[client.ObjectKeyFromObject(&list.Items[i])] = true
			if err := tell(seen, &list.Items[i], false, show); err != nil {
				return err
			}
		}
		for key := range seen { // removed while nobody watched
			if !there[key] {
				d := &v1alpha1.CertificateDelivery{}
				d.Namespace, d.Name = key.Namespace, key.Name
				if err := tell(seen, d, true, show); err != nil {
					return err
				}
			}
		}
		from := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.ResourceVersion}}
		events, err := c.Watch(ctx, &v1alpha1.CertificateDeliveryList{}, append([]client.ListOption{from}, options...)...)
		if err != nil {
			return unlessEnded(ctx, fmt.Errorf("watching the deliveries: %w", err))
		}
		if err := follow(ctx, events, seen, show); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// follow tells of changes until the API server ends the watch.
func follow(ctx context.Context, w watch.Interface, seen map[types.NamespacedName]v1alpha1.CertificateDeliveryStatus, show func(*v1alpha1.CertificateDelivery, bool) error) error {
	defer w.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case event, ok := <-w.ResultChan():
			d, is := event.Object.(*v1alpha1.CertificateDelivery)
			if !ok || !is { // an error: what is there is listed anew
				return nil
			}
			if err := tell(seen, d, event.Type == watch.Deleted, show); err != nil {
				return err
			}
		}
	}
}

func tell(seen map[types.NamespacedName]v1alpha1.CertificateDeliveryStatus, d *v1alpha1.CertificateDelivery, gone bool, show func(*v1alpha1.CertificateDelivery, bool) error) error {
	key := client.ObjectKeyFromObject(d)
	before, was := seen[key]
	switch {
	case gone:
		delete(seen, key)
	case was && equality.Semantic.DeepEqual(before, d.Status):
		return nil
	default:
		seen[key] = d.Status
	}
	return show(d, gone)
}

// unlessEnded is an error that is one: what fails because the context has ended is not.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

// Stream writes a line for each delivery that it is given, in the columns of [Table]. Since nobody knows what comes, a column
// is as wide as what came before in it.
type Stream struct {
	W     io.Writer
	Style Style

	widths []int
	last   map[types.NamespacedName]string
}

// Line writes one, unless it looks as it did before.
func (s *Stream) Line(d *v1alpha1.CertificateDelivery, gone bool) error {
	if s.last == nil {
		s.last = map[types.NamespacedName]string{}
		if err := s.write(head(s.Style)); err != nil {
			return err
		}
	}
	cells := row(d, s.Style)
	if gone {
		at := 1
		if s.Style.Namespaces {
			at = 2
		}
		cells[at] = "(gone)"
	}
	key, text := client.ObjectKeyFromObject(d), strings.Join(cells, "\t")
	if s.last[key] == text {
		return nil
	}
	s.last[key] = text
	return s.write(cells)
}

// least are the widths of columns that grow later: a state, a cause, a serial and a time.
const least = 11

func (s *Stream) write(cells []string) error {
	var b strings.Builder
	for i, c := range cells {
		if i >= len(s.widths) {
			s.widths = append(s.widths, least)
		}
		s.widths[i] = max(s.widths[i], utf8.RuneCountInString(c))
		b.WriteString(c + strings.Repeat(" ", s.widths[i]-utf8.RuneCountInString(c)+3))
	}
	_, err := fmt.Fprintln(s.W, strings.TrimRight(b.String(), " "))
	return err
}
