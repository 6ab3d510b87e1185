package proxy

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// Changes tells when what a caller was proved by may be worth nothing any more: changed
// is called with the Proof of an identity, or with session.AnySession. *session.Store and
// *bearer.Verifier are such.
type Changes interface {
	Watch(changed func(session.Key)) (stop func())
}

// looker is what Sessions may do beside: Identify, of a request that is under way, and
// without using the session by that. Otherwise Identify itself is asked.
type looker interface {
	Look(r *http.Request) (*session.Identity, error)
}

const (
	// lookEvery is how often each stream is looked at. Most looks are answered from
	// memory; when claims are to be fetched again is for sessions and tokens to say.
	lookEvery = time.Second
	// longTransfer is when a transfer that is no stream keeps its session in use. It is
	// not looked at otherwise: what was let in finishes, unless it is revoked.
	longTransfer = time.Minute
	// maxUnknown is how long a stream goes on of which it cannot be known whether it may.
	maxUnknown = 10 * time.Second
	// lookers is how many streams are looked at at once.
	lookers = 16
)

// again looks at exchanges that are under way, whether they may go on.
type again struct {
	changes []Changes
	every   time.Duration // as the constant, but for tests

	// judge decides: the proxy itself until there is a successor.
	judge atomic.Pointer[Proxy]

	count   atomic.Uint64 // of what was heard
	mu      sync.Mutex
	changed map[session.Key]struct{} // what was heard of and not looked at yet
	wake    chan struct{}
	stops   []func() // end what is watched
	over    bool     // nothing is to be watched any more
}

// heard is called when something has changed.
func (a *again) heard(proof session.Key) {
	a.count.Add(1)
	a.note(proof)
}

// note leaves those that were proved by this to Run.
func (a *again) note(proof session.Key) {
	a.mu.Lock()
	if a.changed == nil {
		a.changed = make(map[session.Key]struct{})
	}
	a.changed[proof] = struct{}{}
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *again) take() map[session.Key]struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	changed := a.changed
	a.changed = nil
	return changed
}

// Run looks after what is under way until ctx ends: streams end when their session or
// token does, or when it does not suffice any more. Without it nothing ends before its
// time. It returns when all it has begun is done.
func (p *Proxy) Run(ctx context.Context) {
	for _, c := range p.again.changes {
		p.again.watch(c)
	}
	ticks := time.NewTicker(p.again.every)
	defer ticks.Stop()
	defer p.again.stop(true)
	var work sync.WaitGroup
	defer work.Wait()
	work.Go(func() { p.watchHealth(ctx) })
	var passing atomic.Bool
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.again.wake:
			var some []*exchange
			for proof := range p.again.take() {
				some = append(some, p.kept.of(proof)...)
			}
			// Whoever was revoked does not wait for others whose provider is slow.
			if len(some) > 0 {
				work.Go(func() { p.lookAt(some, p.revoked) })
			}
		case <-ticks.C:
			if passing.Swap(true) {
				continue // the pass before still waits for somebody
			}
			now := p.now()
			some := p.kept.those(func(x *exchange) bool {
				return x.caller != nil && (x.stream.Load() || now.Sub(x.began) >= longTransfer)
			})
			work.Go(func() {
				defer passing.Store(false)
				p.lookAt(some, p.look)
			})
		}
	}
}

// Succeed has another proxy, of a newer configuration, decide whether what is under way
// here may go on, until Run ends or there is yet another one. Run looks at all of it at
// once, also at streams that were public.
func (p *Proxy) Succeed(next *Proxy) {
	p.again.stop(false)
	p.again.judge.Store(next)
	for _, c := range next.again.changes {
		p.again.watch(c)
	}
	p.again.note(session.AnySession)
}

// watch has changes heard of until stop.
func (a *again) watch(c Changes) {
	stop := c.Watch(a.heard)
	a.mu.Lock()
	over := a.over
	if !over {
		a.stops = append(a.stops, stop)
	}
	a.mu.Unlock()
	if over {
		stop()
	}
}

