package tracing

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Transport has a span for each call through next, until the header of its answer, and
// tells whoever is called which span that is. kind is "upstream" or "provider", and name
// which one.
func (t *Tracing) Transport(kind, name string, next http.RoundTripper) http.RoundTripper {
	if t == nil {
		return next
	}
	return &transport{t, kind, name, next}
}

type transport struct {
	*Tracing
	kind, name string
	next       http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, span := t.tracer.Start(r.Context(), t.kind+" "+t.name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("claimproxy."+t.kind, t.name), attribute.String("http.request.method", r.Method),
		attribute.String("server.address", r.URL.Hostname()), attribute.String("url.path", r.URL.EscapedPath()),
	))
	defer span.End()
	r = r.Clone(ctx) // a RoundTripper leaves its request as it is
	t.carry.Inject(ctx, propagation.HeaderCarrier(r.Header))
	res, err := t.next.RoundTrip(r)
	if err != nil {
		// The error may quote what came; that it failed is enough.
		span.SetStatus(codes.Error, "no answer")
		return nil, err
	}
	span.SetAttributes(attribute.Int("http.response.status_code", res.StatusCode))
	if res.StatusCode >= 500 {
		span.SetStatus(codes.Error, "")
	}
	return res, nil
}

// CloseIdleConnections lets http.Client close those of next.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
