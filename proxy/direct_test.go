package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// script is an upstream that says on each connection exactly what a test wants. play is
// called for each connection, with its number; the connection is closed when it returns.
type script struct {
	t      *testing.T
	direct *direct
	base   string
	urls   []*url.URL
	conns  atomic.Int64
}

// played is a connection of a script.
type played struct {
	net.Conn
	in *bufio.Reader
	n  int64 // from 1
}

// head reads a request and returns its head, empty when there is none any more.
func (p *played) head() string {
	var head strings.Builder
	for {
		line, err := p.in.ReadString('\n')
		head.WriteString(line)
		if err != nil {
			return ""
		}
		if line == "\r\n" {
			return head.String()
		}
	}
}

func (p *played) say(text string) { _, _ = io.WriteString(p.Conn, text) }

func newScript(t *testing.T, timeout time.Duration, play func(p *played)) *script {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &script{t: t, base: "http://" + l.Addr().String()}
	var connections Connections
	u, _ := url.Parse(s.base)
	s.urls = []*url.URL{u}
	c := connections.take(&Upstream{URLs: []*url.URL{u}, Timeout: timeout})
	s.direct = c.servers[0].direct
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			n := s.conns.Add(1)
			all.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
				play(&played{conn, bufio.NewReader(conn), n})
			})
		}
	})
	t.Cleanup(func() {
		connections.release(c)
		l.Close()
		all.Wait()
	})
	return s
}

// ask sends a request and returns what the answer is: its status and body, or an error.
func (s *script) ask(method, path string, lines ...string) (string, error) {
	s.t.Helper()
	return s.askIn(s.t.Context(), method, path, lines...)
}

func (s *script) askIn(ctx context.Context, method, path string, lines ...string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, method, s.base+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		r.Header.Set(name, value)
	}
	if !s.direct.takes(r) {
		s.t.Fatalf("%s does not go the short way", method)
	}
	res, err := s.direct.RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d %s", res.StatusCode, body), nil
}

func (s *script) want(method, path, want string) {
	s.t.Helper()
	if got, err := s.ask(method, path); got != want || err != nil {
		s.t.Errorf("%s %s: got %q and the error %v, want %q", method, path, got, err, want)
	}
}

func (s *script) wantConns(want int64) {
	s.t.Helper()
	if got := s.conns.Load(); got != want {
		s.t.Errorf("got %d connections, want %d", got, want)
	}
}

func ok(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// TestNoAnswerIsAnotherRequests: whatever an upstream says beyond the answer that it
// owes, before the next request, at once or a while later, is nobody's; the next request
// gets its own (response queue poisoning).
func TestNoAnswerIsAnotherRequests(t *testing.T) {
	evil := ok("evil")
	for name, test := range map[string]struct {
		method, answer, want string
	}{
		"behind a length":          {"GET", ok("mine") + evil, "200 mine"},
		"a byte":                   {"GET", ok("mine") + "x", "200 mine"},
		"a line":                   {"GET", ok("mine") + "\r\n", "200 mine"},
		"behind chunks":            {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmine\r\n0\r\n\r\n" + evil, "200 mine"},
		"behind trailers":          {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmine\r\n0\r\nA: b\r\n\r\n" + evil, "200 mine"},
		"behind no body":           {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + evil, "200 "},
		"behind 204":               {"GET", "HTTP/1.1 204 No Content\r\n\r\n" + evil, "204 "},
		"a body of 204":            {"GET", "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil", "204 "},
		"behind 304":               {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n" + evil, "304 "},
		"a body of HEAD":           {"HEAD", ok("evil"), "200 "},
		"chunks of HEAD":           {"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n", "200 "},
		"length and chunks":        {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmine\r\n0\r\n\r\n" + evil, "200 mine"},
		"an answer without an end": {"GET", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nmine", "200 mine"},
	} {
		for _, later := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, later %t", name, later), func(t *testing.T) {
				read, said := make(chan struct{}), make(chan struct{})
				s := newScript(t, 0, func(p *played) {
					p.head()
					if p.n > 1 {
						p.say(ok("second"))
						return
					}
					answer, rest := test.answer, ""
					if i := strings.LastIndex(answer, evil); later && i > 0 {
						answer, rest = answer[:i], answer[i:]
					}
					p.say(answer)
					if rest != "" {
						<-read
						p.say(rest)
					}
					close(said)
					if !strings.Contains(answer, "close") {
						p.head()
					}
				})
				s.want(test.method, "/first", test.want)
				close(read)
				<-said
				s.want("GET", "/second", "200 second")
				s.wantConns(2)
			})
		}
	}
}

// TestConnectionsAreUsedAgain, which is what the above must not have broken.
func TestConnectionsAreUsedAgain(t *testing.T) {
	answers := map[string]string{
		"/length": ok("x"), "/empty": ok(""), "/204": "HTTP/1.1 204 No Content\r\n\r\n", "/304": "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n",
		"/chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nA: b\r\n\r\n", "/early": "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + ok("x"),
		"/large": ok(strings.Repeat("x", 1<<20)),
	}
	s := newScript(t, 0, func(p *played) {
		for head := p.head(); head != ""; head = p.head() {
			answer := answers[strings.Fields(head)[1]]
			if strings.HasPrefix(head, "HEAD") {
				answer, _, _ = strings.Cut(answer, "\r\n\r\n")
				answer += "\r\n\r\n"
			}
			p.say(answer)
		}
	})
	for range 3 {
		for path := range answers {
			if _, err := s.ask("GET", path); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			if path != "/early" {
				if _, err := s.ask("HEAD", path); err != nil {
					t.Errorf("HEAD %s: %v", path, err)
				}
			}
		}
	}
	s.wantConns(1)
}

// TestConnectionsThatPromiseAnEndAreNotUsedAgain.
func TestConnectionsThatPromiseAnEndAreNotUsedAgain(t *testing.T) {
	for name, answer := range map[string]string{
		"Connection: close": "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
		"among others":      "HTTP/1.1 200 OK\r\nConnection: foo, Close\r\nContent-Length: 1\r\n\r\nx",
		"HTTP/1.0":          "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, 0, func(p *played) {
				for p.head() != "" { // it would answer on
					p.say(answer)
				}
			})
			s.want("GET", "/", "200 x")
			s.want("GET", "/", "200 x")
			s.wantConns(2)
		})
	}
}

