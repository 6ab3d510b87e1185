package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session"
)

// BenchmarkServe carries requests over real loopback connections to an upstream of
// net/http: the yardstick is the standard library's reverse proxy with the same
// transport.
func BenchmarkServe(b *testing.B) {
	payload := strings.Repeat("x", 1024)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, payload) }))
	defer app.Close()
	u, err := url.Parse(app.URL)
	if err != nil {
		b.Fatal(err)
	}
	groups := func(n int) []any {
		list := []any{"teams/kde-developers"}
		for i := range n - 1 {
			list = append(list, fmt.Sprintf("teams/group-%d", i))
		}
		return list
	}
	identities := map[string]*session.Identity{
		"few":  person(session.AuthBrowser, "jane", session.Claims{"groups": groups(5), "email": "jane@example.org"}),
		"many": person(session.AuthBrowser, "jane", session.Claims{"groups": groups(200), "email": "jane@example.org"}),
	}
	r := newRules(b)
	up := &Upstream{Name: "app", URLs: []*url.URL{u}}
	routes := []Route{
		{Path: "/public/", Allow: r.of("public"), Upstream: up},
		{Path: "/", SignIn: Browser, Allow: r.of("developers"), Upstream: up},
	}
	h := build(b, routes, func(c *Config) {
		c.Observe = nil
		c.Sessions = fakeSessions{func(r *http.Request) (*session.Identity, error) {
			for name, id := range identities {
				if strings.HasSuffix(r.Header.Get("Cookie"), name) {
					return id, nil
				}
			}
			return nil, session.ErrNoCredentials
		}}
	})
	plain := &httputil.ReverseProxy{
		Rewrite:   func(pr *httputil.ProxyRequest) { pr.SetURL(u) },
		Transport: &http.Transport{MaxIdleConnsPerHost: idlePerUpstream, DisableCompression: true},
	}
	yardstick := httptest.NewServer(plain)
	defer yardstick.Close()
	defer plain.Transport.(*http.Transport).CloseIdleConnections()

	for _, bench := range []struct{ name, addr, request string }{
		{"yardstick", yardstick.Listener.Addr().String(), "GET /public/ HTTP/1.1\r\nHost: " + publicHost + "\r\n\r\n"},
		{"public", h.addr, "GET /public/ HTTP/1.1\r\nHost: " + publicHost + "\r\n\r\n"},
		{"session-5-groups", h.addr, "GET /x HTTP/1.1\r\nHost: " + publicHost + "\r\nCookie: " + cookieName + "=few\r\n\r\n"},
		{"session-200-groups", h.addr, "GET /x HTTP/1.1\r\nHost: " + publicHost + "\r\nCookie: " + cookieName + "=many\r\n\r\n"},
		{"refused-401", h.addr, "GET /x HTTP/1.1\r\nHost: " + publicHost + "\r\n\r\n"},
		{"redirected-302", h.addr, "GET /x HTTP/1.1\r\nHost: " + publicHost + "\r\nAccept: text/html\r\n\r\n"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			c, err := net.Dial("tcp", bench.addr)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			br := bufio.NewReader(c)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := io.WriteString(c, bench.request); err != nil {
					b.Fatal(err)
				}
				res, err := http.ReadResponse(br, nil)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, res.Body); err != nil {
					b.Fatal(err)
				}
				res.Body.Close()
			}
		})
	}
}

// BenchmarkIdentityHeaders is what is done for each request, beyond the decision.
func BenchmarkIdentityHeaders(b *testing.B) {
	for _, n := range []int{5, 200} {
		b.Run(fmt.Sprint(n, "-groups"), func(b *testing.B) {
			var list []any
			for i := range n {
				list = append(list, fmt.Sprintf("teams/group-%d", i))
			}
			id := person(session.AuthBrowser, "jane", session.Claims{"groups": list, "email": "jane@example.org"})
			headers, _ := Preset(DefaultPreset)
			compiled, err := compileHeaders(headers)
			if err != nil {
				b.Fatal(err)
			}
			p, e, h, target, v := &Proxy{}, &Entry{headers: make(planner).plan(compiled)}, http.Header{}, &Target{}, &Verdict{Identity: id}
			b.ReportAllocs()
			for b.Loop() {
				p.setIdentity(h, e, target, v)
			}
		})
	}
}

