package tracing

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/claimproxy/claimproxy/proxy"
)

// Handler has a span for each request that next answers, below the one that the request
// names.
func (t *Tracing) Handler(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := t.carry.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := t.tracer.Start(ctx, "request", trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// Observe puts into a request's span what became of it.
func (t *Tracing) Observe(e proxy.Event) {
	if t == nil || e.Context == nil {
		return
	}
	span := trace.SpanFromContext(e.Context)
	if !span.IsRecording() {
		return
	}
	name := e.Route
	if name == "" {
		name = "no route"
		if e.Decision == "" {
			name = "own page"
		}
	}
	span.SetName(name)
	span.SetAttributes(
		attribute.String("http.request.method", e.Method), attribute.String("http.route", e.Route),
		attribute.String("server.address", e.Host), attribute.String("url.path", e.Path),
		attribute.Int("http.response.status_code", e.Status), attribute.String("client.address", e.ClientIP),
		attribute.String("claimproxy.request_id", e.RequestID), attribute.String("claimproxy.decision", e.Decision),
		attribute.String("claimproxy.reason", string(e.Reason)), attribute.String("claimproxy.policy", e.Policy),
		attribute.String("claimproxy.auth", e.Auth), attribute.String("claimproxy.provider", e.Provider),
		attribute.String("claimproxy.upstream", e.Upstream),
	)
	if e.Status >= 500 {
		span.SetStatus(codes.Error, string(e.Reason))
	}
}
