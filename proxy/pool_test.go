package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// named starts a server that says its name, and counts.
func named(t testing.TB, name string) (*url.URL, *atomic.Int64) {
	t.Helper()
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, name)
	}))
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u, &n
}

// nowhere is an address that nobody listens at.
func nowhere(t testing.TB) *url.URL {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return &url.URL{Scheme: "http", Host: l.Addr().String()}
}

// before starts a proxy before an upstream, with everything public.
func before(t testing.TB, up *Upstream, change func(*Route)) *house {
	t.Helper()
	up.Name = "app"
	route := Route{Path: "/", Allow: newRules(t).of("public"), Upstream: up}
	if change != nil {
		change(&route)
	}
	return build(t, []Route{route}, nil)
}

// TestServersTakeTurns, and who is busy gets less.
func TestServersTakeTurns(t *testing.T) {
	a, na := named(t, "a")
	b, nb := named(t, "b")
	h := before(t, &Upstream{URLs: []*url.URL{a, b}}, nil)
	for range 20 {
		h.get(t, "/")
	}
	if na.Load() != 10 || nb.Load() != 10 {
		t.Errorf("of 20 requests the servers got %d and %d", na.Load(), nb.Load())
	}
	pool := h.proxy.upstreams[h.proxy.table.routes[0].Upstream].connection.pool
	pool.servers[0].underway.Add(5)
	for range 10 {
		h.get(t, "/")
	}
	if na.Load() != 10 || nb.Load() != 20 {
		t.Errorf("the one that is busy got %d of 10", na.Load()-10)
	}
	pool.servers[0].underway.Add(-5)
	for _, s := range pool.servers {
		if n := s.underway.Load(); n != 0 {
			t.Errorf("%d requests are still counted at %s", n, s.name)
		}
	}
}

// TestAServerThatIsAwayIsMadeUpFor by another one, where nothing can be sent twice by it.
func TestAServerThatIsAwayIsMadeUpFor(t *testing.T) {
	a, na := named(t, "a")
	h := before(t, &Upstream{URLs: []*url.URL{nowhere(t), a}}, nil)
	for i := range 10 {
		if res := h.send(t, "DELETE", "/"); res.StatusCode != 200 {
			t.Fatalf("request %d: got %d", i, res.StatusCode)
		}
	}
	if na.Load() != 10 {
		t.Errorf("the server that works got %d of 10", na.Load())
	}
	// It rests by now, so that nobody is unlucky.
	for i := range 10 {
		if res := h.raw(t, "POST / HTTP/1.1\r\nHost: "+publicHost+"\r\nContent-Length: 2\r\n\r\nhi"); res.StatusCode != 200 {
			t.Errorf("POST %d: got %d", i, res.StatusCode)
		}
	}
}

// TestWhatMayNotBeSentTwiceIsNot.
func TestWhatMayNotBeSentTwiceIsNot(t *testing.T) {
	for name, request := range map[string]string{
		"not idempotent": "POST / HTTP/1.1\r\nHost: " + publicHost + "\r\nContent-Length: 0\r\n\r\n",
		"with a body":    "PUT / HTTP/1.1\r\nHost: " + publicHost + "\r\nContent-Length: 2\r\n\r\nhi",
	} {
		a, na := named(t, "a")
		h := before(t, &Upstream{URLs: []*url.URL{nowhere(t), a}}, nil)
		pool := h.proxy.upstreams[h.proxy.table.routes[0].Upstream].connection.pool
		pool.servers[1].underway.Add(1) // the other one is the first choice
		if res := h.raw(t, request); res.StatusCode != 502 || na.Load() != 0 {
			t.Errorf("%s: got %d, and the other server got %d", name, res.StatusCode, na.Load())
		}
		pool.servers[1].underway.Add(-1)
	}
	// One that breaks off in the middle of its answer, or before it, has got the request.
	broken := newWire(t)
	broken.say("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n")
	a, na := named(t, "a")
	h := before(t, &Upstream{URLs: []*url.URL{broken.URL, a}}, nil)
	pool := h.proxy.upstreams[h.proxy.table.routes[0].Upstream].connection.pool
	pool.servers[1].underway.Add(1)
	defer pool.servers[1].underway.Add(-1)
	if res := h.get(t, "/"); res.StatusCode != 502 || na.Load() != 0 {
		t.Errorf("got %d, and the other server got %d", res.StatusCode, na.Load())
	}
}

