package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
)

// application starts a real upstream and a proxy before it, with everything public
// but /private/, which takes cookies and tokens.
func application(t testing.TB, app http.Handler, change func(*Config)) *house {
	t.Helper()
	srv := httptest.NewUnstartedServer(app)
	srv.Config.ErrorLog = slog.NewLogLogger(quiet().Handler(), slog.LevelError)
	srv.Start()
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	r := newRules(t)
	up := &Upstream{Name: "application", URLs: []*url.URL{u}, Timeout: 2 * time.Second}
	h := build(t, []Route{
		{Path: "/private/", SignIn: Browser | Bearer, Allow: r.of("developers"), Upstream: up},
		{Path: "/", Allow: r.of("public"), Upstream: up},
	}, change)
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return h
}

// client talks to the proxy as publicHost.
func (h *house) client(t testing.TB) *http.Client {
	tr := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, h.addr)
	}, DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 20 * time.Second}
}

const base = "http://" + publicHost

func TestWebsocketEcho(t *testing.T) {
	h := application(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(1 << 20)
		_ = c.Write(r.Context(), websocket.MessageText, []byte("hello "+r.Header.Get("X-Forwarded-User")))
		for {
			kind, msg, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if err := c.Write(r.Context(), kind, msg); err != nil {
				return
			}
		}
	}), nil)
	for name, header := range map[string]http.Header{
		"cookie": {"Cookie": {cookieName + "=jane"}, "Origin": {"https://" + publicHost}},
		"token":  {"Authorization": {"Bearer jane"}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			header.Set("X-Forwarded-User", "admin")
			c, res, err := websocket.Dial(ctx, "ws://"+publicHost+"/private/", &websocket.DialOptions{HTTPClient: h.client(t), HTTPHeader: header})
			if err != nil {
				t.Fatal(err)
			}
			defer c.CloseNow()
			if len(res.Header.Values("X-Request-Id")) != 1 {
				t.Errorf("X-Request-Id: %q", res.Header.Values("X-Request-Id"))
			}
			if _, msg, err := c.Read(ctx); err != nil || string(msg) != "hello jane" {
				t.Fatalf("got %q, %v; want hello jane", msg, err)
			}
			c.SetReadLimit(1 << 20)
			for _, sent := range []string{"a", strings.Repeat("long ", 20000)} {
				if err := c.Write(ctx, websocket.MessageBinary, []byte(sent)); err != nil {
					t.Fatal(err)
				}
				if _, msg, err := c.Read(ctx); err != nil || string(msg) != sent {
					t.Fatalf("got %.20q, %v; want %.20q", msg, err, sent)
				}
			}
			if err := c.Close(websocket.StatusNormalClosure, "bye"); err != nil {
				t.Errorf("close: %v", err)
			}
			if event := h.events.next(t); event.Status != 101 || event.Decision != "allow" || event.Subject != "jane" {
				t.Errorf("event %+v", event)
			}
		})
	}
}

// TestOnlyWebsocketsAreForwardedAsUpgrades (trap 9, WS-05, CVE-2022-41721).
func TestOnlyWebsocketsAreForwardedAsUpgrades(t *testing.T) {
	u := newWire(t)
	h := openHouse(t, u)
	for name, lines := range map[string][]string{
		"h2c":               {"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"},
		"something else":    {"Connection: Upgrade", "Upgrade: TLS/1.0"},
		"websocket and h2c": {"Connection: Upgrade", "Upgrade: websocket, h2c"},
		"two headers":       {"Connection: Upgrade", "Upgrade: websocket", "Upgrade: h2c"},
		"without wish":      {"Upgrade: websocket"},
		"not printable":     {"Connection: Upgrade", "Upgrade: web\xffsocket"},
		"with a body":       {"Connection: Upgrade", "Upgrade: websocket", "Content-Length: 4"},
	} {
		request := "GET /public/ HTTP/1.1\r\nHost: " + publicHost + "\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
		if strings.Contains(request, "Content-Length") {
			request += "body"
		}
		if res := h.raw(t, request); res.StatusCode != 200 {
			t.Errorf("%s: got %d, want 200 as without an upgrade", name, res.StatusCode)
		}
		head := u.one(t)
		for _, field := range []string{"Upgrade", "Connection", "HTTP2-Settings"} {
			if got := values(head, field); got != nil {
				t.Errorf("%s: the upstream got %s %q", name, field, got)
			}
		}
	}
	if res := h.send(t, "POST", "/public/", "Connection: Upgrade", "Upgrade: websocket", "Content-Length: 0"); res.StatusCode != 200 {
		t.Errorf("POST: got %d", res.StatusCode)
	}
	if got := values(u.one(t), "Upgrade"); got != nil {
		t.Errorf("POST: the upstream got Upgrade %q", got)
	}
	if res := h.get(t, "/public/", "Connection: keep-alive, upgrade", "Upgrade: WebSocket"); res.StatusCode != 200 {
		t.Errorf("websocket: got %d", res.StatusCode)
	}
	if head := u.one(t); !cmp.Equal(values(head, "Upgrade"), []string{"WebSocket"}) || !cmp.Equal(values(head, "Connection"), []string{"Upgrade"}) {
		t.Errorf("websocket: the upstream got\n%s", head)
	}
}

