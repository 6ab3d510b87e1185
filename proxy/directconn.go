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
	"sync"
	"syscall"
	"time"
)

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
