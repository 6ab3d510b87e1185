package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/proxy/limit"
)

// fort is a server on a guarding listener.
type fort struct {
	*httptest.Server
	limiter *limit.Limiter
	mu      sync.Mutex
	refused map[string]int // by limit
}

// from are the addresses that its clients have, in turn; none: their own.
func newFort(t *testing.T, limits limit.Limits, encrypted bool, from ...string) *fort {
	t.Helper()
	f := &fort{limiter: new(limit.Limiter), refused: map[string]int{}}
	f.limiter.Set(limits)
	f.limiter.Refused = func(which, _ string) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.refused[which]++
	}
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hijack" { // as what becomes a websocket
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
			_, _ = io.Copy(io.Discard, c)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "answer to "+r.URL.Path)
	}))
	if len(from) > 0 {
		f.Listener = &elsewhere{Listener: f.Listener, from: from}
	}
	f.Listener = guarding{f.Listener, f.limiter}
	f.Config.ReadHeaderTimeout, f.Config.IdleTimeout = 3*time.Second, 3*time.Second
	if len(from) > 0 {
		f.Config.IdleTimeout = time.Minute // it is about how many there are
	}
	f.Config.ConnState = guardState
	f.Config.Protocols = new(http.Protocols)
	f.Config.Protocols.SetHTTP1(true)
	f.Config.Protocols.SetHTTP2(encrypted)
	f.Config.Protocols.SetUnencryptedHTTP2(true)
	if encrypted {
		f.EnableHTTP2 = true
		f.StartTLS()
	} else {
		f.Start()
	}
	t.Cleanup(f.Close)
	return f
}

func (f *fort) times(which string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refused[which]
}

// elsewhere is a listener whose peers have other addresses than their own.
type elsewhere struct {
	net.Listener
	from []string
	n    atomic.Int64
}

type foreign struct {
	net.Conn
	peer net.Addr
}

func (f foreign) RemoteAddr() net.Addr { return f.peer }

func (e *elsewhere) Accept() (net.Conn, error) {
	c, err := e.Listener.Accept()
	if err != nil {
		return nil, err
	}
	from := e.from[int(e.n.Add(1)-1)%len(e.from)]
	return foreign{c, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 4711))}, nil
}

// talk sends parts, with pauses between them, and returns all that comes back until the
// end of the connection.
func (f *fort) talk(t *testing.T, pause time.Duration, parts ...string) string {
	t.Helper()
	var c net.Conn
	c, err := net.Dial("tcp", f.Server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if f.TLS != nil {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	for i, part := range parts {
		if i > 0 {
			time.Sleep(pause)
		}
		if _, err := io.WriteString(c, part); err != nil {
			break // it was told before
		}
	}
	b, _ := io.ReadAll(c)
	return string(b)
}

// TestSlowloris: a header that does not end in time is answered with 408, however it
// dawdles, and the connection is closed. One that is slow and in time is no less a request.
func TestSlowloris(t *testing.T) {
	const get, host = "GET /a HTTP/1.1\r\n", "Host: a.example\r\n"
	const whole = get + host + "\r\n"
	dripping := append([]string{get}, strings.Split(strings.Repeat("X-A: b\r\n|", 15), "|")...)
	for name, test := range map[string]struct {
		pause time.Duration
		parts []string
		want  []string // the first lines of the answers
	}{
		"nothing comes":                  {0, nil, nil},
		"it stops in the middle":         {0, []string{get + host}, []string{"408"}},
		"it drips":                       {300 * time.Millisecond, dripping, []string{"408"}},
		"in the second request":          {50 * time.Millisecond, []string{whole, get, host}, []string{"200", "408"}},
		"in a line":                      {50 * time.Millisecond, []string{whole, "GET /a HT"}, []string{"200", "400"}}, // so says net/http
		"idle after a request":           {0, []string{whole}, []string{"200"}},
		"slow and in time":               {30 * time.Millisecond, []string{get, host, "X-A: b\r\n", "X-B: c\r\n", "Connection: close\r\n\r\n"}, []string{"200"}},
		"two in one piece":               {0, []string{whole + get + host + "Connection: close\r\n\r\n"}, []string{"200", "200"}},
		"the second one a little later":  {200 * time.Millisecond, []string{whole, get + host + "Connection: close\r\n\r\n"}, []string{"200", "200"}},
		"after a body, and then nothing": {50 * time.Millisecond, []string{"POST /a HTTP/1.1\r\n" + host + "Content-Length: 4\r\n\r\n", "bo", "dy"}, []string{"200"}},
	} {
		for _, encrypted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TLS %v", name, encrypted), func(t *testing.T) {
				t.Parallel()
				f := newFort(t, limit.Limits{}, encrypted)
				answer := f.talk(t, test.pause, test.parts...)
				var got []string
				for line := range strings.Lines(answer) {
					if i := strings.Index(line, "HTTP/1.1 "); i >= 0 {
						got = append(got, line[i+9:i+12])
					}
				}
				if strings.Join(got, " ") != strings.Join(test.want, " ") {
					// Above TLS it is net/http alone who could say so of a second request.
					if !encrypted || name != "in the second request" || strings.Join(got, " ") != "200" {
						t.Errorf("got %q, want %q:\n%s", got, test.want, answer)
					}
				}
				late := len(test.want) > 0 && test.want[len(test.want)-1] == "408"
				if late != (f.times(limit.HeaderTimeout) == 1) {
					t.Errorf("counted %d times", f.times(limit.HeaderTimeout))
				}
			})
		}
	}
}