// TestUpstreamCannotSwitchProtocolsUnasked: a tunnel would carry requests past the
// policy.
func TestUpstreamCannotSwitchProtocolsUnasked(t *testing.T) {
	u := newWire(t)
	h := openHouse(t, u)
	for _, answer := range []string{
		"HTTP/1.1 101 Switching Protocols\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
	} {
		u.say(answer)
		if res := h.get(t, "/public/"); res.StatusCode != http.StatusBadGateway {
			t.Errorf("%q: got %d, want 502", answer, res.StatusCode)
		}
	}
	u.say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
	if res := h.get(t, "/public/", "Connection: Upgrade", "Upgrade: websocket"); res.StatusCode != http.StatusBadGateway {
		t.Errorf("another protocol than asked for: got %d, want 502", res.StatusCode)
	}
}

// TestEventsArriveAsTheyAreSent: the first event of a stream is read before the
// upstream sends the second.
func TestEventsArriveAsTheyAreSent(t *testing.T) {
	for name, header := range map[string]http.Header{
		"event stream":          {"Content-Type": {"text/event-stream"}},
		"chunked text":          {"Content-Type": {"text/plain"}},
		"with a known length":   {"Content-Type": {"text/plain"}, "Content-Length": {"12"}},
		"headers before a body": {"Content-Type": {"application/grpc"}},
	} {
		t.Run(name, func(t *testing.T) {
			read := make(chan bool)
			h := application(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for k, v := range header {
					w.Header()[k] = v
				}
				w.WriteHeader(200)
				_ = http.NewResponseController(w).Flush()
				<-read // the client has seen the headers
				for _, part := range []string{"first.", "second"} {
					_, _ = io.WriteString(w, part)
					_ = http.NewResponseController(w).Flush()
					<-read
				}
			}), nil)
			res, err := h.client(t).Get(base + "/")
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			read <- true
			for _, want := range []string{"first.", "second"} {
				got := make([]byte, 6)
				if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != want {
					t.Fatalf("got %q, %v; want %q", got, err, want)
				}
				read <- true
			}
		})
	}
}

// TestLargeBodiesPassWhole both ways, with and without a known length.
func TestLargeBodiesPassWhole(t *testing.T) {
	const size = 16 << 20
	h := application(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// It answers while it still reads.
		_ = http.NewResponseController(w).EnableFullDuplex()
		sum := sha256.New()
		n, _ := io.Copy(io.MultiWriter(w, sum), r.Body)
		w.Header().Set(http.TrailerPrefix+"X-Sum", hex.EncodeToString(sum.Sum(nil)))
		w.Header().Set(http.TrailerPrefix+"X-Size", fmt.Sprint(n))
	}), nil)
	block := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	source := func() io.Reader {
		readers := make([]io.Reader, size/len(block))
		for i := range readers {
			readers[i] = bytes.NewReader(block)
		}
		return io.MultiReader(readers...)
	}
	want := sha256.New()
	_, _ = io.Copy(want, source())
	for name, length := range map[string]int64{"length": size, "chunked": -1} {
		req, _ := http.NewRequest("POST", base+"/", source())
		req.ContentLength = length
		res, err := h.client(t).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got := sha256.New()
		n, err := io.Copy(got, res.Body)
		res.Body.Close()
		if err != nil || n != size || !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
			t.Errorf("%s: %d bytes came back, %v", name, n, err)
		}
		if res.Trailer.Get("X-Sum") != hex.EncodeToString(want.Sum(nil)) {
			t.Errorf("%s: trailers %v", name, res.Trailer)
		}
	}
}