// TestWhatIsSentAgain: a request is sent a second time only when a connection that had
// been idle ended without a byte of an answer.
func TestWhatIsSentAgain(t *testing.T) {
	reset := func(p *played) { _ = p.Conn.(*net.TCPConn).SetLinger(0) }
	for name, test := range map[string]struct {
		// then is what becomes of the first connection after its first answer.
		then  func(p *played)
		again bool
	}{
		"closed while idle":      {func(*played) {}, true},
		"reset while idle":       {reset, true},
		"closed at the request":  {func(p *played) { p.head() }, true},
		"reset at the request":   {func(p *played) { p.head(); reset(p) }, true},
		"closed after a byte":    {func(p *played) { p.head(); p.say("H") }, false},
		"closed in the header":   {func(p *played) { p.head(); p.say("HTTP/1.1 200 OK\r\nA:") }, false},
		"closed after 1xx":       {func(p *played) { p.head(); p.say("HTTP/1.1 103 Early Hints\r\n\r\n") }, false},
		"no HTTP":                {func(p *played) { p.head(); p.say("SSH-2.0-x\r\n\r\n") }, false},
		"closed in the body":     {func(p *played) { p.head(); p.say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx") }, false},
		"chunks that are broken": {func(p *played) { p.head(); p.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n") }, false},
		"two lengths": {func(p *played) {
			p.head()
			p.say("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx")
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			over := make(chan struct{})
			s := newScript(t, 0, func(p *played) {
				if p.head() == "" {
					return
				}
				if p.n == 1 {
					p.say(ok("first"))
					test.then(p)
					p.Conn.Close()
					close(over)
					return
				}
				p.say(ok("second"))
				p.head()
			})
			s.want("GET", "/", "200 first")
			if strings.Contains(name, "idle") {
				<-over
			}
			if test.again {
				s.want("GET", "/", "200 second")
				s.wantConns(2)
				return
			}
			if got, err := s.ask("GET", "/"); err == nil {
				t.Errorf("got %q, want an error", got)
			}
			s.wantConns(1)
			s.want("GET", "/", "200 second")
		})
	}
}

// TestANewConnectionIsTriedOnce: an upstream that hangs up on a request does not get it
// again and again.
func TestANewConnectionIsTriedOnce(t *testing.T) {
	s := newScript(t, 0, func(p *played) { p.head() })
	if got, err := s.ask("GET", "/"); err == nil {
		t.Errorf("got %q", got)
	}
	s.wantConns(1)
}

func TestInformationalAnswersAreBounded(t *testing.T) {
	s := newScript(t, 0, func(p *played) {
		head := p.head()
		if strings.Contains(head, "/flood") {
			for range maxUpstreamHeader {
				if _, err := io.WriteString(p.Conn, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"); err != nil {
					return
				}
			}
		}
		p.say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok("x"))
	})
	var told []int
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		told = append(told, code)
		return nil
	}})
	if got, err := s.askIn(ctx, "GET", "/"); got != "200 x" || err != nil || len(told) != 1 || told[0] != 103 {
		t.Errorf("got %q, %v, told %v", got, err, told)
	}
	if _, err := s.ask("GET", "/flood"); !errors.Is(err, errLongHeader) {
		t.Errorf("got %v, want %v", err, errLongHeader)
	}
	refuses := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error { return io.ErrClosedPipe }})
	if _, err := s.askIn(refuses, "GET", "/"); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}

