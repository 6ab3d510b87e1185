package tracing

import (
	"context"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/proxy"
)

// set sets variables of the environment, as NAME=value.
func set(t *testing.T, variables ...string) {
	t.Helper()
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv("OTEL_"+name, value)
	}
}

// TestTheEnvironmentSaysWhereSpansGo, with headers whose values are no one else's business.
func TestTheEnvironmentSaysWhereSpansGo(t *testing.T) {
	set(t, "EXPORTER_OTLP_ENDPOINT=http://collector.example:4318/base/", "EXPORTER_OTLP_HEADERS=authorization=Basic%20czNjcjN0, x-tenant=a")
	e, err := newExporter(nil)
	if err != nil || e.to != "http://collector.example:4318/base/v1/traces" || e.headers.Get("Authorization") != "Basic czNjcjN0" || e.headers.Get("X-Tenant") != "a" ||
		e.timeout != 10*time.Second || e.compress {
		t.Errorf("got %+v, %v", e, err)
	}
	set(t, "EXPORTER_OTLP_TRACES_ENDPOINT=https://traces.example/in", "EXPORTER_OTLP_TRACES_HEADERS=x-tenant=b", "EXPORTER_OTLP_TIMEOUT=1500", "EXPORTER_OTLP_TRACES_COMPRESSION=gzip")
	e, err = newExporter(nil)
	if err != nil || e.to != "https://traces.example/in" || e.headers.Get("X-Tenant") != "b" || e.timeout != 1500*time.Millisecond || !e.compress {
		t.Errorf("got %+v, %v", e, err)
	}
}