func TestRequestTrailers(t *testing.T) {
	u := newWire(t)
	h := openHouse(t, u)
	res := h.raw(t, "POST /public/ HTTP/1.1\r\nHost: "+publicHost+"\r\nTransfer-Encoding: chunked\r\n"+
		"Trailer: X-Sum, X-Forwarded-User, X_Forwarded_Groups, Cookie, Authorization, Host\r\n\r\n"+
		"4\r\nbody\r\n0\r\nX-Sum: 42\r\nX-Forwarded-User: admin\r\nX_Forwarded_Groups: admins\r\nCookie: "+cookieName+"=x\r\nAuthorization: Bearer x\r\nHost: other\r\nX-Unannounced: yes\r\nRemote-User: admin\r\n\r\n")
	if res.StatusCode != 200 {
		t.Fatalf("got %d", res.StatusCode)
	}
	u.mu.Lock()
	body := u.bodies[0]
	u.mu.Unlock()
	head := u.one(t)
	if want := "4\r\nbody\r\n0\r\nX-Sum: 42\r\n\r\n"; body != want {
		t.Errorf("the upstream got the body %q, want %q", body, want)
	}
	if got := values(head, "Trailer"); !cmp.Equal(got, []string{"X-Sum"}) {
		t.Errorf("Trailer: %q", got)
	}
}

func TestInformationalAnswers(t *testing.T) {
	u := newWire(t)
	u.say("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nX-Request-Id: forged\r\nSet-Cookie: " + cookieName + "=x\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	h := openHouse(t, u)
	var hints textproto.MIMEHeader
	var ids [][]string
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
		if hints == nil {
			hints = header
		}
		ids = append(ids, header["X-Request-Id"])
		return nil
	}}
	req, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "GET", base+"/public/", nil)
	res, err := h.client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := hints.Get("Link"); got != "</style.css>; rel=preload" || hints.Get("Set-Cookie") != "" {
		t.Errorf("early hints: %v", hints)
	}
	ours := res.Header.Values("X-Request-Id")
	if !cmp.Equal(ids, [][]string{ours, ours}) {
		t.Errorf("request ids of the hints: %q, want ours, %q", ids, ours)
	}
	if res.StatusCode != 200 || len(ours) != 1 || res.Header.Get("Link") != "" {
		t.Errorf("answer %d %v", res.StatusCode, res.Header)
	}
	if event := h.events.next(t); event.Status != 200 {
		t.Errorf("event status %d", event.Status)
	}
}

