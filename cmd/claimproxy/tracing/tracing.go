// Package tracing tells an OpenTelemetry collector what became of requests: a span for
// each request, and below it one for each call of the application, of a provider and of
// the session store. It is the only package that knows OpenTelemetry.
//
// A request's traceparent is passed on to the application whether or not anything is told
// (W3C Trace Context). Where nothing is configured there is no Tracing, and a request costs
// nothing more.
//
// A span holds no token, no cookie, no query and no header: the names of route, policy,
// provider and upstream, method, path, host and status, and how it was decided.
package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Config says where spans go.
type Config struct {
	// Endpoint is the collector's address for OTLP over HTTP, such as
	// http://127.0.0.1:4318, below which /v1/traces is. Nil: what the environment says.
	Endpoint *url.URL
	// Version is that of the program.
	Version string
	// Log is told, now and then, when spans cannot be delivered; nil is nobody.
	Log *slog.Logger
}

// Wanted says whether somebody wants traces: an endpoint is configured, or the
// environment has one (OpenTelemetry's OTLP Exporter Configuration) and does not switch
// them off.
func Wanted(configured bool) bool {
	off := strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none"
	named := os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
	return !off && (configured || named)
}

// Tracing makes spans. It is safe for concurrent use; nil makes none.
type Tracing struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	carry    propagation.TraceContext
}

// New begins to deliver spans, which Close ends. Nobody is waited for: a collector that is
// down costs spans and nothing else. What Config does not say is in the environment:
// OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES and the like.
func New(ctx context.Context, c Config) (*Tracing, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	doubt, err := protocol(c.Endpoint != nil)
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	if doubt != "" {
		c.Log.Warn("tracing: " + doubt)
	}
	exporter, err := newExporter(c.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "claimproxy"), attribute.String("service.version", c.Version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil { // of what can be read, all is used
		c.Log.Warn("tracing: OTEL_RESOURCE_ATTRIBUTES cannot be read as a whole", "error", err)
	}
	// The library has one handler for the whole process.
	otel.SetErrorHandler(&complaints{log: c.Log, now: time.Now})
	p := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about))
	return &Tracing{provider: p, tracer: p.Tracer("github.com/claimproxy/claimproxy")}, nil
}

// Close delivers what there is, for as long as ctx allows.
func (t *Tracing) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// complaints tells the log at most once a minute that spans are not delivered.
type complaints struct {
	log *slog.Logger
	now func() time.Time

	mu   sync.Mutex
	last time.Time
}

// Handle implements otel.ErrorHandler.
func (c *complaints) Handle(err error) {
	const pause = time.Minute
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.last) >= pause {
		c.last = now
		c.log.Warn("traces are not delivered", "error", err)
	}
}