func BenchmarkStrip(b *testing.B) {
	s := newStripper(&Table{}, nil)
	h := http.Header{}
	for _, name := range []string{"Accept", "Accept-Encoding", "Accept-Language", "Cache-Control", "Cookie", "Dnt", "If-None-Match", "Referer",
		"Sec-Ch-Ua", "Sec-Ch-Ua-Mobile", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Upgrade-Insecure-Requests", "User-Agent"} {
		h.Set(name, "x")
	}
	b.ReportAllocs()
	for b.Loop() {
		s.strip(h)
	}
}

// BenchmarkLook is what each stream costs in a second.
func BenchmarkLook(b *testing.B) {
	h := build(b, []Route{{Path: "/", SignIn: Browser, Allow: newRules(b).of("developers"), Upstream: newWire(b).upstream()}}, nil)
	r := httptest.NewRequest("GET", base+"/x", nil)
	r.Header.Set("Cookie", cookieName+"=jane")
	id := developer(session.AuthBrowser, nil)
	h.proxy.sessions = fakeSessions{func(*http.Request) (*session.Identity, error) { return id, nil }}
	x := h.proxy.begin(httptest.NewRecorder(), r)
	j := h.proxy.Judge(r)
	x.target, x.route, x.verdict = j.Target, j.Route, j.Verdict
	h.proxy.keep(x)
	defer h.proxy.letGo(x)
	x.stream.Store(true)
	b.ReportAllocs()
	for b.Loop() {
		h.proxy.look(x)
	}
}

// BenchmarkKeep is what it costs each request that it can be broken off.
func BenchmarkKeep(b *testing.B) {
	h := build(b, []Route{{Path: "/", SignIn: Browser, Allow: newRules(b).of("developers"), Upstream: newWire(b).upstream()}}, nil)
	r := httptest.NewRequest("GET", base+"/x", nil)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	r = r.WithContext(ctx)
	x := h.proxy.begin(httptest.NewRecorder(), r)
	x.verdict.Identity = developer(session.AuthBrowser, nil)
	b.ReportAllocs()
	for b.Loop() {
		h.proxy.keep(x)
		h.proxy.letGo(x)
	}
}

// BenchmarkJudge is all that is found out about a request before it is carried: target,
// route, who is calling, and whether they may.
func BenchmarkJudge(b *testing.B) {
	id := person(session.AuthBrowser, "jane", session.Claims{"groups": []any{"a", "b", "c", "d", "teams/kde-developers"}})
	r := newRules(b)
	h := build(b, []Route{
		{Path: "/public/", Allow: r.of("public")},
		{Path: "/", SignIn: Browser, Allow: r.of("developers")},
	}, func(c *Config) {
		c.ForwardAuth = ForwardAuthXForwarded
		c.Sessions = fakeSessions{func(r *http.Request) (*session.Identity, error) {
			if len(r.Header["Cookie"]) > 0 {
				return id, nil
			}
			return nil, session.ErrNoCredentials
		}}
	})
	for _, bench := range []struct {
		name, target, cookie string
		want                 Outcome
	}{
		{"public", "/public/x", "", Allow}, {"session", "/x?y=z", cookieName + "=x", Allow}, {"nobody", "/x", "", SignIn}, {"bad target", "/x//y", "", BadRequest},
	} {
		b.Run(bench.name, func(b *testing.B) {
			req := httptest.NewRequest("GET", bench.target, nil)
			req.Host = publicHost
			if bench.cookie != "" {
				req.Header.Set("Cookie", bench.cookie)
			}
			b.ReportAllocs()
			for b.Loop() {
				if j := h.proxy.Judge(req); j.Verdict.Outcome != bench.want {
					b.Fatal(j.Verdict.Outcome)
				}
			}
		})
	}
}