func TestAnUpstreamDoesNotSwitchProtocolsOnTheShortWay(t *testing.T) {
	s := newScript(t, 0, func(p *played) {
		p.head()
		p.say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")
		p.head()
	})
	if got, err := s.ask("GET", "/"); err == nil {
		t.Errorf("got %q", got)
	}
}

func TestLongHeaders(t *testing.T) {
	s := newScript(t, 0, func(p *played) {
		head := p.head()
		size := maxUpstreamHeader - 1000
		if strings.Contains(head, "/endless") {
			size = 1 << 40
		}
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nA: ")
		block := strings.Repeat("a", 1000)
		for ; size > 0; size -= len(block) {
			if _, err := io.WriteString(p.Conn, block[:min(size, len(block))]); err != nil {
				return
			}
		}
		p.say("\r\n\r\nx")
	})
	s.want("GET", "/", "200 x")
	if _, err := s.ask("GET", "/endless"); !errors.Is(err, errLongHeader) {
		t.Errorf("got %v, want %v", err, errLongHeader)
	}
}

func TestTrailersOfAnAnswer(t *testing.T) {
	s := newScript(t, 0, func(p *played) {
		p.head()
		p.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n1\r\nx\r\n0\r\nA: b\r\n\r\n")
	})
	r, _ := http.NewRequestWithContext(t.Context(), "GET", s.base, nil)
	res, err := s.direct.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.ReadAll(res.Body); err != nil || res.Trailer.Get("A") != "b" {
		t.Errorf("got %v and %v", res.Trailer, err)
	}
}

// TestAnAnswerToHalfARequest: a server that finds a header too long says so, reads no
// further, and hangs up.
func TestAnAnswerToHalfARequest(t *testing.T) {
	s := newScript(t, 0, func(p *played) {
		_, _ = io.ReadFull(p.in, make([]byte, 1000))
		p.say("HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 4\r\n\r\nlong")
		_ = p.Conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, p.in)
	})
	if got, err := s.ask("GET", "/", "X: "+strings.Repeat("x", 100<<10)); got != "431 long" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAnUpstreamThatTakesTooLong(t *testing.T) {
	s := newScript(t, 20*time.Millisecond, func(p *played) {
		if head := p.head(); strings.Contains(head, "/slow") {
			p.say("HTTP/1.1 200 OK\r\n")
			p.head()
		}
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na")
		time.Sleep(60 * time.Millisecond) // the time is for the header alone
		p.say("b")
		p.head()
	})
	s.want("GET", "/", "200 ab")
	_, err := s.ask("GET", "/slow")
	if !isTimeout(err) {
		t.Errorf("got %v, want a timeout", err)
	}
}

// TestAClientThatGoesAwayEndsTheConnection: before the answer, in its header, in its
// body. The upstream notices, and the connection is used by nobody else.
func TestAClientThatGoesAwayEndsTheConnection(t *testing.T) {
	for name, say := range map[string]string{"before": "", "header": "HTTP/1.1 200 OK\r\n", "body": "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", "chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"} {
		t.Run(name, func(t *testing.T) {
			ctx, leave := context.WithCancel(t.Context())
			noticed := make(chan error, 1)
			s := newScript(t, 0, func(p *played) {
				p.head()
				if p.n > 1 {
					p.say(ok("second"))
					return
				}
				p.say(say)
				time.AfterFunc(5*time.Millisecond, leave)
				_, err := p.in.ReadByte()
				noticed <- err
			})
			if _, err := s.askIn(ctx, "GET", "/"); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want %v", err, context.Canceled)
			}
			if err := <-noticed; err == nil || isTimeout(err) {
				t.Errorf("the upstream noticed %v", err)
			}
			s.want("GET", "/", "200 second")
		})
	}
	ctx, leave := context.WithCancel(t.Context())
	leave()
	s := newScript(t, 0, func(p *played) { p.head() })
	if _, err := s.askIn(ctx, "GET", "/"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestAnAnswerThatNobodyReadsEndsTheConnection: it is not read to its end to save the
// connection, as that end may never come.
func TestAnAnswerThatNobodyReadsEndsTheConnection(t *testing.T) {
	noticed := make(chan error, 1)
	s := newScript(t, 0, func(p *played) {
		p.head()
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nx")
		_, err := p.in.ReadByte()
		noticed <- err
	})
	r, _ := http.NewRequestWithContext(t.Context(), "GET", s.base, nil)
	res, err := s.direct.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	res.Body.Close()
	if n, err := res.Body.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("a closed body gave %d bytes, %v", n, err)
	}
	if err := <-noticed; err == nil || isTimeout(err) {
		t.Errorf("the upstream noticed %v", err)
	}
}

