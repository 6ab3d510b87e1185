package proxy

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestFailuresOfServersAreTold, also those that another server made up for, and a server
// that fails is known not to work until it does.
func TestFailuresOfServersAreTold(t *testing.T) {
	var mu sync.Mutex
	told := map[string]int{}
	a, _ := named(t, "a")
	away := nowhere(t)
	broken := newWire(t)
	broken.say("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n")
	b, _ := named(t, "b")
	for _, test := range []struct {
		name  string
		urls  []*url.URL
		times int
		want  map[string]int
		works []bool
	}{
		{"made up for", []*url.URL{away, a}, 10, map[string]int{"app " + away.String() + " unreachable": tolerated}, []bool{false, true}},
		{"alone", []*url.URL{away}, 2, map[string]int{"app " + away.String() + " unreachable": 2}, []bool{true}},
		{"no answer", []*url.URL{broken.URL}, 1, map[string]int{"app " + broken.URL.String() + " broken": 1}, []bool{true}},
		{"all is well", []*url.URL{b, a}, 4, map[string]int{}, []bool{true, true}},
	} {
		clear(told)
		route := Route{Path: "/", Allow: newRules(t).of("public"), Upstream: &Upstream{Name: "app", URLs: test.urls}}
		h := build(t, []Route{route}, func(c *Config) {
			c.Connections = &Connections{Failed: func(upstream, server, how string) {
				mu.Lock()
				defer mu.Unlock()
				told[upstream+" "+server+" "+how]++
			}}
		})
		for range test.times {
			h.get(t, "/")
		}
		mu.Lock()
		if got := fmt.Sprint(told); got != fmt.Sprint(test.want) {
			t.Errorf("%s: got %s, want %v", test.name, got, test.want)
		}
		mu.Unlock()
		var works []bool
		for _, s := range h.proxy.Servers() {
			works = append(works, s.Works)
		}
		if !slices.Equal(works, test.works) {
			t.Errorf("%s: %+v, want works %v", test.name, h.proxy.Servers(), test.works)
		}
	}
}

// TestAServerThatDoesNotBeginToAnswerIsTold, and one whose client went away is not to blame.
func TestAServerThatDoesNotBeginToAnswerIsTold(t *testing.T) {
	told := make(chan string, 10)
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer srv.Close()
	defer close(release)
	app, _ := url.Parse(srv.URL)
	route := Route{Path: "/", Allow: newRules(t).of("public"), Upstream: &Upstream{Name: "app", URLs: []*url.URL{app}, Timeout: 50 * time.Millisecond}}
	h := build(t, []Route{route}, func(c *Config) {
		c.Connections = &Connections{Failed: func(_, _, how string) { told <- how }}
	})
	if res := h.get(t, "/"); res.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("got %d", res.StatusCode)
	}
	if got := <-told; got != FailedTimeout {
		t.Errorf("got %q, want %q", got, FailedTimeout)
	}
}
