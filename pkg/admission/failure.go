package admission

import (
	"context"
	"errors"
)

// Stage says where a review failed: a closed set, fit for a metric label.
type Stage string

// The stages.
const (
	StageRequest Stage = "request" // not an AdmissionReview
	StageDecode  Stage = "decode"  // the object could not be read
	StageCache   Stage = "cache"   // the caches are not filled yet
	StageLookup  Stage = "lookup"  // the API server did not answer in time
	StagePanic   Stage = "panic"
)

var errPanic = errors.New("certwire panicked; its log has the stack")

// stageError is an error with the stage it happened in.
type stageError struct {
	stage Stage
	error
}

// Unwrap gives the cause.
func (e stageError) Unwrap() error { return e.error }

func at(stage Stage, err error) error { return stageError{stage, err} }

func stageOf(err error) Stage {
	var s stageError
	switch {
	case errors.As(err, &s):
		return s.stage
	case errors.Is(err, errPanic):
		return StagePanic
	case errors.Is(err, context.DeadlineExceeded):
		return StageLookup
	default:
		return StageDecode
	}
}
