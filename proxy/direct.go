package proxy

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"syscall"
	"time"
)

// direct is the short way to an upstream that speaks HTTP/1.1 without TLS: a request
// is written, and its answer read, on the goroutine of whoever asks. http.Transport
// hands both to two goroutines of each connection and back, which costs more than all
// that claimproxy does besides. Answers are read by http.ReadResponse, as there, and requests
// written as http.Request would, see writeRequest; this is about connections.
//
// It takes GET and HEAD without a body, an upgrade or an expectation. Everything else,
// and every other kind of upstream, is http.Transport's, see server.send; the
// two share no connections. That is what keeps it small, and safe:
//
//   - A connection carries one exchange at a time. It is used again only if its request
//     was written whole, its answer was read whole and promised no end, and not a byte
//     followed.
//   - A connection that was idle is looked at before it is used: one that the upstream
//     has closed, or on which it has said anything, is closed. So an answer that comes
//     before its request, or a second one, is nobody's.
//   - A request is sent again, on a new connection, only if a connection that had been
//     idle ended without one byte of an answer; GET and HEAD may be (RFC 9110 section
//     9.2.2).
//   - When the client goes away the connection is closed, whatever it was doing.
//
// Whoever reads the body of an answer also closes it; it is for one goroutine.
type direct struct {
	addr    string
	dial    func(ctx context.Context, network, addr string) (net.Conn, error)
	timeout time.Duration // until the header of an answer, see Upstream
	now     func() time.Time

	mu     sync.Mutex
	idle   []*directConn // the one that was used last is the last
	sweep  *time.Timer   // closes what has been idle for long; nil while none is
	closed bool
}

// newDirect makes the short way to a server that a Transport goes to as well.
func newDirect(u *url.URL, t *http.Transport, timeout time.Duration) *direct {
	port := u.Port()
	if port == "" {
		port = "80"
	}
	return &direct{addr: net.JoinHostPort(u.Hostname(), port), dial: t.DialContext, timeout: timeout, now: time.Now}
}

// takes reports whether a request may go the short way.
func (d *direct) takes(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) &&
		(r.Body == nil || r.Body == http.NoBody) && r.ContentLength == 0 && len(r.TransferEncoding) == 0 && len(r.Trailer) == 0 && !r.Close &&
		len(r.Header["Upgrade"]) == 0 && len(r.Header["Expect"]) == 0 && len(r.Header["Connection"]) == 0 && len(r.Header["Te"]) == 0
}

// errUnread says that a connection ended without any of an answer.
type errUnread struct{ cause error }

func (e errUnread) Error() string { return e.cause.Error() }
func (e errUnread) Unwrap() error { return e.cause }

// RoundTrip implements http.RoundTripper for requests that it takes.
func (d *direct) RoundTrip(r *http.Request) (*http.Response, error) {
	x, _ := r.Context().Value(exchangeKey{}).(*exchange)
	return d.send(x, r)
}

// over returns why nobody waits for the answer to a request any more, nil if somebody does.
func over(ctx context.Context, x *exchange) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if x != nil && x.wasBroken() != nil {
		return errEnded
	}
	return nil
}

// send is RoundTrip for a request that is made for an exchange; nil: it is for none. The
// exchange is told informational answers, unless the context has a trace, and interrupts
// the connection when it is broken off.
func (d *direct) send(x *exchange, r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	trace := httptrace.ContextClientTrace(ctx)
	if x != nil {
		x.direct = true
	}
	c := d.take()
	for {
		reused := c != nil
		if !reused {
			var err error
			if c, err = d.open(ctx); err != nil {
				return nil, err
			}
		}
		if trace != nil && trace.GotConn != nil {
			trace.GotConn(httptrace.GotConnInfo{Conn: c.Conn, Reused: reused, WasIdle: reused})
		}
		res, err := c.exchange(ctx, x, r, trace)
		if err == nil {
			return res, nil
		}
		c.end()
		if err := over(ctx, x); err != nil {
			return nil, err
		}
		if !reused || !errors.As(err, new(errUnread)) {
			return nil, err
		}
		c = nil // and now on a new one
	}
}

func (d *direct) open(ctx context.Context) (*directConn, error) {
	conn, err := d.dial(ctx, "tcp", d.addr)
	if err != nil {
		return nil, err
	}
	c := &directConn{Conn: conn, home: d}
	c.in = bufio.NewReader(c)
	c.arm(d.now())
	c.interrupt = func() { _ = conn.SetDeadline(time.Unix(1, 0)) }
	if s, ok := conn.(syscall.Conn); ok {
		c.raw, _ = s.SyscallConn()
	}
	c.look = func(fd uintptr) bool {
		c.silent = nothingToRead(fd)
		return true
	}
	return c, nil
}

// take returns a connection that was idle and can be used, or nil.
func (d *direct) take() *directConn {
	for {
		d.mu.Lock()
		n := len(d.idle)
		if n == 0 {
			d.mu.Unlock()
			return nil
		}
		c := d.idle[n-1]
		d.idle[n-1] = nil
		d.idle = d.idle[:n-1]
		d.mu.Unlock()
		now := d.now()
		if now.Sub(c.since) < idleTimeout {
			c.arm(now)
			if c.quiet() {
				return c
			}
		}
		c.Close()
	}
}

// put keeps a connection for the next request.
func (d *direct) put(c *directConn) {
	c.since = d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || len(d.idle) >= idlePerUpstream || c.raw == nil {
		c.Close()
		return
	}
	d.idle = append(d.idle, c)
	if d.sweep == nil {
		d.sweep = time.AfterFunc(idleTimeout, d.clean)
	}
}

// clean closes the connections that have been idle for long.
func (d *direct) clean() {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := 0
	for old < len(d.idle) && d.now().Sub(d.idle[old].since) >= idleTimeout {
		d.idle[old].Close()
		old++
	}
	kept := copy(d.idle, d.idle[old:])
	clear(d.idle[kept:])
	d.idle = d.idle[:kept]
	d.sweep = nil
	if kept > 0 && !d.closed {
		d.sweep = time.AfterFunc(idleTimeout, d.clean)
	}
}

// close closes the connections that are idle, now and from now on. Requests on their way
// finish.
func (d *direct) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, c := range d.idle {
		c.Close()
	}
	d.idle = nil
	if d.sweep != nil {
		d.sweep.Stop()
		d.sweep = nil
	}
}