// TestExpectContinueIsTheUpstreamsToAnswer: the body is asked for when the upstream
// asks, and not at all when it refuses.
func TestExpectContinueIsTheUpstreamsToAnswer(t *testing.T) {
	h := application(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "got %s", b)
	}), nil)
	for target, want := range map[string]string{"/yes": "HTTP/1.1 100 Continue", "/no": "HTTP/1.1 413 Request Entity Too Large"} {
		c, err := net.Dial("tcp", h.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = io.WriteString(c, "POST "+target+" HTTP/1.1\r\nHost: "+publicHost+"\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
		br := bufio.NewReader(c)
		if line, err := br.ReadString('\n'); err != nil || strings.TrimSpace(line) != want {
			t.Errorf("%s: got %q, %v; want %q", target, line, err, want)
		}
		if target == "/yes" {
			_, _ = io.WriteString(c, "body")
			for {
				line, err := br.ReadString('\n')
				if err != nil {
					t.Fatal(err)
				}
				if strings.HasPrefix(line, "HTTP/1.1") && !strings.HasPrefix(line, "HTTP/1.1 200") {
					t.Errorf("got %q, want 200", line)
				}
				if line == "got body" || strings.HasPrefix(line, "HTTP/1.1 200") {
					break
				}
			}
		}
	}
}

// TestHeadersThatAreNoneOfOurBusiness travel as they came.
func TestHeadersThatAreNoneOfOurBusiness(t *testing.T) {
	u := newWire(t)
	u.say("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/2\r\nContent-Encoding: gzip\r\nETag: \"x\"\r\nX-Custom: y\r\nContent-Length: 2\r\n\r\nok")
	h := openHouse(t, u)
	res := h.get(t, "/public/", "Range: bytes=0-1", "If-None-Match: \"x\"", "Accept-Encoding: br", "User-Agent: kate/1", "Origin: https://evil.example",
		"Referer: https://a.example/", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "X-CSRFToken: 1", "Git-Protocol: version=2", "Sec-Fetch-Site: none")
	if res.StatusCode != 206 || res.body != "ok" || res.Header.Get("Content-Encoding") != "gzip" || res.Header.Get("X-Custom") != "y" {
		t.Errorf("answer %d %v %q", res.StatusCode, res.Header, res.body)
	}
	head := u.one(t)
	for name, want := range map[string]string{
		"Range": "bytes=0-1", "If-None-Match": "\"x\"", "Accept-Encoding": "br", "User-Agent": "kate/1", "Origin": "https://evil.example",
		"Referer": "https://a.example/", "Traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "X-Csrftoken": "1", "Git-Protocol": "version=2", "Sec-Fetch-Site": "none",
	} {
		if got := values(head, name); !cmp.Equal(got, []string{want}) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	h.get(t, "/public/")
	if got := u.one(t); values(got, "User-Agent") != nil || values(got, "Accept-Encoding") != nil {
		t.Errorf("headers were added:\n%s", got)
	}
}

func TestDeadUpstream(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := &url.URL{Scheme: "http", Host: l.Addr().String()}
	l.Close()
	var log bytes.Buffer
	h := build(t, []Route{{Path: "/", SignIn: Browser, Allow: newRules(t).of("signed-in"), Upstream: &Upstream{Name: "dead", URLs: []*url.URL{dead}}}}, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	const jane = "Cookie: " + cookieName + "=jane"
	res := h.get(t, "/x?secret=1", jane)
	if p := problemOf(t, res); res.StatusCode != 502 || p["code"] != "upstream-unavailable" {
		t.Errorf("got %d %v", res.StatusCode, p)
	}
	event := h.events.next(t)
	if event.Status != 502 || event.Reason != ReasonUpstreamUnavailable || event.Decision != "allow" || event.Upstream != "dead" || event.Subject != "jane" {
		t.Errorf("event %+v", event)
	}
	if text := log.String(); !strings.Contains(text, "dead") || !strings.Contains(text, event.RequestID) || strings.Contains(text, "secret") || strings.Contains(text, "jane") {
		t.Errorf("log: %s", text)
	}
	res = h.get(t, "/x?y", jane, navigation)
	if res.StatusCode != 502 || !strings.Contains(res.body, "The application does not answer") || !strings.Contains(res.body, `href="/x?y"`) {
		t.Errorf("got %d %s", res.StatusCode, res.body)
	}
	if strings.Contains(res.body, dead.Host) {
		t.Errorf("the page tells where the upstream is:\n%s", res.body)
	}
	// With a body that is still coming.
	res = h.raw(t, "POST / HTTP/1.1\r\nHost: "+publicHost+"\r\n"+jane+"\r\nContent-Length: 100\r\n\r\n")
	if res.StatusCode != 502 || !res.Close {
		t.Errorf("with a body: got %d, closes: %v", res.StatusCode, res.Close)
	}
}

func TestUpstreamThatNeverAnswers(t *testing.T) {
	gone := make(chan struct{})
	h := application(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done(); close(gone) }), nil)
	for _, f := range h.proxy.upstreams {
		f.connection.servers[0].transport.ResponseHeaderTimeout = 50 * time.Millisecond
	}
	if res := h.get(t, "/"); res.StatusCode != 504 {
		t.Errorf("got %d, want 504", res.StatusCode)
	}
	<-gone
}

// TestClientThatGoesAway: the upstream learns of it, nobody logs an error.
func TestClientThatGoesAway(t *testing.T) {
	for name, begun := range map[string]bool{"before the answer": false, "in the middle of the answer": true} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			var mu sync.Mutex
			asked, gone := make(chan struct{}), make(chan struct{})
			h := application(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if begun {
					_, _ = io.WriteString(w, "begin")
					_ = http.NewResponseController(w).Flush()
				}
				close(asked)
				<-r.Context().Done()
				close(gone)
			}), func(c *Config) {
				c.Log = slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil))
			})
			c, err := net.Dial("tcp", h.addr)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+publicHost+"\r\n\r\n")
			<-asked
			if begun {
				if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
					t.Fatalf("got %q, %v", line, err)
				}
			}
			c.Close()
			<-gone
			want := statusClientGone
			if begun {
				want = 200
			}
			if event := h.events.next(t); event.Status != want || event.Decision != "allow" {
				t.Errorf("event %+v, want status %d", event, want)
			}
			mu.Lock()
			defer mu.Unlock()
			if log.Len() != 0 {
				t.Errorf("log: %s", log.String())
			}
		})
	}
}

