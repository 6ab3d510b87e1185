package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// expectation is what an answer must be in order to count.
type expectation struct {
	status int
	// header must stand somewhere in the header; empty for anything.
	header string
	// body is how the body begins, and size how long it is; zero for any.
	body string
	size int
}

// shot is a request with the answer that it must get.
type shot struct {
	request []byte
	want    *expectation
}

// turn is what came of loading one contender for a while.
type turn struct {
	answers int
	took    time.Duration
	// micros are how long each answer took, in microseconds.
	micros []uint32
}

// warmUp is how long a contender is loaded before anything is counted.
const warmUp = 100 * time.Millisecond

// load sends what next gives on several connections, one request after the other on
// each, and counts the answers that come within the time. It ends early when next has
// nothing left. begin and end are called as counting begins and ends.
func load(ctx context.Context, dial func() client, conns int, lasts time.Duration, next func() (shot, bool), begin, end func()) (turn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var counting atomic.Bool
	var workers sync.WaitGroup
	micros := make([][]uint32, conns)
	for i := range conns {
		c := dial()
		if err := c.open(ctx); err != nil {
			cancel(err)
			break
		}
		workers.Go(func() {
			defer func() { c.Close() }()
			for ctx.Err() == nil {
				s, ok := next()
				if !ok {
					cancel(errNothingLeft)
					return
				}
				sent := time.Now()
				err := c.exchange(&s)
				if err == errClosed {
					// Servers may close a connection between two answers.
					c.Close()
					if err = c.open(ctx); err == nil {
						continue
					}
				}
				if err != nil {
					cancel(err) // the first one counts
					return
				}
				if counting.Load() {
					micros[i] = append(micros[i], uint32(time.Since(sent).Microseconds()))
				}
			}
		})
	}
	pause(ctx, warmUp)
	begin()
	began := time.Now()
	counting.Store(true)
	pause(ctx, lasts)
	counting.Store(false)
	t := turn{took: time.Since(began)}
	end()
	cancel(nil)
	workers.Wait()
	if err := context.Cause(ctx); err != context.Canceled && err != errNothingLeft {
		return turn{}, err
	}
	t.micros = slices.Concat(micros...)
	slices.Sort(t.micros)
	t.answers = len(t.micros)
	if t.answers == 0 {
		return turn{}, errors.New("there was no answer")
	}
	return t, nil
}

var errNothingLeft = errors.New("there is nothing left to send")

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// quantile returns how long a share of the answers took at most.
func (t *turn) quantile(q float64) time.Duration {
	return time.Duration(t.micros[int(q*float64(len(t.micros)-1))]) * time.Microsecond
}

// client is a way to send requests to a contender, one after the other.
type client interface {
	// open opens a connection, which is of no use when ctx has ended.
	open(ctx context.Context) error
	// exchange sends a request, reads the whole answer and checks it.
	exchange(s *shot) error
	Close() error
}

// connection speaks as much HTTP/1.1 as the contenders do: a client of net/http would
// need more time than what is measured.
type connection struct {
	net.Conn
	addr string
	tls  *tls.Config // nil for plain TCP
	buf  []byte
	n    int // of buf, what has been read
}

func newConnection(addr string, config *tls.Config) *connection {
	return &connection{addr: addr, tls: config, buf: make([]byte, 128<<10)}
}

// errClosed says that a connection was closed before any of an answer came.
var errClosed = errors.New("the connection was closed in place of an answer")

// open opens the connection, which is of no use when ctx has ended.
func (c *connection) open(ctx context.Context) error {
	conn, err := net.Dial("tcp", c.addr)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	if c.Conn = conn; c.tls != nil {
		secure := tls.Client(conn, c.tls)
		c.Conn = secure
		return secure.HandshakeContext(ctx)
	}
	return nil
}

// exchange sends a request, reads the whole answer and checks it.
func (c *connection) exchange(s *shot) error {
	if _, err := c.Write(s.request); err != nil {
		return err
	}
	head := -1
	for c.n = 0; head < 0; {
		if c.n == len(c.buf) {
			return errors.New("the header of an answer is too long")
		}
		n, err := c.Read(c.buf[c.n:])
		if c.n == 0 && err == io.EOF {
			return errClosed
		}
		if err != nil {
			return fmt.Errorf("an answer broke off: %w", err)
		}
		c.n += n
		head = bytes.Index(c.buf[:c.n], []byte("\r\n\r\n"))
	}
	header, body := c.buf[:head+2], head+4
	length, err := contentLength(header)
	if err != nil {
		return err
	}
	if body+length > len(c.buf) {
		return errors.New("an answer is too long")
	}
	if missing := body + length - c.n; missing > 0 {
		if _, err := io.ReadFull(c, c.buf[c.n:body+length]); err != nil {
			return fmt.Errorf("an answer broke off: %w", err)
		}
	} else if missing < 0 {
		return errors.New("something follows an answer")
	}
	return s.want.check(header, c.buf[body:body+length])
}

func contentLength(header []byte) (int, error) {
	const name = "content-length:"
	for line := range bytes.SplitSeq(header, []byte("\r\n")) {
		if len(line) > len(name) && bytes.EqualFold(line[:len(name)], []byte(name)) {
			return strconv.Atoi(string(bytes.TrimSpace(line[len(name):])))
		}
	}
	return 0, fmt.Errorf("an answer has no length:\n%s", header)
}

func (e *expectation) check(header, body []byte) error {
	var status string
	if len(header) >= 12 {
		status = string(header[9:12])
	}
	switch {
	case status != strconv.Itoa(e.status),
		!bytes.Contains(header, []byte(e.header)),
		!bytes.HasPrefix(body, []byte(e.body)),
		e.size != 0 && len(body) != e.size:
		return fmt.Errorf("want status %d, %q in the header, %d bytes beginning with %q; got %d bytes\n%s\n%.200s", e.status, e.header, e.size, e.body, len(body), header, body)
	}
	return nil
}