// TestAServerThatRestsIsAskedWhenThereIsNoOther.
func TestAServerThatRestsIsAskedWhenThereIsNoOther(t *testing.T) {
	a, _ := named(t, "a")
	b, _ := named(t, "b")
	h := before(t, &Upstream{URLs: []*url.URL{a, b}}, nil)
	pool := h.proxy.upstreams[h.proxy.table.routes[0].Upstream].connection.pool
	now := time.Now()
	for i, s := range pool.servers {
		for range tolerated {
			s.failed(now.Add(time.Duration(i) * time.Second))
		}
	}
	if res := h.get(t, "/"); res.body != "a" {
		t.Errorf("got %q, want the one that failed longest ago", res.body)
	}
	pool.servers[1].rests.Store(0)
	for range 3 {
		if res := h.get(t, "/"); res.body != "b" {
			t.Errorf("got %q, want the one that does not rest", res.body)
		}
	}
}

// TestHealth: servers that do not answer well get nothing until they do, and where none
// does, requests are refused at once.
func TestHealth(t *testing.T) {
	var healthy [2]atomic.Bool
	var urls []*url.URL
	var asked atomic.Int64
	for i := range healthy {
		healthy[i].Store(true)
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/healthz" {
				asked.Add(1)
				if r.URL.RawQuery != "deep" || r.Header.Get("Cookie") != "" {
					t.Errorf("the question is %s with %v", r.URL, r.Header)
				}
				if !healthy[i].Load() {
					w.WriteHeader(503)
				}
				return
			}
			fmt.Fprint(w, i)
		}))
		defer srv.Close()
		u, _ := url.Parse(srv.URL)
		urls = append(urls, u)
	}
	h := before(t, &Upstream{URLs: urls, Health: "/healthz?deep"}, nil)
	pool := h.proxy.upstreams[h.proxy.table.routes[0].Upstream].connection.pool
	check := func() {
		for _, s := range pool.servers {
			pool.ask(t.Context(), "app", s, quiet())
		}
	}
	healthy[0].Store(false)
	check() // once is no illness
	if pool.servers[0].sick.Load() {
		t.Error("one bad answer suffices")
	}
	check()
	for range 4 {
		if res := h.get(t, "/"); res.body != "1" {
			t.Errorf("got %q from a server that is sick", res.body)
		}
	}
	healthy[1].Store(false)
	check()
	check()
	res := h.get(t, "/")
	if p := problemOf(t, res); res.StatusCode != 503 || p["code"] != "upstream-unavailable" || res.Header.Get("Retry-After") == "" {
		t.Errorf("got %d %v, Retry-After %q", res.StatusCode, p, res.Header.Get("Retry-After"))
	}
	healthy[0].Store(true)
	check()
	if res := h.get(t, "/"); res.body != "0" {
		t.Errorf("got %d %q from the one that works again", res.StatusCode, res.body)
	}
	// Run asks by itself, at once.
	before := asked.Load()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { h.proxy.Run(ctx) })
	for began := time.Now(); asked.Load() < before+2 && time.Since(began) < 5*time.Second; {
		time.Sleep(time.Millisecond)
	}
	cancel()
	running.Wait()
	if asked.Load() < before+2 {
		t.Error("nobody is asked")
	}
}