// TestClientThatBreaksOffItsBody: the upstream is not to blame, and no second
// request is read from what follows.
func TestClientThatBreaksOffItsBody(t *testing.T) {
	var log bytes.Buffer
	var mu sync.Mutex
	h := application(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }), func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil))
	})
	for _, request := range []string{
		"POST / HTTP/1.1\r\nHost: " + publicHost + "\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nGET / HTTP/1.1\r\nHost: " + publicHost + "\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: " + publicHost + "\r\nContent-Length: 100\r\n\r\nshort",
	} {
		c, err := net.Dial("tcp", h.addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = io.WriteString(c, request)
		_ = c.(*net.TCPConn).CloseWrite()
		if answer, _ := io.ReadAll(c); strings.Contains(string(answer), "200") {
			t.Errorf("answer %q", answer)
		}
		c.Close()
		if event := h.events.next(t); event.Status != statusClientGone {
			t.Errorf("event %+v", event)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if log.Len() != 0 {
		t.Errorf("log: %s", log.String())
	}
}

// TestClientThatNeverSendsItsBody must not keep a connection here and one to the
// upstream for ever, of which anybody could take all there are.
func TestClientThatNeverSendsItsBody(t *testing.T) {
	h := application(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }), nil)
	h.bodyTimeout(300 * time.Millisecond)
	for _, head := range []string{
		"Content-Length: 100\r\n\r\nshort", "Content-Length: 100\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
	} {
		c, err := net.Dial("tcp", h.addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: "+publicHost+"\r\n"+head)
		if answer, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") || !strings.Contains(string(answer), "Connection: close\r\n") {
			t.Errorf("%q: got %q, %v; want 408 and the connection's end", head, answer, err)
		}
		c.Close()
		if event := h.events.next(t); event.Status != http.StatusRequestTimeout || event.Reason != ReasonTooSlow {
			t.Errorf("%q: event %+v", head, event)
		}
	}
}

// TestSlowBodiesPass is the positive twin: whoever sends something now and then may
// take longer than that, and so may an upstream, and a conversation.
func TestSlowBodiesPass(t *testing.T) {
	const idle = 300 * time.Millisecond
	h := application(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		if r.URL.Path == "/talk" {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
		}
		b, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/think" {
			time.Sleep(2 * idle)
		}
		fmt.Fprintf(w, "got %s", b)
	}), nil)
	h.bodyTimeout(idle)
	for target, pauses := range map[string][]time.Duration{
		"/":      {idle / 2, idle / 2, idle / 2, idle / 2, idle / 2},
		"/think": {0},
		"/talk":  {0, 2 * idle},
	} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			in, out := io.Pipe()
			go func() {
				for _, pause := range pauses {
					time.Sleep(pause)
					_, _ = io.WriteString(out, "x")
				}
				out.Close()
			}()
			want := "got " + strings.Repeat("x", len(pauses))
			req, _ := http.NewRequest("POST", base+target, in)
			res, err := h.client(t).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if b, err := io.ReadAll(res.Body); err != nil || string(b) != want {
				t.Errorf("got %q, %v; want %q", b, err, want)
			}
		})
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// TestUpstreamThatBreaksOff: the client sees a broken answer, not a short one.
func TestUpstreamThatBreaksOff(t *testing.T) {
	h := application(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "begin")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}), nil)
	res, err := h.client(t).Get(base + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("the answer ends well after %q", b)
	}
	if event := h.events.next(t); event.Status != 200 {
		t.Errorf("event %+v", event)
	}
}

