package tracing

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
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
	body, err := io.ReadAll(r.Body)
	var request collector.ExportTraceServiceRequest
	if err == nil {
		err = protojson.Unmarshal(withBase64IDs(body), &request)
	}
	if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/json" {
		http.Error(w, "this is no OTLP", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw = append(c.raw, body...)
	for _, about := range request.ResourceSpans {
		for _, scope := range about.ScopeSpans {
			for _, s := range scope.Spans {
				one := told{
					trace: hex.EncodeToString(s.TraceId), id: hex.EncodeToString(s.SpanId), parent: hex.EncodeToString(s.ParentSpanId),
					name: s.Name, attributes: map[string]string{}, failed: s.GetStatus().GetCode() == 2,
				}
				for _, a := range append(s.Attributes, about.Resource.Attributes...) {
					one.attributes[a.Key] = a.Value.GetStringValue()
				}
				c.spans = append(c.spans, one)
			}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, "{}")
}

var hexID = regexp.MustCompile(`("(?:trace|span|parentSpan)Id":)"([0-9a-f]*)"`)

// withBase64IDs turns the ids of OTLP's JSON, which are hexadecimal, into those of
// protobuf's, so that its own library reads the rest strictly.
func withBase64IDs(body []byte) []byte {
	return hexID.ReplaceAllFunc(body, func(found []byte) []byte {
		m := hexID.FindSubmatch(found)
		raw, _ := hex.DecodeString(string(m[2]))
		return append(append([]byte{}, m[1]...), strconv.Quote(base64.StdEncoding.EncodeToString(raw))...)
	})
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