// TestTimeoutsAreTold: no answer in time is 504.
func TestTimeoutsAreTold(t *testing.T) {
	for _, h2c := range []bool{false, true} {
		u, _ := grpcLike(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		if !h2c {
			u = &url.URL{Scheme: "http", Host: u.Host}
		}
		h := before(t, &Upstream{URLs: []*url.URL{u}, Timeout: 50 * time.Millisecond}, nil)
		res := h.get(t, "/")
		if p := problemOf(t, res); res.StatusCode != 504 || p["code"] != "upstream-unavailable" {
			t.Errorf("h2c %v: got %d %v", h2c, res.StatusCode, p)
		}
	}
}

// grpcLike starts a server of HTTP/1.1 and HTTP/2 without TLS.
func grpcLike(t testing.TB, app http.HandlerFunc) (*url.URL, *httptest.Server) {
	t.Helper()
	srv := httptest.NewUnstartedServer(app)
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetHTTP1(true)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	return &url.URL{Scheme: "h2c", Host: srv.Listener.Addr().String()}, srv
}

// TestGRPC end to end: HTTP/2 on both sides, both directions at once, trailers that are
// not announced, a status without a body, and websockets beside it by HTTP/1.1.
func TestGRPC(t *testing.T) {
	u, _ := grpcLike(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
			if err == nil {
				_ = c.Write(r.Context(), websocket.MessageText, []byte(r.Proto))
				c.Close(websocket.StatusNormalClosure, "")
			}
			return
		}
		if r.ProtoMajor != 2 || r.Header.Get("Te") != "trailers" || r.Header.Get("Content-Type") != "application/grpc" {
			t.Errorf("the upstream got %s, TE %q, %q", r.Proto, r.Header.Get("Te"), r.Header.Get("Content-Type"))
		}
		w.Header().Set("Content-Type", "application/grpc")
		if r.URL.Path == "/refused" {
			w.Header().Set("Grpc-Status", "7")
			return
		}
		w.WriteHeader(200)
		flush := http.NewResponseController(w).Flush
		_ = flush()
		buf := make([]byte, 5)
		for {
			if _, err := io.ReadFull(r.Body, buf); err != nil {
				break
			}
			_, _ = w.Write([]byte(strings.ToUpper(string(buf))))
			_ = flush()
		}
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
		w.Header().Set(http.TrailerPrefix+"Grpc-Message", "fine")
		w.Header().Set(http.TrailerPrefix+"Set-Cookie", cookieName+"=x")
	})
	h := before(t, &Upstream{URLs: []*url.URL{u}}, nil)
	srv := httptest.NewUnstartedServer(h.proxy)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	call := func(path string, body io.Reader) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), "POST", srv.URL+path, body)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = publicHost
		req.Header.Set("Te", "trailers")
		req.Header.Set("Content-Type", "application/grpc")
		res, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return res
	}
	pr, pw := io.Pipe()
	res := call("/echo", pr)
	for _, word := range []string{"hello", "there"} {
		if _, err := io.WriteString(pw, word); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 5)
		if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != strings.ToUpper(word) {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	pw.Close()
	if rest, err := io.ReadAll(res.Body); err != nil || len(rest) != 0 {
		t.Errorf("got %q, %v at the end", rest, err)
	}
	if res.ProtoMajor != 2 || res.Trailer.Get("Grpc-Status") != "0" || res.Trailer.Get("Grpc-Message") != "fine" {
		t.Errorf("got %s with the trailers %v", res.Proto, res.Trailer)
	}
	if got := res.Trailer.Get("Set-Cookie"); got != "" {
		t.Errorf("a cookie of ours came in a trailer: %q", got)
	}
	if res := call("/refused", nil); res.Header.Get("Grpc-Status") != "7" {
		t.Errorf("a status alone: got %v", res.Header)
	}
	c, _, err := websocket.Dial(t.Context(), "ws://"+publicHost+"/", &websocket.DialOptions{HTTPClient: h.client(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if _, msg, err := c.Read(t.Context()); err != nil || string(msg) != "HTTP/1.1" {
		t.Errorf("the websocket came as %q, %v", msg, err)
	}
}

// TestUnixSockets of applications, with websockets as well.
func TestUnixSockets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			serveStreams(w, r)
			return
		}
		fmt.Fprint(w, r.Host, r.RequestURI)
	})}}
	srv.Start()
	defer srv.Close()
	h := before(t, &Upstream{URLs: []*url.URL{{Scheme: "unix", Path: path}}}, nil)
	if res := h.get(t, "/a%20b?c"); res.body != publicHost+"/a%20b?c" {
		t.Errorf("got %q", res.body)
	}
	c, _, err := websocket.Dial(t.Context(), "ws://"+publicHost+"/public/socket", &websocket.DialOptions{HTTPClient: h.client(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	echo(t, c)
	own := before(t, &Upstream{URLs: []*url.URL{{Scheme: "unix", Path: path}}, OwnHost: true}, nil)
	if res := own.get(t, "/"); res.body != "localhost/" {
		t.Errorf("with its own host: got %q", res.body)
	}
}

// TestTLSToAnUpstream: its certificate is checked by what it is trusted by, for the name
// that is expected, and ours is shown.
func TestTLSToAnUpstream(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Proto, " ", len(r.TLS.PeerCertificates), " ", r.TLS.ServerName, " ", r.Host)
	}))
	srv.EnableHTTP2 = true
	srv.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	srv.Config.ErrorLog = ErrorLog(quiet())
	srv.StartTLS()
	defer srv.Close()
	u, _ := url.Parse(srv.URL)
	trusted := x509.NewCertPool()
	trusted.AddCert(srv.Certificate())
	for name, test := range map[string]struct {
		tls    *TLS
		status int
		says   string
	}{
		"nothing known":   {nil, 502, ""},
		"another CA":      {&TLS{Config: &tls.Config{RootCAs: x509.NewCertPool()}}, 502, ""},
		"trusted":         {&TLS{Config: &tls.Config{RootCAs: trusted}}, 200, "HTTP/2.0 0  " + publicHost},
		"another name":    {&TLS{Config: &tls.Config{RootCAs: trusted}, ServerName: "app.internal"}, 502, ""},
		"expected name":   {&TLS{Config: &tls.Config{RootCAs: trusted}, ServerName: "example.com"}, 200, "HTTP/2.0 0 example.com " + publicHost},
		"our certificate": {&TLS{Config: &tls.Config{RootCAs: trusted, Certificates: srv.TLS.Certificates}}, 200, "HTTP/2.0 1  " + publicHost},
	} {
		t.Run(name, func(t *testing.T) {
			h := before(t, &Upstream{URLs: []*url.URL{u}, TLS: test.tls}, nil)
			if res := h.get(t, "/"); res.StatusCode != test.status || test.says != "" && res.body != test.says {
				t.Errorf("got %d %q, want %d %q", res.StatusCode, res.body, test.status, test.says)
			}
		})
	}
}