// TestUpstreamWithAStatusThatIsNone: net/http reads it, and panics when it is to
// write it.
func TestUpstreamWithAStatusThatIsNone(t *testing.T) {
	u := newWire(t)
	h := openHouse(t, u)
	for status, want := range map[string]int{"000": 502, "042": 502, "099": 502, "200": 200, "299": 299, "999": 999} {
		u.say("HTTP/1.1 " + status + " Odd\r\nContent-Length: 0\r\n\r\n")
		res := h.get(t, "/public/")
		if res.StatusCode != want || len(res.Header.Values("X-Request-Id")) != 1 {
			t.Errorf("%s: got %d %v, want %d", status, res.StatusCode, res.Header, want)
		}
		if event := h.events.next(t); event.Status != want {
			t.Errorf("%s: event status %d, want %d", status, event.Status, want)
		}
	}
}

// TestAnswersThatCannotBeReadAreNotLogged: net/http quotes them in its errors, and
// they may hold anything, a megabyte of it.
func TestAnswersThatCannotBeReadAreNotLogged(t *testing.T) {
	const secret = "sesame"
	for name, answer := range map[string]string{
		"no HTTP at all":         strings.Repeat(secret, 100000) + "\r\n\r\n",
		"a status that is none":  "HTTP/1.1 " + secret + " OK\r\n\r\n",
		"a header without colon": "HTTP/1.1 200 OK\r\nSet-Cookie id=\"" + secret + "\"\r\n\r\n",
		"a folded first header":  "HTTP/1.1 200 OK\r\n " + secret + "\r\n\r\n",
		"an unknown encoding":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + secret + "\r\n\r\n",
		"a length that is none":  "HTTP/1.1 200 OK\r\nContent-Length: " + secret + "\r\n\r\n",
		"a bad trailer":          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nSet-Cookie id=" + secret + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			var mu sync.Mutex
			u := newWire(t)
			u.say(answer)
			h := build(t, []Route{{Path: "/", Allow: newRules(t).of("public"), Upstream: u.upstream()}}, func(c *Config) {
				c.Log = slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil))
			})
			if res, err := h.client(t).Get(base + "/"); err == nil {
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
			h.events.next(t)
			mu.Lock()
			defer mu.Unlock()
			if log.Len() == 0 || log.Len() > 1000 || strings.Contains(log.String(), secret) {
				t.Errorf("log of %d bytes: %.500s", log.Len(), log.String())
			}
		})
	}
}

// TestConnectionsToAnUpstreamAreReused: two idle connections for 32 clients would
// mean a new one for most requests.
func TestConnectionsToAnUpstreamAreReused(t *testing.T) {
	var opened atomic.Int64
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "ok") }))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	srv.Start()
	defer srv.Close()
	u, _ := url.Parse(srv.URL)
	h := build(t, []Route{{Path: "/", Allow: newRules(t).of("public"), Upstream: &Upstream{Name: "x", URLs: []*url.URL{u}}}}, nil)
	defer h.proxy.Close()
	var wg sync.WaitGroup
	for range 16 {
		client := h.client(t)
		wg.Go(func() {
			for range 50 {
				res, err := client.Get(base + "/")
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		})
	}
	wg.Wait()
	if n := opened.Load(); n > 32 {
		t.Errorf("%d connections for 800 requests of 16 clients", n)
	}
}

func TestUpstreamURLs(t *testing.T) {
	for raw, fine := range map[string]bool{
		"http://127.0.0.1:8000": true, "https://app.internal/": true, "http://[::1]:80": true, "h2c://127.0.0.1:50051": true, "unix:/run/app.sock": true, "unix:///run/app.sock": true,
		"": false, "127.0.0.1:8000": false, "ftp://x": false, "http://": false, "http://:80": false, "http://user@x": false, "http://x/path": false, "http://x/?q": false, "http://x?": false, "http:x": false, "unix:run/x": false, "unix://run/x": false, "unix:/": false, "unix:/run/x?q": false,
	} {
		u, err := url.Parse(raw)
		if err != nil {
			u = nil
		}
		if err := CheckUpstream(u); (err == nil) != fine {
			t.Errorf("CheckUpstream(%q) = %v, want fine: %v", raw, err, fine)
		}
	}
}

