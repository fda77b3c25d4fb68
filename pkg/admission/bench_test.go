package admission_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"
	"sigs.k8s.io/yaml"

	"github.com/certwire/certwire/pkg/admission"
	"github.com/certwire/certwire/pkg/mutate"
)

// The floor that certwire's in-process cost is held against is controller-runtime's webhook doing nothing at all, on the
// very same bytes. Run both with
//
//	go test -bench=. -run='^$' ./pkg/admission
const benchObject = "../../test/bench/objects/deployment.yaml"

// benchCases are the reviews, by what certwire finds in them.
var benchCases = map[string]func(*testing.B) []byte{
	"annotated":      func(b *testing.B) []byte { return benchReview(b, nil, nil) },
	"annotated-once": benchAnnotated,
	"no-certificate": func(b *testing.B) []byte { return benchReview(b, nil, map[string]string{"bench-tls": "bench-token"}) },
}

func BenchmarkReload(b *testing.B) { benchmark(b, benchHook(b)) }

func BenchmarkNoop(b *testing.B) { benchmark(b, benchNoop()) }

func benchmark(b *testing.B, handler http.Handler) {
	for name, build := range benchCases {
		b.Run(name, func(b *testing.B) {
			body := build(b)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			serve := newBenchCall(b, handler, body)
			for b.Loop() {
				serve()
			}
		})
	}
}
