package proxy

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// requestBody is the body of a request on its way to the upstream. It notes whether
// the client is to blame when the way breaks, and hands on the trailers at its end.
type requestBody struct {
	io.ReadCloser
	// failed is set when the body cannot be read, ended when it has been read whole.
	failed *atomic.Bool
	ended  atomic.Bool
	// atEnd is called when it has been read whole.
	atEnd func()
	// left is how much may still come; below zero, too much has. max is what it began
	// with, zero for no bound.
	left, max int64
	// tooLarge is set when too much has come.
	tooLarge atomic.Bool
	// reading is held while it is read.
	reading sync.Mutex
	// tooSlow is set, under reading, when it did not come in time.
	tooSlow bool
	// conn and patience are set where a client has only so long for its next bytes, until
	// answered is set.
	conn     *http.ResponseController
	patience patience
	answered atomic.Bool
	// stopped is set when nobody is to read any more.
	stopped atomic.Bool
}

// answer notes that the upstream has begun to answer. What the client sends from now
// on is a conversation, in which it may be silent for as long as it likes.
func (b *requestBody) answer() {
	if b.conn != nil && !b.answered.Swap(true) {
		_ = b.conn.SetReadDeadline(time.Time{})
	}
}

// stop ends the reading of the body, of which somebody may be waiting for more.
func (b *requestBody) stop(conn *http.ResponseController) {
	b.stopped.Store(true)
	_ = conn.SetReadDeadline(time.Now())
}

// errTooLarge is what reading a body ends with that is larger than its route takes.
var errTooLarge = errors.New("the body is too large")

// errStopped is what reading a body ends with that was stopped.
var errStopped = errors.New("the request was broken off")

// wasTooSlow reports whether the body did not come in time. On HTTP/1 the request's context
// ends in the middle of the read that fails, whose end is waited for.
func (b *requestBody) wasTooSlow() bool {
	b.reading.Lock()
	defer b.reading.Unlock()
	return b.tooSlow
}

func (b *requestBody) Read(buf []byte) (int, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	var began time.Time
	waits := b.conn != nil && !b.answered.Load()
	if waits {
		began = time.Now()
		b.patience.wait(b.conn, began)
	}
	if b.stopped.Load() { // after the deadline was set, as stop sets another
		return 0, errStopped
	}
	n, err := b.ReadCloser.Read(buf)
	if waits {
		b.patience.came(n, time.Since(began))
	}
	if b.max > 0 {
		if b.left -= int64(n); b.left < 0 {
			b.tooLarge.Store(true)
			return 0, errTooLarge
		}
	}
	switch {
	case err == io.EOF:
		b.ended.Store(true)
		if b.atEnd != nil {
			b.atEnd()
		}
	case err != nil && !b.stopped.Load():
		b.failed.Store(true)
		if isTooSlow(err) {
			b.tooSlow = true
		}
	}
	return n, err
}

// maxRest bounds what is read of a body that nobody wants any more.
const maxRest = 256 << 10

// leaveRest ends an exchange whose upstream has answered before it had the whole
// body, on HTTP/1. The answer said that the connection closes, see WriteHeader; the
// client gets a moment to finish its body, so that it reads the answer and not that
// the connection broke.
//
// It is done here, as net/http does it without a limit of time when the handler has
// returned. There it also takes a connection whose body broke off for one that can
// be used again, and what follows for a request, because of EnableFullDuplex.
func (b *requestBody) leaveRest(x *exchange) {
	if b.ended.Load() || x.request.ProtoMajor != 1 {
		return
	}
	_ = http.NewResponseController(x).SetReadDeadline(time.Now().Add(linger))
	// It waits for the transport's own read too, which may still be under way.
	_, _ = io.CopyN(io.Discard, b.ReadCloser, maxRest)
}

// trailers returns the trailers of the request that the upstream gets: those that
// the client announced (RFC 9110 section 6.6.2) and may send. Their values are known
// when the body has been read. ReverseProxy hands on the names alone, and net/http
// takes trailers too that nobody announced.
func (p *Proxy) trailers(in *http.Request) http.Header {
	body, ok := in.Body.(*requestBody)
	if !ok || len(in.Trailer) == 0 {
		return nil
	}
	out := make(http.Header, len(in.Trailer))
	for name := range in.Trailer {
		// Credentials and what frames or routes a message have no place in trailers
		// (RFC 9110 section 6.5.1). What is done to ours in the header would be undone
		// where an upstream takes the two together.
		if !slices.Contains(ours, string(fold(nil, name))) {
			out[name] = nil
		}
	}
	p.stripper.strip(out)
	if len(out) == 0 {
		return nil
	}
	// The transport reads the body and writes the trailers in one goroutine.
	body.atEnd = func() {
		for name := range out {
			out[name] = in.Trailer[name]
		}
	}
	return out
}
