package proxy

import (
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"testing"
	"time"
)

// TestConnectionsOutliveTheProxyThatMadeThem: an upstream whose settings are the same
// is reached over the connection that is there; one whose settings differ is not.
func TestConnectionsOutliveTheProxyThatMadeThem(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	var shared Connections
	reused := func(c *connection) (was bool) {
		t.Helper()
		req := httptest.NewRequest("GET", server.URL, nil)
		req = req.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { was = i.Reused }}))
		res, err := c.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return was
	}
	first := shared.take(&Upstream{Name: "a", URLs: []*url.URL{u}})
	if reused(first) {
		t.Error("the first request used a connection that was there")
	}
	second := shared.take(&Upstream{Name: "renamed", URLs: []*url.URL{u}, Timeout: DefaultUpstreamTimeout})
	shared.release(first)
	if !reused(second) {
		t.Error("the connection ended with the proxy that made it")
	}
	other := shared.take(&Upstream{Name: "a", URLs: []*url.URL{u}, Timeout: time.Second})
	if other.pool == second.pool {
		t.Error("another timeout has the same connections")
	}
	shared.release(other)
	shared.release(second)
	third := shared.take(&Upstream{Name: "a", URLs: []*url.URL{u}})
	defer shared.release(third)
	if reused(third) {
		t.Error("a connection outlived all who used it")
	}
	if len(shared.open) != 1 {
		t.Errorf("got connections to %d upstreams, want 1", len(shared.open))
	}
}