// stop ends what watch has begun, and perhaps that anything is watched. It does so without
// mu: who ends it may wait for somebody who tells of a change just now, and heard takes mu.
func (a *again) stop(forGood bool) {
	a.mu.Lock()
	a.over = a.over || forGood
	stops := a.stops
	a.stops = nil
	a.mu.Unlock()
	for _, stop := range stops {
		stop()
	}
}

// lookAt looks at all of them, several at a time.
func (p *Proxy) lookAt(all []*exchange, look func(*exchange)) {
	var next atomic.Int64
	var work sync.WaitGroup
	for range min(lookers, len(all)) {
		work.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(all); i = int(next.Add(1)) - 1 {
				look(all[i])
			}
		})
	}
	work.Wait()
}

// look looks at one from time to time: a stream may have lost what it was let in by. Of
// another transfer the session is in use.
func (p *Proxy) look(x *exchange) {
	if x.looking.Swap(true) {
		return
	}
	defer x.looking.Store(false)
	stream := x.stream.Load()
	v := p.decideAgain(x, !stream || x.used())
	if stream {
		p.goOn(x, v)
	}
}

// revoked looks at one whose session or token has changed.
func (p *Proxy) revoked(x *exchange) {
	v := p.decideAgain(x, false)
	switch {
	case x.stream.Load():
		p.goOn(x, v)
	case isRevocation(v) && p.now().Before(x.until()):
		p.cutShort(x, v)
	}
}

// used reports whether the caller has sent something over a websocket since the last
// call.
func (x *exchange) used() bool {
	x.mu.Lock()
	s := x.socket
	x.mu.Unlock()
	return s != nil && s.used()
}

// until is when the proof of the caller ends by itself.
func (x *exchange) until() time.Time {
	if x.caller != nil && !x.caller.Until.IsZero() {
		return x.caller.Until
	}
	return time.Unix(1<<40, 0)
}

// isRevocation reports whether somebody is refused because a session was ended or a token
// is not good any more, before its time.
func isRevocation(v Verdict) bool {
	switch {
	case v.Outcome == SignIn:
		return v.Reason == Reason(session.ReasonSessionEnded)
	case v.Outcome == BadCredentials:
		return v.Reason != Reason(session.ReasonTokenExpired)
	}
	return false
}

// decideAgain decides about a request that was let in before.
func (p *Proxy) decideAgain(x *exchange, use bool) Verdict {
	judge := p.again.judge.Load()
	q := Question{
		Target: x.target, Method: x.request.Method, Client: judge.client(x.request), Request: x.request, again: !use,
	}
	route, v := judge.decideOn(x.request.Context(), q)
	if route != nil && route.Upstream == nil {
		return Verdict{Reason: ReasonNoRoute}
	}
	return v
}

// goOn lets a stream go on, or ends it.
func (p *Proxy) goOn(x *exchange, v Verdict) {
	now := p.now()
	switch v.Outcome {
	case Allow:
		x.mu.Lock()
		x.unknown = time.Time{}
		x.mu.Unlock()
	case Unavailable:
		x.mu.Lock()
		if x.unknown.IsZero() {
			x.unknown = now
		}
		// A provider that fails for this person alone may have blocked them.
		over := now.Sub(x.unknown) >= maxUnknown || errors.Is(v.Cause, session.ErrNoGrace)
		x.mu.Unlock()
		if over {
			p.cutShort(x, v)
		}
	default:
		p.cutShort(x, v)
	}
}

// cutShort ends what is under way, and says so in the log: the event of a stream tells what was
// decided when it began.
func (p *Proxy) cutShort(x *exchange, v Verdict) {
	if x.request.Context().Err() != nil || !x.breakOff(v, closePolicy, sentenceOf(&v)) {
		return
	}
	p.log.LogAttrs(context.Background(), slog.LevelInfo, "a request was broken off that was under way",
		slog.String("request_id", x.id), slog.String("route", x.route.Name), slog.String("reason", string(v.Reason)),
		slog.Bool("stream", x.stream.Load()))
}