func TestIdleConnectionsGrowOld(t *testing.T) {
	s := newScript(t, 0, func(p *played) {
		for p.head() != "" {
			p.say(ok(fmt.Sprint(p.n)))
		}
	})
	var now atomic.Int64
	now.Store(time.Now().Unix())
	s.direct.now = func() time.Time { return time.Unix(now.Load(), 0) }
	s.direct.timeout = time.Hour
	s.want("GET", "/", "200 1")
	now.Add(59)
	s.want("GET", "/", "200 1")
	now.Add(60)
	s.direct.clean()
	if n := len(s.direct.idle); n != 0 {
		t.Errorf("%d old connections are kept", n)
	}
	s.want("GET", "/", "200 2")
	now.Add(60)
	s.want("GET", "/", "200 3")
}

// TestNothingIsKeptAfterClose: neither what was idle, nor what comes back.
func TestNothingIsKeptAfterClose(t *testing.T) {
	s := newScript(t, 0, func(p *played) {
		for p.head() != "" {
			p.say(ok("x"))
		}
	})
	r, _ := http.NewRequestWithContext(t.Context(), "GET", s.base, nil)
	busy, err := s.direct.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	s.want("GET", "/", "200 x")
	s.direct.close()
	if body, err := io.ReadAll(busy.Body); string(body) != "x" || err != nil {
		t.Errorf("got %q, %v", body, err)
	}
	if n := len(s.direct.idle); n != 0 || s.direct.sweep != nil {
		t.Errorf("%d connections are kept", n)
	}
}

func TestWhatGoesTheShortWay(t *testing.T) {
	var d direct
	for name, test := range map[string]struct {
		change func(r *http.Request)
		want   bool
	}{
		"GET":      {func(*http.Request) {}, true},
		"HEAD":     {func(r *http.Request) { r.Method = "HEAD" }, true},
		"POST":     {func(r *http.Request) { r.Method = "POST" }, false},
		"DELETE":   {func(r *http.Request) { r.Method = "DELETE" }, false},
		"a body":   {func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("x")) }, false},
		"a length": {func(r *http.Request) { r.ContentLength = -1 }, false},
		"chunks":   {func(r *http.Request) { r.TransferEncoding = []string{"chunked"} }, false},
		"trailers": {func(r *http.Request) { r.Trailer = http.Header{"A": nil} }, false},
		"the end":  {func(r *http.Request) { r.Close = true }, false},
		"Upgrade":  {func(r *http.Request) { r.Header.Set("Upgrade", "websocket") }, false},
		"Expect":   {func(r *http.Request) { r.Header.Set("Expect", "100-continue") }, false},
		"TE":       {func(r *http.Request) { r.Header.Set("TE", "trailers") }, false},
		"options":  {func(r *http.Request) { r.Header.Set("Connection", "x") }, false},
	} {
		r, _ := http.NewRequest("GET", "http://a.example/", nil)
		test.change(r)
		if got := d.takes(r); got != test.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
	https, _ := url.Parse("https://a.example")
	plain, _ := url.Parse("http://[::1]")
	var connections, standard Connections
	standard.Standard = true
	if c := connections.take(&Upstream{URLs: []*url.URL{https}}); c.servers[0].direct != nil {
		t.Error("TLS goes the short way")
	}
	if c := connections.take(&Upstream{URLs: []*url.URL{plain}}); c.servers[0].direct == nil || c.servers[0].direct.addr != "[::1]:80" {
		t.Errorf("got %+v", c.servers[0].direct)
	}
	if c := standard.take(&Upstream{URLs: []*url.URL{plain}}); c.servers[0].direct != nil {
		t.Error("the switch does not switch")
	}
}

// TestManyAtATime: each request gets its own answer, whatever the others do with theirs.
func TestManyAtATime(t *testing.T) {
	s := newScript(t, 0, func(p *played) {
		for head := p.head(); head != ""; head = p.head() {
			path := strings.Fields(head)[1]
			switch rand.IntN(8) {
			case 0:
				p.say("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + path)
				return
			case 1:
				p.say(ok(path) + ok("evil"))
			case 2:
				p.say(ok(path))
				return
			case 3:
				p.say(fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(path), path))
			default:
				p.say(ok(path))
			}
		}
	})
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for j := range 100 {
				ctx, cancel := context.WithCancel(t.Context())
				if j%7 == 0 {
					time.AfterFunc(time.Duration(rand.IntN(300))*time.Microsecond, cancel)
				}
				path := fmt.Sprintf("/%d/%d", i, j)
				got, err := s.askIn(ctx, "GET", path)
				if err == nil && got != "200 "+path || err != nil && ctx.Err() == nil {
					t.Errorf("%s: got %q, %v", path, got, err)
				}
				cancel()
			}
		})
	}
	all.Wait()
}
