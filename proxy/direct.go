package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
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

// directConn is a connection of the short way.
type directConn struct {
	net.Conn
	home *direct
	in   *bufio.Reader // from Read below
	// left is how many bytes the header of an answer may still have, and got how many
	// bytes came in this exchange.
	left, got int64
	since     time.Time // when it was used last
	// until is when an answer must have begun, at least; zero if there is no such time.
	until time.Time
	// x is the exchange that the connection is used for; nil: for none.
	x *exchange
	// stop keeps the end of the request's context from interrupting the connection,
	// and tells whether it has not.
	stop      func() bool
	interrupt func()

	raw    syscall.RawConn
	look   func(fd uintptr) bool
	silent bool
}

var errLongHeader = fmt.Errorf("the header of the upstream's answer is longer than %d bytes", maxUpstreamHeader)

// Read reads at most as much as is left.
func (c *directConn) Read(b []byte) (int, error) {
	if c.left <= 0 {
		return 0, errLongHeader
	}
	if int64(len(b)) > c.left {
		b = b[:c.left]
	}
	n, err := c.Conn.Read(b)
	c.left -= int64(n)
	c.got += int64(n)
	return n, err
}

// quiet reports whether the upstream has neither closed an idle connection nor said
// anything on it.
func (c *directConn) quiet() bool {
	c.silent = false
	return c.in.Buffered() == 0 && c.raw.Read(c.look) == nil && c.silent
}

// arm limits the time until an answer has begun. To set a timer costs, so it is not set
// for each request: one may have a sixteenth more time, at most a second.
func (c *directConn) arm(now time.Time) {
	if until := now.Add(c.home.timeout); c.until.Before(until) {
		c.until = until.Add(min(c.home.timeout/16, time.Second))
		_ = c.SetDeadline(c.until)
	}
}

// leave ends the interest of those who might interrupt the connection, and reports
// whether none of them has.
func (c *directConn) leave() bool {
	whole := c.stop()
	if c.x != nil {
		whole = c.x.goesBy(nil) && whole
		c.x = nil
	}
	return whole
}

// end ends a connection in the middle of an exchange.
func (c *directConn) end() {
	c.leave()
	c.Close()
}

// exchange sends a request and reads the answer, but for its body. When there is an
// error the caller ends the connection.
func (c *directConn) exchange(ctx context.Context, x *exchange, r *http.Request, trace *httptrace.ClientTrace) (*http.Response, error) {
	c.left, c.got = maxUpstreamHeader, 0
	c.stop = context.AfterFunc(ctx, c.interrupt)
	if c.x = x; x != nil && !x.goesBy(c) {
		return nil, errEnded
	}
	failed := c.write(r)
	// Whatever became of the request, there may be an answer: a server that finds a
	// header too long says so and reads no further.
	res, err := c.header(x, r, trace)
	if err != nil {
		if c.got == 0 && !isTimeout(err) {
			err = errUnread{err}
		}
		return nil, err
	}
	c.left = math.MaxInt64
	if res.ContentLength < 0 || res.ContentLength > int64(c.in.Buffered()) {
		// The rest of it may take its time.
		c.until = time.Time{}
		_ = c.SetDeadline(c.until)
		if err := over(ctx, x); err != nil { // which may have been before the line above
			return nil, err
		}
	}
	again := failed == nil && !res.Close
	if res.Body == http.NoBody {
		c.finish(again)
		return res, nil
	}
	res.Body = &directBody{ctx: ctx, x: x, from: res.Body, conn: c, again: again}
	return res, nil
}

// requestBuffers are what requests are written through. Even one with many groups fits
// into it, and leaves in one piece.
var requestBuffers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, 16<<10) }}

func (c *directConn) write(r *http.Request) error {
	out := requestBuffers.Get().(*bufio.Writer)
	defer requestBuffers.Put(out)
	out.Reset(c.Conn) // which also forgets how the last one has failed
	defer out.Reset(nil)
	if err := writeRequest(out, r); err != nil {
		return err
	}
	return out.Flush()
}

// header reads the header of the answer. Informational ones before it (RFC 9110
// section 15.2) are told to trace or, where there is none, to the exchange that the
// request is for.
func (c *directConn) header(x *exchange, r *http.Request, trace *httptrace.ClientTrace) (*http.Response, error) {
	for {
		res, err := http.ReadResponse(c.in, r)
		switch {
		case err == io.EOF:
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, err
		case res.StatusCode == http.StatusSwitchingProtocols:
			return nil, errors.New("upstream switched protocols without being asked")
		case res.StatusCode < 100 || res.StatusCode > 199:
			return res, nil
		}
		if res.StatusCode == http.StatusContinue {
			continue
		}
		if trace != nil && trace.Got1xxResponse != nil {
			if err := trace.Got1xxResponse(res.StatusCode, map[string][]string(res.Header)); err != nil {
				return nil, err
			}
		} else if x != nil {
			x.inform(res.StatusCode, res.Header)
		}
	}
}

// finish ends an exchange whose answer was read whole. If again is set, and nothing
// speaks against it, the connection is kept.
func (c *directConn) finish(again bool) {
	if c.leave() && again && c.in.Buffered() == 0 {
		c.home.put(c)
		return
	}
	c.Close()
}

// directBody is the body of an answer.
type directBody struct {
	ctx   context.Context // the request's
	x     *exchange       // that it is for, nil for none
	from  io.ReadCloser   // never closed: that would read it to its end
	conn  *directConn
	again bool
	ended bool
}

func (b *directBody) Read(p []byte) (int, error) {
	if b.ended {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.from.Read(p)
	switch {
	case err == io.EOF:
		b.ended = true
		b.conn.finish(b.again)
	case err != nil:
		b.ended = true
		b.conn.end()
		if why := over(b.ctx, b.x); why != nil {
			err = why
		}
	}
	return n, err
}

// Close ends the connection of an answer that was not read to its end.
func (b *directBody) Close() error {
	if !b.ended {
		b.ended = true
		b.conn.end()
	}
	return nil
}