// TestHTTPSAndHTTP2 walks through TLS on the client's side: what the upstream hears
// of the scheme follows, and an unread body ends the stream only.
func TestHTTPSAndHTTP2(t *testing.T) {
	u := newWire(t)
	h := openHouse(t, u)
	srv := httptest.NewUnstartedServer(h.proxy)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	tr := srv.Client().Transport.(*http.Transport).Clone()
	defer tr.CloseIdleConnections()
	var opened atomic.Int64
	dial := tr.DialContext
	tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		opened.Add(1)
		if dial == nil {
			return new(net.Dialer).DialContext(ctx, network, srv.Listener.Addr().String())
		}
		return dial(ctx, network, srv.Listener.Addr().String())
	}
	client := &http.Client{Transport: tr}
	do := func(method, target string, body io.Reader) *http.Response {
		req, err := http.NewRequest(method, srv.URL+"/", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = publicHost
		req.URL.Opaque = target
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.ProtoMajor != 2 {
			t.Fatalf("protocol %s, want HTTP/2", res.Proto)
		}
		return res
	}
	if res := do("GET", "/public/a%20b?x=%zz;y", nil); res.StatusCode != 200 {
		t.Errorf("got %d", res.StatusCode)
	}
	head := u.one(t)
	if targetOf(head) != "/public/a%20b?x=%zz;y" || !cmp.Equal(values(head, "X-Forwarded-Proto"), []string{"https"}) || !cmp.Equal(values(head, "Host"), []string{publicHost}) {
		t.Errorf("the upstream got\n%s", head)
	}
	for range 3 {
		if res := do("POST", "/x", strings.NewReader(strings.Repeat("x", 100000))); res.StatusCode != 401 || res.Header.Get("Connection") != "" {
			t.Errorf("got %d, Connection %q", res.StatusCode, res.Header.Get("Connection"))
		}
	}
	if res := do("GET", "/public/../x", nil); res.StatusCode != 400 {
		t.Errorf("dot segment: got %d", res.StatusCode)
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// TestPlainHTTPSchemeIsThePublicOne: TLS may end in front of claimproxy, and on
// loopback there is none.
func TestPlainHTTPSchemeIsThePublicOne(t *testing.T) {
	for _, scheme := range []string{"https", "http"} {
		u := newWire(t)
		h := build(t, []Route{{Path: "/", Allow: newRules(t).of("public"), Upstream: u.upstream()}}, func(c *Config) {
			c.PublicURL = &url.URL{Scheme: scheme, Host: publicHost}
		})
		h.get(t, "/")
		if got := values(u.one(t), "X-Forwarded-Proto"); !cmp.Equal(got, []string{scheme}) {
			t.Errorf("got %q, want %q", got, scheme)
		}
	}
}

// TestUpstreamThatAnswersBeforeTheBodyEnds: its answer is passed on at once, and the
// connection serves no second request when the rest of the body does not come.
func TestUpstreamThatAnswersBeforeTheBodyEnds(t *testing.T) {
	h := application(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		_, _ = io.WriteString(w, "too much")
	}), nil)
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: "+publicHost+"\r\nContent-Length: 10000000\r\n\r\n"+strings.Repeat("x", 5000))
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 413 || string(b) != "too much" {
		t.Errorf("got %d %q, %v", res.StatusCode, b, err)
	}
	_ = c.(*net.TCPConn).CloseWrite()
	if n, _ := io.Copy(io.Discard, c); n != 0 {
		t.Errorf("%d bytes follow the answer", n)
	}
}

// TestBodiesKeepTheConnection is the positive twin.
func TestBodiesKeepTheConnection(t *testing.T) {
	h := application(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }), nil)
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	br := bufio.NewReader(c)
	for i, request := range []string{
		"POST / HTTP/1.1\r\nHost: " + publicHost + "\r\nContent-Length: 4\r\n\r\nbody",
		"POST / HTTP/1.1\r\nHost: " + publicHost + "\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: " + publicHost + "\r\nContent-Length: 0\r\n\r\n",
		"PUT / HTTP/1.1\r\nHost: " + publicHost + "\r\nContent-Length: 4\r\n\r\nbody",
	} {
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		want := map[bool]string{true: "", false: "body"}[i == 2]
		if err != nil || res.StatusCode != 200 || string(b) != want || res.Close {
			t.Errorf("request %d: got %d %q, %v, closes: %v", i, res.StatusCode, b, err, res.Close)
		}
	}
}
