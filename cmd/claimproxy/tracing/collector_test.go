package tracing

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"
)

// told is a span as a collector gets it.
type told struct {
	trace, id, parent, name string
	attributes              map[string]string
	failed                  bool
}

// receiver is a small collector: OTLP over HTTP (opentelemetry-proto, OTLP/HTTP).
type receiver struct {
	url *url.URL

	mu    sync.Mutex
	spans []told
	raw   []byte
	asked []*http.Request
	busy  int // how often it says that it is
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url, _ = url.Parse(server.URL)
	return r
}

func (c *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, r)
	if c.busy > 0 {
		c.busy--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	in, err := io.Reader(r.Body), error(nil)
	if r.Header.Get("Content-Encoding") == "gzip" {
		in, err = gzip.NewReader(r.Body)
	}
	var body []byte
	if err == nil {
		body, err = io.ReadAll(in)
	}
	var request collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &request)
	}
	if err != nil || len(request.ProtoReflect().GetUnknown()) > 0 || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		http.Error(w, "this is no OTLP", http.StatusBadRequest)
		return
	}
	c.raw = append(c.raw, body...)
	for _, about := range request.ResourceSpans {
		for _, scope := range about.ScopeSpans {
			for _, s := range scope.Spans {
				if s.Kind == 0 || s.StartTimeUnixNano == 0 || s.EndTimeUnixNano < s.StartTimeUnixNano || time.Since(time.Unix(0, int64(s.StartTimeUnixNano))) > time.Hour {
					http.Error(w, "a span lacks its kind or its time", http.StatusBadRequest)
					return
				}
				one := told{
					trace: hex.EncodeToString(s.TraceId), id: hex.EncodeToString(s.SpanId), parent: hex.EncodeToString(s.ParentSpanId),
					name: s.Name, attributes: map[string]string{}, failed: s.GetStatus().GetCode() == 2,
				}
				for _, a := range append(s.Attributes, about.Resource.Attributes...) {
					one.attributes[a.Key] = a.Value.GetStringValue()
					if _, is := a.Value.Value.(*common.AnyValue_IntValue); is {
						one.attributes[a.Key] = strconv.FormatInt(a.Value.GetIntValue(), 10)
					}
				}
				c.spans = append(c.spans, one)
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// named are the spans of a name.
func (c *receiver) named(name string) []told {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.spans), func(s told) bool { return s.name != name })
}

// only is the one span of a name.
func (c *receiver) only(t *testing.T, name string) told {
	t.Helper()
	found := c.named(name)
	if len(found) != 1 {
		t.Fatalf("got %d spans %q, want one, among %+v", len(found), name, c.spans)
	}
	return found[0]
}

func begin(t *testing.T, c *receiver) *Tracing {
	t.Helper()
	tracing, err := New(t.Context(), Config{Endpoint: c.url, Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tracing.Close(context.Background()) })
	return tracing
}

// readable is a span as exporters get it.
func readable(span trace.Span) []sdk.ReadOnlySpan { return []sdk.ReadOnlySpan{span.(sdk.ReadOnlySpan)} }