// TestStrippedPrefixes (PATH-21, CVE-2026-40912): it is decided on the whole path, and what
// is left cannot become another one.
func TestStrippedPrefixes(t *testing.T) {
	u := newWire(t)
	r := newRules(t)
	h := build(t, []Route{
		{Path: "/app/admin/", Allow: r.of("nobody"), Upstream: u.upstream(), StripPrefix: "/app"},
		{Path: "/app/", Allow: r.of("public"), Upstream: u.upstream(), StripPrefix: "/app"},
		{Path: "/b/c/", Allow: r.of("public"), Upstream: u.upstream(), StripPrefix: "/b/c"},
	}, nil)
	for target, want := range map[string]string{
		"/app/x/y%20z?q=/app": "/x/y%20z?q=/app", "/app/": "/", "/app": "/", "/app?": "/?", "/%61pp/x": "/x", "/app/app/": "/app/", "/app/x/": "/x/",
		"/b/c/d": "/d", "/b/c": "/", "/b/c/": "/", "/b/%63/%64": "/%64",
	} {
		if res := h.get(t, target, "X-Forwarded-Prefix: /evil"); res.StatusCode != 200 {
			t.Errorf("%s: got %d", target, res.StatusCode)
			continue
		}
		head := u.one(t)
		if got := targetOf(head); got != want {
			t.Errorf("%s: the upstream got %q, want %q", target, got, want)
		}
		if got := values(head, "X-Forwarded-Prefix"); len(got) != 1 || got[0] != "/app" && got[0] != "/b/c" {
			t.Errorf("%s: the upstream got the prefix %q", target, got)
		}
	}
	for target, status := range map[string]int{
		"/app/admin/x": 403, "/%61pp/%61dmin/x": 403, "/app/admin": 403,
		"/app//admin/x": 400, "/app/../app/admin/x": 400, "/app/%2fadmin": 400, "/app%2fadmin": 400, "/app/.%2e/admin": 400, "/admin/x": 404, "/appadmin": 404,
	} {
		if res := h.get(t, target); res.StatusCode != status {
			t.Errorf("%s: got %d, want %d", target, res.StatusCode, status)
		}
	}
	u.none(t)
	for prefix, path := range map[string]string{"": "", "/": "/", "/a/": "/a/", "a": "/a", "/a": "/ab/", "/*": "/*/", "/a/b": "/a/"} {
		if prefix != "" && CheckPrefix(prefix, path) == nil {
			t.Errorf("the prefix %q of %q is fine", prefix, path)
		}
	}
}

