package tracing

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/claimproxy/claimproxy/session"
)

// Backend has a span for each call of a session backend. name is what the configuration
// calls it.
func (t *Tracing) Backend(name string, next session.Backend) session.Backend {
	if t == nil {
		return next
	}
	b := backend{next, t, name}
	if fresher, ok := next.(session.Fresher); ok {
		return freshBackend{b, fresher}
	}
	return b
}

type backend struct {
	session.Backend
	tracing *Tracing
	name    string
}

// freshBackend is one that others change as well.
type freshBackend struct {
	backend
	session.Fresher
}

// Check implements session.Checker, without a span: nobody's request asks.
func (b backend) Check(ctx context.Context) error {
	if checker, ok := b.Backend.(session.Checker); ok {
		return checker.Check(ctx)
	}
	return nil
}

// Count implements session.Counter.
func (b backend) Count() (n int, ok bool) {
	if counter, is := b.Backend.(session.Counter); is {
		return counter.Count()
	}
	return 0, false
}

// span calls do in a span.
func (b backend) span(ctx context.Context, what string, do func(context.Context) error) error {
	ctx, span := b.tracing.tracer.Start(ctx, "sessions "+what, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("claimproxy.store", b.name), attribute.String("db.operation.name", what)))
	defer span.End()
	err := do(ctx)
	switch {
	case err == nil, errors.Is(err, session.ErrNotFound), errors.Is(err, session.ErrExists), errors.Is(err, session.ErrConflict):
	default:
		span.SetStatus(codes.Error, "the store gave no answer")
	}
	return err
}

// Load implements session.Backend, and so do the others.
func (b backend) Load(ctx context.Context, key session.Key) (e session.Entry, err error) {
	err = b.span(ctx, "load", func(ctx context.Context) error { e, err = b.Backend.Load(ctx, key); return err })
	return e, err
}

func (b backend) Create(ctx context.Context, key session.Key, e session.Entry) error {
	return b.span(ctx, "create", func(ctx context.Context) error { return b.Backend.Create(ctx, key, e) })
}

func (b backend) Replace(ctx context.Context, key session.Key, e session.Entry) error {
	return b.span(ctx, "replace", func(ctx context.Context) error { return b.Backend.Replace(ctx, key, e) })
}

func (b backend) Touch(ctx context.Context, key session.Key, head []byte, ends time.Time) error {
	return b.span(ctx, "touch", func(ctx context.Context) error { return b.Backend.Touch(ctx, key, head, ends) })
}

func (b backend) Delete(ctx context.Context, key session.Key) error {
	return b.span(ctx, "delete", func(ctx context.Context) error { return b.Backend.Delete(ctx, key) })
}

func (b backend) Find(ctx context.Context, tag session.Tag) (keys []session.Key, err error) {
	err = b.span(ctx, "find", func(ctx context.Context) error { keys, err = b.Backend.Find(ctx, tag); return err })
	return keys, err
}

func (b backend) Sweep(ctx context.Context, now time.Time) (n int, err error) {
	err = b.span(ctx, "sweep", func(ctx context.Context) error { n, err = b.Backend.Sweep(ctx, now); return err })
	return n, err
}
