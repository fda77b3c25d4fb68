package front

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
)

const converted = `{"kind":"CustomResourceDefinition","apiVersion":"apiextensions.k8s.io/v1","metadata":{"name":"things.example.com","labels":{"a":"b"}},
	"spec":{"group":"example.com","versions":[{"name":"v1","schema":{"openAPIV3Schema":{"type":"object"}}}],
	"conversion":{"strategy":"Webhook","webhook":{"conversionReviewVersions":["v1"],
	"clientConfig":{"caBundle":"QUJD","service":{"namespace":"shop","name":"hook","path":"/convert","port":8443}}}}}}`

func TestACRDIsReadWithoutItsSchema(t *testing.T) {
	t.Parallel()
	scheme := runtime.NewScheme()
	if err := AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	decoder := serializer.NewCodecFactory(scheme).UniversalDeserializer()
	list := `{"kind":"CustomResourceDefinitionList","apiVersion":"apiextensions.k8s.io/v1","metadata":{"resourceVersion":"7"},"items":[` + converted + `]}`
	object, _, err := decoder.Decode([]byte(list), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := object.(*CustomResourceDefinitionList)
	if !ok || len(got.Items) != 1 || got.ResourceVersion != "7" {
		t.Fatalf("%+v", object)
	}
	kept, ok := New(&got.Items[0]).(*Caller)
	if !ok {
		t.Fatal("it is of no use")
	}
	want := []Call{{Namespace: "shop", Service: "hook", Port: 8443, Bundle: []byte("ABC")}}
	if diff := cmp.Diff(want, kept.Calls); diff != "" || kept.Name != "things.example.com" || kept.Kind != KindConversion {
		t.Errorf("%s %s: %s", kept.Kind, kept.Name, diff)
	}
}

func TestCopiesOfACRDShareNothing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{converted, `{"metadata":{"labels":{"a":"b"}}}`, `{"metadata":{"labels":{"a":"b"}},"spec":{"conversion":{"strategy":"None"}}}`} {
		d, again := CustomResourceDefinition{}, CustomResourceDefinition{}
		for _, into := range []*CustomResourceDefinition{&d, &again} {
			if err := json.Unmarshal([]byte(text), into); err != nil {
				t.Fatal(err)
			}
		}
		list := &CustomResourceDefinitionList{Items: []CustomResourceDefinition{d}}
		copied, ok := list.DeepCopyObject().(*CustomResourceDefinitionList)
		if !ok {
			t.Fatal("a copy is something else")
		}
		if diff := cmp.Diff(list, copied); diff != "" {
			t.Error(diff)
		}
		c := &copied.Items[0]
		c.Labels["a"] = "changed"
		if c.Spec.Conversion != nil {
			c.Spec.Conversion.Strategy = "changed"
			if w := c.Spec.Conversion.Webhook; w != nil {
				w.ClientConfig.CABundle[0], w.ClientConfig.Service.Name = 'x', "changed"
				w.ClientConfig = nil
			}
		}
		if diff := cmp.Diff(again, list.Items[0]); diff != "" {
			t.Error(diff)
		}
	}
}
