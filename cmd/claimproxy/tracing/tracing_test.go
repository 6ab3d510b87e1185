package tracing

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/claimproxy/claimproxy/proxy"
	"github.com/claimproxy/claimproxy/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	parentTrace = "0af7651916cd43dd8448eb211c80319c"
	parentSpan  = "b7ad6b7169203331"
)

// TestARequestIsFollowedFromClientToApplication: the application's span is below
// claimproxy's, which is below the client's, and a collector is told of both.
func TestARequestIsFollowedFromClientToApplication(t *testing.T) {
	c := newReceiver(t)
	tracing := begin(t, c)
	var got string
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Traceparent")
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer app.Close()
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	out := tracing.Transport("upstream", "telemetry", base)
	front := tracing.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, _ := http.NewRequestWithContext(r.Context(), "GET", app.URL+"/api?token=s3cr3t", nil)
		req.Header.Set("Authorization", "Bearer s3cr3t")
		res, err := out.RoundTrip(req)
		if err != nil {
			t.Error(err)
			return
		}
		res.Body.Close()
		if req.Header.Get("Traceparent") != "" {
			t.Error("the request that was given to the transport was changed")
		}
		tracing.Observe(proxy.Event{Context: r.Context(), Route: "a.example/api/", Method: "GET", Path: "/api", Decision: "allow", Reason: "policy", Status: 502, Subject: "4711"})
	}))
	r := httptest.NewRequest("GET", "/api?token=s3cr3t", nil)
	r.Header.Set("Traceparent", "00-"+parentTrace+"-"+parentSpan+"-01")
	r.Header.Set("Cookie", "claimproxy=s3cr3t")
	front.ServeHTTP(httptest.NewRecorder(), r)
	if err := tracing.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	server, client := c.only(t, "a.example/api/"), c.only(t, "upstream telemetry")
	if server.trace != parentTrace || server.parent != parentSpan || client.trace != parentTrace || client.parent != server.id {
		t.Errorf("got %+v and %+v, want both below %s", server, client, parentSpan)
	}
	if want := "00-" + parentTrace + "-" + client.id + "-01"; got != want {
		t.Errorf("the application got %q, want %q", got, want)
	}
	if server.attributes["claimproxy.decision"] != "allow" || server.attributes["url.path"] != "/api" || server.attributes["http.response.status_code"] != "502" || !server.failed ||
		server.attributes["service.name"] != "claimproxy" || server.attributes["service.version"] != "1.2.3" {
		t.Errorf("got %+v", server)
	}
	if bytes.Contains(c.raw, []byte("s3cr3t")) || bytes.Contains(c.raw, []byte("4711")) {
		t.Error("a token, a cookie, a query or a person is told to the collector")
	}
}

// TestAProviderAndAStoreThatFailAreSeen, and what came of them is passed on as it is.
func TestAProviderAndAStoreThatFailAreSeen(t *testing.T) {
	c := newReceiver(t)
	tracing := begin(t, c)
	broken := errors.New("quoting s3cr3t")
	_, err := tracing.Transport("provider", "invent", failing{broken}).RoundTrip(httptest.NewRequest("POST", "https://idp.example/token", nil))
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	file, err := session.OpenFile(session.FileOptions{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	b := tracing.Backend("file", file)
	if _, is := b.(session.Fresher); is {
		t.Error("a file is one that others change")
	}
	if _, err := b.Load(t.Context(), session.Key{1}); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if err := b.Create(t.Context(), session.Key{1}, session.Entry{Head: []byte("h"), Box: []byte("b"), Ends: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Find(t.Context(), session.Tag{}); err == nil {
		t.Error("a closed store answers")
	}
	if err := tracing.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, failed := range map[string]bool{"provider invent": true, "sessions load": false, "sessions create": false, "sessions find": true} {
		if s := c.only(t, name); s.failed != failed {
			t.Errorf("%s: failed %v, want %v", name, s.failed, failed)
		}
	}
	if bytes.Contains(c.raw, []byte("s3cr3t")) {
		t.Error("an error is quoted")
	}
}

type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

// TestACollectorThatIsDownCostsNobodyAnything, and is told once in a while.
func TestACollectorThatIsDownCostsNobodyAnything(t *testing.T) {
	c := newReceiver(t)
	c.url.Host = "127.0.0.1:1"
	tracing := begin(t, c)
	w := httptest.NewRecorder()
	tracing.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 204 {
		t.Errorf("got %d", w.Code)
	}
}

// TestWithoutTracingNothingIsPutAnywhere.
func TestWithoutTracingNothingIsPutAnywhere(t *testing.T) {
	var none *Tracing
	next := failing{}
	if got := none.Transport("upstream", "a", next); got != http.RoundTripper(next) {
		t.Error("something is put around a transport")
	}
	handler := http.NewServeMux()
	if none.Handler(handler) != http.Handler(handler) {
		t.Error("something is put around a handler")
	}
	if none.Backend("file", nil) != nil {
		t.Error("something is put around a store")
	}
	none.Observe(proxy.Event{})
	if err := none.Close(t.Context()); err != nil {
		t.Error(err)
	}
	for _, test := range []struct {
		configured bool
		env        string
		want       bool
	}{
		{false, "", false}, {true, "", true}, {false, "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318", true},
		{false, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:4318", true}, {true, "OTEL_SDK_DISABLED=true", false}, {true, "OTEL_TRACES_EXPORTER=none", false},
	} {
		t.Run(test.env, func(t *testing.T) {
			if name, value, ok := strings.Cut(test.env, "="); ok {
				t.Setenv(name, value)
			}
			if got := Wanted(test.configured); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