// TestAnEnvironmentThatCannotBeMeantIsSaid, without what may be a secret in it.
func TestAnEnvironmentThatCannotBeMeantIsSaid(t *testing.T) {
	dir := t.TempDir()
	none := filepath.Join(dir, "none.pem")
	if err := os.WriteFile(none, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ variable, says string }{
		{"EXPORTER_OTLP_HEADERS=authorization=%zz-s3cr3t", "OTEL_EXPORTER_OTLP_HEADERS: the value of authorization cannot be read"},
		{"EXPORTER_OTLP_TRACES_ENDPOINT=collector:4317", "the collector's endpoint is no http or https URL"},
		{"EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_PROTOCOL is grpc, which is not spoken here"},
		{"EXPORTER_OTLP_TRACES_TIMEOUT=10s", `OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: expected a number of milliseconds, got "10s"`},
		{"EXPORTER_OTLP_COMPRESSION=zstd", `OTEL_EXPORTER_OTLP_COMPRESSION: expected gzip or none, got "zstd"`},
		{"EXPORTER_OTLP_CERTIFICATE=" + none, "OTEL_EXPORTER_OTLP_CERTIFICATE: " + none + " has no certificate"},
		{"EXPORTER_OTLP_CERTIFICATE=" + dir + "/gone", "no such file"},
		{"EXPORTER_OTLP_CLIENT_KEY=" + none, "OTEL_EXPORTER_OTLP_CLIENT_KEY needs the other of"},
	} {
		t.Run(test.variable, func(t *testing.T) {
			set(t, "EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318", test.variable)
			_, err := New(t.Context(), Config{})
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}

// observed has one request told, as a child of what the client sends, and everything
// delivered. It returns what the log says.
func observed(t *testing.T, to *url.URL, traceparent string) string {
	t.Helper()
	var log strings.Builder
	tracing, err := New(t.Context(), Config{Endpoint: to, Version: "1.2.3", Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	if traceparent != "" {
		r.Header.Set("Traceparent", traceparent)
	}
	tracing.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		tracing.Observe(proxy.Event{Context: r.Context(), Route: "a.example/", Decision: "allow", Status: 200})
	})).ServeHTTP(httptest.NewRecorder(), r)
	if err := tracing.Close(context.Background()); err != nil {
		t.Error(err)
	}
	return log.String()
}

// TestTheEnvironmentOfOpenTelemetryIsHeeded, as a collector sees it.
func TestTheEnvironmentOfOpenTelemetryIsHeeded(t *testing.T) {
	const sampled, not = "00-" + parentTrace + "-" + parentSpan + "-01", "00-" + parentTrace + "-" + parentSpan + "-00"
	for _, test := range []struct {
		name, traceparent string
		variables         []string
		spans             int
		attribute, value  string
		log               string
	}{
		{name: "nothing is said", spans: 1, attribute: "service.name", value: "claimproxy"},
		{name: "the caller decided otherwise", traceparent: not, spans: 0},
		{name: "the caller decided so", traceparent: sampled, spans: 1},
		{name: "a name", variables: []string{"SERVICE_NAME=gate"}, spans: 1, attribute: "service.name", value: "gate"},
		{name: "attributes", variables: []string{"RESOURCE_ATTRIBUTES=deployment.environment.name=staging,service.name=door"}, spans: 1, attribute: "deployment.environment.name", value: "staging"},
		{name: "attributes, half of which cannot be read", variables: []string{"RESOURCE_ATTRIBUTES=a=b,c"}, spans: 1, log: "OTEL_RESOURCE_ATTRIBUTES cannot be read"},
		{name: "no samples", variables: []string{"TRACES_SAMPLER=always_off"}, traceparent: sampled, spans: 0},
		{name: "none of those that nobody asks for", variables: []string{"TRACES_SAMPLER=parentbased_traceidratio", "TRACES_SAMPLER_ARG=0"}, spans: 0},
		{name: "those that somebody asks for", variables: []string{"TRACES_SAMPLER=parentbased_traceidratio", "TRACES_SAMPLER_ARG=0"}, traceparent: sampled, spans: 1},
		{name: "all, whatever the caller says", variables: []string{"TRACES_SAMPLER=always_on"}, traceparent: not, spans: 1},
		{name: "compressed", variables: []string{"EXPORTER_OTLP_COMPRESSION=gzip"}, spans: 1},
		{name: "JSON", variables: []string{"EXPORTER_OTLP_PROTOCOL=http/json"}, spans: 1, log: "OTEL_EXPORTER_OTLP_PROTOCOL is not what traces are delivered by"},
		{name: "gRPC, and another endpoint in the file", variables: []string{"EXPORTER_OTLP_PROTOCOL=grpc"}, spans: 1, log: "OTEL_EXPORTER_OTLP_PROTOCOL is not what traces are delivered by"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newReceiver(t)
			set(t, test.variables...)
			log := observed(t, c.url, test.traceparent)
			spans := c.named("a.example/")
			if len(spans) != test.spans {
				t.Fatalf("got %d spans, want %d", len(spans), test.spans)
			}
			if test.attribute != "" && spans[0].attributes[test.attribute] != test.value {
				t.Errorf("got %v, want %s=%s", spans[0].attributes, test.attribute, test.value)
			}
			if !strings.Contains(log, test.log) || test.log == "" && log != "" {
				t.Errorf("the log says %q, want %q", log, test.log)
			}
		})
	}
}

// TestACollectorThatShowsAnotherCertificateIsToldNothing.
func TestACollectorThatShowsAnotherCertificateIsToldNothing(t *testing.T) {
	c := &receiver{}
	server := httptest.NewTLSServer(c)
	defer server.Close()
	c.url, _ = url.Parse(server.URL)
	if log := observed(t, c.url, ""); len(c.named("a.example/")) > 0 || !strings.Contains(log, "certificate") {
		t.Errorf("a stranger is told, and the log says %s", log)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	set(t, "EXPORTER_OTLP_CERTIFICATE="+ca)
	if observed(t, c.url, ""); len(c.named("a.example/")) != 1 {
		t.Error("the collector that is trusted is not told")
	}
}

// TestABusyCollectorIsAskedAgain, and one that refuses is not.
func TestABusyCollectorIsAskedAgain(t *testing.T) {
	c := newReceiver(t)
	c.busy = 2
	e, err := newExporter(c.url)
	if err != nil {
		t.Fatal(err)
	}
	e.pause = time.Millisecond
	tracing := begin(t, newReceiver(t))
	_, span := tracing.tracer.Start(t.Context(), "x")
	span.End()
	if err := e.ExportSpans(t.Context(), readable(span)); err != nil || len(c.asked) != 3 || len(c.named("x")) != 1 {
		t.Errorf("got %v after %d tries, %d spans", err, len(c.asked), len(c.named("x")))
	}
	c.asked = nil
	e.to += "/elsewhere"
	if err := e.ExportSpans(t.Context(), readable(span)); err == nil || len(c.asked) != 1 {
		t.Errorf("got %v after %d tries", err, len(c.asked))
	}
	e.to, c.busy, e.timeout = c.url.String()+"/v1/traces", 1<<20, 20*time.Millisecond
	if err := e.ExportSpans(t.Context(), readable(span)); err == nil {
		t.Error("a collector that is always busy has taken it")
	}
}
