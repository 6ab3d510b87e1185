package proxy

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRequestsWithTwoReadings sends what peers were led to read as another number of
// requests, or other headers, than the servers behind them (trap 10, class SMG).
// net/http refuses most of it; the rest reaches the upstream in one reading.
func TestRequestsWithTwoReadings(t *testing.T) {
	u := newWire(t)
	h := openHouse(t, u)
	const host = "Host: " + publicHost + "\r\n"
	for name, test := range map[string]struct {
		request string
		status  int
		// check looks at the one head that reached the upstream, if the status is 200.
		check func(t *testing.T, head string)
	}{
		"two lengths": {"POST /public/ HTTP/1.1\r\n" + host + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody5", 400, nil},
		"length and chunked": {"POST /public/ HTTP/1.1\r\n" + host + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", 200, func(t *testing.T, head string) {
			if values(head, "Content-Length") != nil || !cmp.Equal(values(head, "Transfer-Encoding"), []string{"chunked"}) {
				t.Errorf("the upstream got both, or neither:\n%s", head)
			}
		}},
		"encoding that only ends alike": {"POST /public/ HTTP/1.1\r\n" + host + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501, nil},
		"encoding twice":                {"POST /public/ HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 501, nil},
		"negative length":               {"POST /public/ HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n", 400, nil},
		"length with a sign":            {"POST /public/ HTTP/1.1\r\n" + host + "Content-Length: +4\r\n\r\nbody", 400, nil},
		"blank before the colon":        {"GET /public/ HTTP/1.1\r\n" + host + "X-Forwarded-User : admin\r\n\r\n", 400, nil},
		"NUL in a value":                {"GET /public/ HTTP/1.1\r\n" + host + "X-A: b\x00c\r\n\r\n", 400, nil},
		"carriage return in a value":    {"GET /public/ HTTP/1.1\r\n" + host + "X-A: b\rX-Forwarded-User: admin\r\n\r\n", 400, nil},
		"letters outside ASCII":         {"GET /public/ HTTP/1.1\r\n" + host + "X-Forwarded-\xc3\x9cser: admin\r\n\r\n", 400, nil},
		"folded line": {"GET /public/ HTTP/1.1\r\n" + host + "X-A: b\r\n X-Forwarded-User: admin\r\n\r\n", 200, func(t *testing.T, head string) {
			if values(head, "X-Forwarded-User") != nil || !cmp.Equal(values(head, "X-A"), []string{"b X-Forwarded-User: admin"}) {
				t.Errorf("the upstream got\n%s", head)
			}
		}},
		"bare line feeds": {"GET /public/ HTTP/1.1\nHost: " + publicHost + "\nX-A: b\nX-Forwarded-User: admin\n\n", 200, func(t *testing.T, head string) {
			if strings.Contains(head, "admin") || strings.Count(head, "\n") != strings.Count(head, "\r\n") {
				t.Errorf("the upstream got\n%q", head)
			}
		}},
		"unknown version": {"GET /public/ HTTP/3.0\r\n" + host + "\r\n", 505, nil},
	} {
		t.Run(name, func(t *testing.T) {
			res := h.raw(t, test.request)
			if res.StatusCode != test.status {
				t.Errorf("got %d, want %d", res.StatusCode, test.status)
			}
			if test.status != 200 {
				u.none(t)
				return
			}
			test.check(t, u.one(t))
		})
	}
}

// TestPipelinedRequestsAreDecidedOneByOne: what follows a public request on its
// connection is no less a request.
func TestPipelinedRequestsAreDecidedOneByOne(t *testing.T) {
	u := newWire(t)
	h := openHouse(t, u)
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	const host = "Host: " + publicHost + "\r\n"
	_, _ = io.WriteString(c, "POST /public/ HTTP/1.1\r\n"+host+"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"+
		"GET /admin/ HTTP/1.1\r\n"+host+"\r\n"+
		"GET /x HTTP/1.1\r\n"+host+"Authorization: Bearer jane\r\n\r\n"+
		"GET /public/2 HTTP/1.1\r\n"+host+"Connection: close\r\n\r\n")
	br := bufio.NewReader(c)
	for i, want := range []int{200, 403, 200, 200} {
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		if res.StatusCode != want {
			t.Errorf("answer %d: got %d, want %d", i, res.StatusCode, want)
		}
		if res.Close {
			// Length and chunked together end the connection: nothing that follows
			// is read at all.
			return
		}
	}
}

// TestTheRestOfABodyIsNotReadAsARequest: an upstream that answers early leaves the
// body half read. Whatever comes of it afterwards is body, also when it looks like a
// request: a server in front of claimproxy, which shares the connection between its
// own clients, takes it for body, and would give the answer to somebody else
// (SMG-08, and the chunked reader of net/http, which stays broken once a read of it
// was cut off).
func TestTheRestOfABodyIsNotReadAsARequest(t *testing.T) {
	const smuggled = "GET /public/smuggled HTTP/1.1\r\nHost: " + publicHost + "\r\n\r\n"
	for name, test := range map[string]struct {
		head, after string
	}{
		"inside a chunk":      {"Transfer-Encoding: chunked\r\n\r\n1000\r\nabc", smuggled},
		"in place of a chunk": {"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", smuggled},
		"after a bad chunk":   {"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "zz\r\n" + smuggled},
		"inside a length":     {"Content-Length: 1000\r\n\r\nabc", smuggled},
		"after the length":    {"Content-Length: 10\r\n\r\nabc", "defghij" + smuggled},
		"after the last one":  {"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "0\r\n\r\n" + smuggled},
		"nothing comes":       {"Content-Length: 1000\r\n\r\nabc", ""},
		"nor a chunk":         {"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			var mu sync.Mutex
			h, seen := earlyHouse(t, lockedWriter{&mu, &log})
			c, err := net.Dial("tcp", h.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(5 * time.Second))
			_, _ = io.WriteString(c, "POST /public/ HTTP/1.1\r\nHost: "+publicHost+"\r\n"+test.head)
			br := bufio.NewReader(c)
			res, err := http.ReadResponse(br, nil)
			if err != nil {
				t.Fatal(err)
			}
			b := make([]byte, len("early"))
			if _, err := io.ReadFull(res.Body, b); err != nil || string(b) != "early" || res.StatusCode != 200 {
				t.Errorf("got %d %q, %v; want the early answer", res.StatusCode, b, err)
			}
			if !res.Close {
				t.Error("the answer does not say that the connection closes")
			}
			_, _ = io.WriteString(c, test.after)
			// Also when nothing comes any more the connection ends, and soon.
			rest, err := io.ReadAll(br)
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Error("the connection stays open")
			}
			if len(rest) != 0 {
				t.Errorf("after the answer came %q", rest)
			}
			if got := seen(); len(got) != 1 {
				t.Errorf("the upstream got %q, want one request", got)
			}
			mu.Lock()
			defer mu.Unlock()
			if log.Len() != 0 {
				t.Errorf("log: %s", log.String())
			}
		})
	}
}

// earlyHouse has an upstream that answers when it has seen the head, and does not
// read the body. What net/http has to say about the connection goes to log.
func earlyHouse(t *testing.T, log io.Writer) (h *house, seen func() []string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var targets []string
	var all sync.WaitGroup
	done := make(chan struct{})
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				br := bufio.NewReader(c)
				req, err := http.ReadRequest(br)
				if err != nil {
					return
				}
				mu.Lock()
				targets = append(targets, req.RequestURI)
				mu.Unlock()
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly")
				<-done
			})
		}
	})
	t.Cleanup(func() {
		close(done)
		l.Close()
		all.Wait()
	})
	up := &Upstream{Name: "early", URLs: []*url.URL{&url.URL{Scheme: "http", Host: l.Addr().String()}}}
	h = build(t, []Route{{Path: "/public/", Allow: newRules(t).of("public"), Upstream: up}}, nil)
	h.server.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(log, nil), slog.LevelError)
	return h, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return targets
	}
}