// TestConnectionsPerAddress: an address has no more connections than it may, over IPv6 the
// whole network together; others are not kept out, and what ends makes room.
func TestConnectionsPerAddress(t *testing.T) {
	open := func(t *testing.T, f *fort) (net.Conn, bool) {
		t.Helper()
		c, err := net.Dial("tcp", f.Server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = io.WriteString(c, "GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n")
		var b [15]byte
		n, _ := io.ReadFull(c, b[:])
		return c, string(b[:n]) == "HTTP/1.1 200 OK"
	}
	for name, test := range map[string]struct {
		limits limit.Limits
		from   []string
		want   []bool
	}{
		"one address":                {limit.Limits{Connections: 2}, []string{"203.0.113.7"}, []bool{true, true, false, false}},
		"another one beside it":      {limit.Limits{Connections: 1}, []string{"203.0.113.7", "203.0.113.7", "203.0.113.8"}, []bool{true, false, true}},
		"many of one IPv6 network":   {limit.Limits{Connections: 2}, []string{"2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"}, []bool{true, true, false, true}},
		"a trusted proxy":            {limit.Limits{Connections: 1, Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, []string{"10.0.0.1"}, []bool{true, true, true}},
		"a trusted proxy, otherwise": {limit.Limits{Connections: 1, Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, []string{"::ffff:10.0.0.1"}, []bool{true, true, true}},
		"no limit":                   {limit.Limits{}, []string{"203.0.113.7"}, []bool{true, true, true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFort(t, test.limits, false, test.from...)
			refused := 0
			var first net.Conn
			for i, want := range test.want {
				c, got := open(t, f)
				if got != want {
					t.Errorf("connection %d: got %v", i, got)
				}
				if first == nil {
					first = c
				}
				if !want {
					refused++
				}
			}
			if got := f.times(limit.Connections); got != refused {
				t.Errorf("counted %d, want %d", got, refused)
			}
			if name != "one address" {
				return
			}
			first.Close()
			eventually(t, "there is room again", func() bool { _, ok := open(t, f); return ok })
		})
	}
}

// TestUnixSocketsAreNotBounded, as they have no addresses.
func TestUnixSocketsAreNotBounded(t *testing.T) {
	l, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	limiter := new(limit.Limiter)
	limiter.Set(limit.Limits{Connections: 1})
	g := guarding{l, limiter}
	defer g.Close()
	for range 3 {
		c, err := net.Dial("unix", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		taken, err := g.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
	}
}

// TestRefusedConnectionsDoNotEndTheListener, and its own end does.
func TestRefusedConnectionsDoNotEndTheListener(t *testing.T) {
	f := newFort(t, limit.Limits{Connections: 1}, false, "203.0.113.7")
	hold, err := net.Dial("tcp", f.Server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Close()
	for range 200 {
		if c, err := net.Dial("tcp", f.Server.Listener.Addr().String()); err == nil {
			c.Close()
		}
	}
	eventually(t, "all are refused", func() bool { return f.times(limit.Connections) >= 100 })
	hold.Close()
	eventually(t, "somebody gets through", func() bool { return strings.Contains(f.talk(t, 0, "GET /a HTTP/1.0\r\n\r\n"), "200 OK") })
	f.Listener.Close()
	if _, err := f.Listener.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// TestWebsocketsAreConnectionsOfAnAddress as long as they are open, though net/http has
// given them away.
func TestWebsocketsAreConnectionsOfAnAddress(t *testing.T) {
	f := newFort(t, limit.Limits{Connections: 1}, false, "203.0.113.7")
	c, err := net.Dial("tcp", f.Server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(c, "GET /hijack HTTP/1.1\r\nHost: a.example\r\n\r\n")
	var b [12]byte
	if _, err := io.ReadFull(c, b[:]); err != nil || string(b[:]) != "HTTP/1.1 101" {
		t.Fatalf("got %q, %v", b, err)
	}
	const get = "GET /a HTTP/1.0\r\n\r\n"
	if answer := f.talk(t, 0, get); answer != "" {
		t.Errorf("beside it: got %q", answer)
	}
	c.Close()
	eventually(t, "there is room again", func() bool { return strings.Contains(f.talk(t, 0, get), "200 OK") })
}
