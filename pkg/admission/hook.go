package admission

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/go-logr/logr"
)

// MaxBody bounds a review. The API server's own limit on a request is 3 MiB (kubernetes/apiserver,
// pkg/server/config.go, MaxRequestBodyBytes), and an update carries the object twice.
const MaxBody = 8 << 20

// defaultDeadline holds when the API server does not say how long it waits, which it always does.
const defaultDeadline = 3 * time.Second

// Reviewer answers one kind of review. An error means that it could not decide; what follows from that is the
// reviewer's own Failed.
type Reviewer interface {
	// Name is the hook's name in metrics and logs.
	Name() string
	// Review decides. The body is only valid during the call.
	Review(ctx context.Context, body []byte) (Response, error)
	// Failed is the answer when Review returned an error or panicked: open or closed.
	Failed(uid string, cause error) Response
}

// Hook serves a [Reviewer] over HTTP. Safe for concurrent use.
type Hook struct {
	Reviewer Reviewer
	Recorder Recorder
	Log      logr.Logger
	// Draining, once true, makes every answer the last one on its connection, so that the API server opens its next
	// one to another replica. Optional.
	Draining *atomic.Bool
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// ServeHTTP answers one AdmissionReview. What is not a review at all gets an HTTP error, which the API server treats as
// a failed call: then the failurePolicy of the configuration decides.
func (h *Hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	defer func() { h.Recorder.Observe(h.Reviewer.Name(), time.Since(start)) }()
	if h.Draining != nil && h.Draining.Load() {
		w.Header().Set("Connection", "close")
	}
	buffer, _ := buffers.Get().(*bytes.Buffer)
	buffer.Reset()
	defer buffers.Put(buffer)
	if code, err := readReview(buffer, r); err != nil {
		h.refuse(w, code, err)
		return
	}
	ctx, cancel := deadline(r)
	defer cancel()
	body := buffer.Bytes()
	response, err := h.review(ctx, body)
	if err != nil {
		h.Recorder.Failure(h.Reviewer.Name(), stageOf(err))
		uid := uidOf(body)
		if uid == "" {
			h.refuse(w, http.StatusBadRequest, err)
			return
		}
		h.Log.Error(err, "A review could not be decided", "hook", h.Reviewer.Name(), "uid", uid)
		response = h.Reviewer.Failed(uid, err)
	}
	out, err := response.encode()
	if err != nil {
		h.refuse(w, http.StatusInternalServerError, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write(out); err != nil {
		h.Log.V(1).Info("The answer was not taken", "hook", h.Reviewer.Name(), "reason", err.Error())
	}
}

// review calls the reviewer and turns a panic into an error.
func (h *Hook) review(ctx context.Context, body []byte) (response Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			h.Log.Error(fmt.Errorf("%v", p), "A review panicked", "hook", h.Reviewer.Name(), "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	return h.Reviewer.Review(ctx, body)
}

func (h *Hook) refuse(w http.ResponseWriter, code int, err error) {
	h.Recorder.Failure(h.Reviewer.Name(), StageRequest)
	h.Log.Info("Not an AdmissionReview that can be answered", "hook", h.Reviewer.Name(), "code", code, "reason", err.Error())
	http.Error(w, oneLine(err.Error(), maxMessage), code)
}

func readReview(into *bytes.Buffer, r *http.Request) (int, error) {
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, fmt.Errorf("method %s, want POST", r.Method)
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return http.StatusUnsupportedMediaType, fmt.Errorf("content type %q, want application/json", r.Header.Get("Content-Type"))
	}
	if r.ContentLength > MaxBody {
		return http.StatusRequestEntityTooLarge, fmt.Errorf("the review has %d bytes, at most %d are read", r.ContentLength, MaxBody)
	}
	n, err := into.ReadFrom(io.LimitReader(r.Body, MaxBody+1))
	switch {
	case err != nil:
		return http.StatusBadRequest, fmt.Errorf("reading the review: %w", err)
	case n > MaxBody:
		return http.StatusRequestEntityTooLarge, fmt.Errorf("the review has more than %d bytes", MaxBody)
	case n == 0:
		return http.StatusBadRequest, errors.New("the review is empty")
	}
	return 0, nil
}

// deadline is the API server's (?timeout=), and does not end when the server begins to shut down: what is in flight is
// still answered.
func deadline(r *http.Request) (context.Context, context.CancelFunc) {
	wait := defaultDeadline
	if d, err := time.ParseDuration(r.URL.Query().Get("timeout")); err == nil && d > 0 {
		wait = d
	}
	return context.WithTimeout(context.WithoutCancel(r.Context()), wait)
}

// lookupContext leaves half of what is left of the deadline for everything but the look-up.
func lookupContext(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithTimeout(ctx, defaultDeadline/2)
	}
	return context.WithTimeout(ctx, time.Until(end)/2)
}

// uidOf finds the uid in a review whose object could not be read.
func uidOf(body []byte) string {
	r, err := decode[jsontext.Value](body)
	if err != nil {
		return ""
	}
	return r.UID
}