// TestBodiesThatAreTooLarge, told beforehand and not.
func TestBodiesThatAreTooLarge(t *testing.T) {
	u := newWire(t)
	h := before(t, u.upstream(), func(r *Route) { r.MaxBody = 10 })
	chunked := func(sizes ...int) string {
		var b strings.Builder
		for _, n := range sizes {
			fmt.Fprintf(&b, "%x\r\n%s\r\n", n, strings.Repeat("x", n))
		}
		return "POST / HTTP/1.1\r\nHost: " + publicHost + "\r\nTransfer-Encoding: chunked\r\n\r\n" + b.String() + "0\r\n\r\n"
	}
	length := func(n int) string {
		return "POST / HTTP/1.1\r\nHost: " + publicHost + "\r\nContent-Length: " + strconv.Itoa(n) + "\r\n\r\n"
	}
	for name, test := range map[string]struct {
		request string
		status  int
	}{
		"exactly":         {length(10) + "0123456789", 200},
		"more":            {length(11), 413},
		"much more":       {length(1 << 40), 413},
		"chunked exactly": {chunked(4, 6), 200},
		"chunked more":    {chunked(4, 7), 413},
		"chunked much":    {chunked(1 << 20), 413},
		"without":         {"GET / HTTP/1.1\r\nHost: " + publicHost + "\r\n\r\n", 200},
	} {
		t.Run(name, func(t *testing.T) {
			u.took()
			res := h.raw(t, test.request)
			if res.StatusCode != test.status {
				t.Fatalf("got %d, want %d", res.StatusCode, test.status)
			}
			if test.status == 413 {
				if p := problemOf(t, res); p["code"] != "too-large" || !res.Close {
					t.Errorf("got %v, closes: %v", p, res.Close)
				}
			}
		})
	}
}

// TestGigabytesInConstantMemory, both ways at once: 2 GiB each in CI, where there is time.
func TestGigabytesInConstantMemory(t *testing.T) {
	size := int64(256 << 20)
	if os.Getenv("CI") != "" {
		size = 2 << 30
	}
	h := application(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		if n, err := io.Copy(w, r.Body); err != nil || n != size {
			t.Errorf("the upstream copied %d, %v", n, err)
		}
	}), nil)
	runtime.GC()
	var base0, most runtime.MemStats
	runtime.ReadMemStats(&base0)
	stop, stopped := make(chan bool), make(chan uint64)
	go func() {
		var peak uint64
		for {
			select {
			case <-stop:
				stopped <- peak
				return
			case <-time.After(20 * time.Millisecond):
				runtime.ReadMemStats(&most)
				peak = max(peak, most.HeapAlloc)
			}
		}
	}()
	req, err := http.NewRequestWithContext(t.Context(), "POST", base+"/", io.LimitReader(zeros{}, size))
	if err != nil {
		t.Fatal(err)
	}
	client := h.client(t)
	client.Timeout = 2 * time.Minute
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	stop <- true
	peak := <-stopped
	if err != nil || n != size {
		t.Errorf("got %d bytes, %v", n, err)
	}
	if grown := int64(peak) - int64(base0.HeapAlloc); grown > 16<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }
