package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// TestSpansAreDeliveredWhereTheConfigurationSays; what is in them is tested in package
// tracing.
func TestSpansAreDeliveredWhereTheConfigurationSays(t *testing.T) {
	var got atomic.Int64
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if n, _ := io.Copy(io.Discard, r.Body); n > 0 && r.URL.Path == "/v1/traces" {
			got.Add(1)
		}
	}))
	defer collector.Close()
	var traceparent atomic.Value
	app := func(_ http.ResponseWriter, r *http.Request) { traceparent.Store(r.Header.Get("Traceparent")) }
	r := start(t, app, "tracing: {endpoint: '"+collector.URL+"'}", routes)
	r.ask("GET", r.public+"/open/a")
	r.stop() // delivers what there is
	if got.Load() == 0 || traceparent.Load() == "" {
		t.Errorf("the collector got %d requests, the application traceparent %q", got.Load(), traceparent.Load())
	}
}

// TestATraceparentIsPassedOnWithoutTracing.
func TestATraceparentIsPassedOnWithoutTracing(t *testing.T) {
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	var got atomic.Value
	r := start(t, func(_ http.ResponseWriter, r *http.Request) { got.Store(r.Header.Get("Traceparent")) }, "", routes)
	req, err := http.NewRequest("GET", r.public+"/open/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "localhost"
	req.Header.Set("Traceparent", parent)
	res, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got.Load() != parent {
		t.Errorf("got %q, want %q", got.Load(), parent)
	}
	r.stop()
}
