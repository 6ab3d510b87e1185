package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// FuzzDirect lets an upstream answer anything, and holds what the short way makes of it
// against what http.Transport does: the same status, header, body and trailers, or an
// error from both. Whatever it was, the next request gets its own answer.
func FuzzDirect(f *testing.F) {
	for _, answer := range []string{
		ok("x"), ok(""), ok("x") + ok("evil"), "HTTP/1.0 200 OK\r\n\r\nx", "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n1;x=y\r\nx\r\n0\r\nA: b\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
		"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + ok("x"), "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 199 x\r\n\r\nHTTP/1.1 200\r\nConnection: close\r\n\r\nx",
		"HTTP/1.1 200 OK\nA: b\n c\nContent-Length: 1\n\nx", "HTTP/1.1 099 x\r\nContent-Length: 0\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "\r\n" + ok("x"), "", "H", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive, CLOSE\r\n\r\nx", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
	} {
		for _, head := range []bool{false, true} {
			f.Add(answer, head, false)
			f.Add(answer, head, true)
		}
	}
	world := newFuzzWorld(f)
	f.Fuzz(func(t *testing.T, answer string, head, stays bool) {
		if len(answer) > 16<<10 {
			return
		}
		world.now.Store(&fuzzAnswer{answer, stays})
		method := "GET"
		if head {
			method = "HEAD"
		}
		short := world.ask(world.short, method, "/first")
		if second := world.ask(world.short, "GET", "/second"); second != "200 map[Content-Length:[6]] \"second\" map[]" {
			t.Errorf("after %q: the next request got %s", answer, second)
		}
		long := world.ask(world.long, method, "/first")
		world.long.CloseIdleConnections()
		if short != long && !switches(long) {
			t.Errorf("%s %q:\nshort way %s\nTransport %s", method, answer, short, long)
		}
	})
}

// switches reports whether an answer is 101, which the short way takes for an error at
// once; elsewhere modifyResponse does.
func switches(answer string) bool { return strings.HasPrefix(answer, "101 ") }

// fuzzWorld is an upstream that gives one answer to every first request.
type fuzzWorld struct {
	base  string
	short *direct
	long  *http.Transport
	now   atomic.Pointer[fuzzAnswer]
}

type fuzzAnswer struct {
	text string
	// stays keeps the connection open for a moment after the answer.
	stays bool
}

func newFuzzWorld(f *testing.F) *fuzzWorld {
	// Of TCP ports there would not be enough.
	file := filepath.Join(f.TempDir(), "socket")
	l, err := net.Listen("unix", file)
	if err != nil {
		f.Fatal(err)
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", file)
	}
	w := &fuzzWorld{base: "http://a.example"}
	u, _ := url.Parse(w.base)
	w.long = newTransport(u, connectionKey{timeout: DefaultUpstreamTimeout}, nil)
	w.long.DialContext = dial
	w.short = newDirect(u, w.long, DefaultUpstreamTimeout)
	f.Cleanup(func() {
		l.Close()
		w.short.close()
		w.long.CloseIdleConnections()
	})
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go w.serve(conn)
		}
	}()
	return w
}

func (w *fuzzWorld) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		r, err := http.ReadRequest(in)
		switch {
		case err != nil:
			return
		case r.URL.Path == "/second":
			_, _ = io.WriteString(conn, ok("second"))
			continue
		}
		answer := w.now.Load()
		_, _ = io.WriteString(conn, answer.text)
		if !answer.stays {
			return
		}
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
	}
}

// ask tells all of an answer, or that there was an error.
func (w *fuzzWorld) ask(by http.RoundTripper, method, path string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, w.base+path, nil)
	if err != nil {
		return err.Error()
	}
	res, err := by.RoundTrip(r)
	if err != nil {
		return "error"
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusSwitchingProtocols {
		return "101 "
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Sprintf("%d %v %q, error", res.StatusCode, res.Header, body)
	}
	return fmt.Sprintf("%d %v %q %v", res.StatusCode, res.Header, body, res.Trailer)
}
