package proxy

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// underway is what an exchange needs to be broken off while it is forwarded.
type underway struct {
	// caller is who it was let in for, nil if nobody was asked for. It stays.
	caller *session.Identity
	// heard counts what had been heard of changes when it came.
	heard uint64

	// mu guards what follows, and that nobody touches the exchange when it is over.
	mu sync.Mutex
	// open is set while the exchange is forwarded, and kept.
	open bool
	// cancel breaks off the way to the upstream, and so does interrupting conn, its
	// connection on the short way. Each is nil while there is none.
	cancel context.CancelFunc
	conn   *directConn
	// socket is the websocket that it has become, nil for none.
	socket *socket
	// broken says why it was broken off, nil if it was not.
	broken *Verdict
	// unknown is since when it has not been known whether it may go on; zero if it is.
	unknown time.Time

	// stream is set when it is one: a websocket, server-sent events, gRPC.
	stream atomic.Bool
	// looking is set while somebody looks whether it may go on.
	looking atomic.Bool
	// answering is set when its answer has begun.
	answering atomic.Bool

	prev, next *exchange // in its list
}

// kept are the exchanges that are under way, as far as somebody may want to break them
// off: they are in lists by what their callers were proved by, so that a request adds and
// removes itself without meeting many others.
type kept struct {
	lists [16]struct {
		mu    sync.Mutex
		first *exchange
	}
}

// listOf is the number of the list of what is proved by this.
func listOf(proof session.Key) int { return int(proof[0] & 15) }

func (k *kept) add(x *exchange) {
	l := &k.lists[listOf(x.proof())]
	l.mu.Lock()
	defer l.mu.Unlock()
	if x.next = l.first; x.next != nil {
		x.next.prev = x
	}
	l.first = x
}

func (k *kept) remove(x *exchange) {
	l := &k.lists[listOf(x.proof())]
	l.mu.Lock()
	defer l.mu.Unlock()
	if x.next != nil {
		x.next.prev = x.prev
	}
	if x.prev != nil {
		x.prev.next = x.next
	} else {
		l.first = x.next
	}
	x.prev, x.next = nil, nil
}

// of returns those whose callers were proved by this; session.AnySession is all.
func (k *kept) of(proof session.Key) []*exchange {
	if proof == session.AnySession {
		return k.those(func(*exchange) bool { return true })
	}
	var some []*exchange
	l := &k.lists[listOf(proof)]
	l.mu.Lock()
	defer l.mu.Unlock()
	for x := l.first; x != nil; x = x.next {
		if x.proof() == proof {
			some = append(some, x)
		}
	}
	return some
}

// those returns the ones that which says.
func (k *kept) those(which func(*exchange) bool) []*exchange {
	var some []*exchange
	for i := range k.lists {
		l := &k.lists[i]
		l.mu.Lock()
		for x := l.first; x != nil; x = x.next {
			if which(x) {
				some = append(some, x)
			}
		}
		l.mu.Unlock()
	}
	return some
}

// proof is what the caller was proved by; zero if nobody was asked for.
func (x *exchange) proof() session.Key {
	if x.caller != nil {
		return x.caller.Proof
	}
	return session.Key{}
}

// keep has an exchange that is about to be forwarded found by those who may break it off,
// and reports whether it is to be let go when it is over. It is for those with a caller,
// and for what may become a stream: what is public goes its way.
func (p *Proxy) keep(x *exchange) bool {
	x.caller = x.verdict.Identity
	grpc := isGRPC(x.request.Header)
	if x.caller == nil && !grpc && !isWebsocket(x.request) && !wantsEvents(x.request.Header) {
		return false
	}
	x.stream.Store(grpc)
	x.open = true // nobody has it yet
	p.kept.add(x)
	if x.caller != nil && p.again.count.Load() != x.heard {
		// What was heard meanwhile may have been about this one.
		p.again.note(x.caller.Proof)
	}
	return true
}

// letGo ends what keep has begun: from now on nobody touches the exchange.
func (p *Proxy) letGo(x *exchange) {
	p.kept.remove(x)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.open = false
	if x.cancel != nil {
		x.cancel()
	}
}

// cancelable returns the context to forward an exchange with. It ends with the request's,
// and when a kept one is broken off.
func (x *exchange) cancelable() context.Context {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.open {
		return x.request.Context()
	}
	ctx, cancel := context.WithCancel(x.request.Context())
	x.cancel = cancel
	if x.broken != nil {
		cancel()
	}
	return ctx
}

// goesBy has a connection of the short way interrupted when the exchange is broken off; nil
// says that there is none any more. It reports whether the exchange may go on: a
// connection that somebody has interrupted is of no further use.
func (x *exchange) goesBy(c *directConn) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.conn = c
	return x.broken == nil
}

// breakOff ends an exchange that is under way: a websocket with a close frame, anything
// else by breaking it off, or with a refusal if its answer has not begun. It may wait for
// closeGrace.
func (x *exchange) breakOff(v Verdict, code uint16, reason string) (done bool) {
	x.mu.Lock()
	if !x.open || x.broken != nil {
		x.mu.Unlock()
		return false
	}
	x.broken = &v
	s := x.socket
	if s == nil {
		if x.cancel != nil {
			x.cancel()
		}
		if x.conn != nil {
			x.conn.interrupt()
		}
		conn := http.NewResponseController(x.ResponseWriter)
		if x.body != nil {
			x.body.stop(conn)
		}
		if x.answering.Load() {
			// A client that does not read would keep it open.
			_ = conn.SetWriteDeadline(time.Now())
		}
	}
	x.mu.Unlock()
	if s != nil {
		s.end(code, reason)
	}
	return true
}

// wasBroken returns why the exchange was broken off, nil if it was not.
func (x *exchange) wasBroken() *Verdict {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.broken
}

// isGRPC reports whether a message is one of gRPC, or of gRPC-Web, by its header.
func isGRPC(h http.Header) bool {
	for _, t := range h["Content-Type"] {
		if rest, ok := cutPrefixFold(t, "application/grpc"); ok && (rest == "" || strings.IndexByte("+-; ", rest[0]) >= 0) {
			return true
		}
	}
	return false
}

// isEndless reports whether an answer is a stream by its header: events, or parts of which
// each takes the place of the one before. They go on until somebody ends them.
func isEndless(h http.Header) bool {
	for _, t := range h["Content-Type"] {
		for _, kind := range [...]string{"text/event-stream", "multipart/x-mixed-replace"} {
			if rest, ok := cutPrefixFold(t, kind); ok && (rest == "" || strings.IndexByte("; ", rest[0]) >= 0) {
				return true
			}
		}
	}
	return isGRPC(h)
}

// wantsEvents reports whether a request asks for a stream of events, as browsers do for an
// EventSource.
func wantsEvents(h http.Header) bool {
	for _, a := range h["Accept"] {
		if _, ok := cutPrefixFold(a, "text/event-stream"); ok {
			return true
		}
	}
	return false
}

func cutPrefixFold(s, prefix string) (rest string, ok bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
