// Package limit bounds what one client, and all of them together, may use: requests that
// are under way, connections, sign-ins, and tokens that are tried. It counts and says no;
// what is answered then is for whoever asks.
//
// What it promises:
//
//   - It takes no more memory however many addresses somebody has: what is known about
//     addresses is in tables of a fixed size, from which the one goes that has used least
//     of what it may.
//   - An address of IPv6 counts as its network of 64 bits, since whoever has one address
//     there has all of them (RFC 6177 section 2).
//   - Who has no address, as on a unix socket or behind a trusted proxy that does not say
//     for whom it speaks, is bounded together with all others alone.
//
// It imports nothing of ours.
package limit

import (
	"net/netip"
	"sync/atomic"
	"time"
)

// Limits are the bounds that a configuration sets. Zero is no bound, and the zero value
// bounds nothing.
type Limits struct {
	// Requests is how many may be under way at once.
	Requests int
	// HeaderFields is how many lines the header of a request may have.
	HeaderFields int
	// BodyTimeout is how long a client may let somebody wait for the next piece of a body,
	// and BodyRate how many bytes a second it has to send on average of that.
	BodyTimeout time.Duration
	BodyRate    int64
	// Connections is how many an address may have open, unless it is in Proxies.
	Connections int
	Proxies     []netip.Prefix
	// SignIns is how many sign-ins an address may begin within a minute, and how many it
	// may come back with.
	SignIns int
	// FailedTokens is how many tokens that are no good an address may try within a minute.
	FailedTokens int
}

// The limits by name, for those who are told of refusals: the keys of the configuration.
const (
	HeaderFields  = "header_fields"
	HeaderTimeout = "header_timeout"
	BodyTimeout   = "body_timeout"
	Requests      = "requests"
	Connections   = "connections_per_address"
	SignIns       = "sign_ins_per_minute"
	FailedTokens  = "failed_tokens_per_minute"
)

// Names are all of them.
var Names = []string{HeaderFields, HeaderTimeout, BodyTimeout, Requests, Connections, SignIns, FailedTokens}

// Limiter counts what Limits bound. It outlives configurations: another one goes on with
// what was counted under the one before. The zero value bounds nothing, and is safe for
// concurrent use.
type Limiter struct {
	// Refused is told of whatever a limit refuses: which one, and the client's address,
	// empty where there is none. It returns quickly. Nil: nobody is told.
	Refused func(limit, client string)
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	limits      atomic.Pointer[Limits]
	underWay    atomic.Int64
	starts      buckets
	returns     buckets
	tokens      buckets
	connections tallies
	shares      tallies
}

var unlimited Limits

// Set has limits count from now on.
func (l *Limiter) Set(to Limits) { l.limits.Store(&to) }

// Limits are those that count now. Nobody changes them.
func (l *Limiter) Limits() *Limits {
	if now := l.limits.Load(); now != nil {
		return now
	}
	return &unlimited
}

// Tell tells whoever wants to know that a limit has refused something.
func (l *Limiter) Tell(limit, client string) {
	if l.Refused != nil {
		l.Refused(limit, client)
	}
}

func (l *Limiter) now() time.Time {
	if l.Now != nil {
		return l.Now()
	}
	return time.Now()
}

// Begin counts a request, and says whether there is room for it. End has to be called for
// it in either case.
func (l *Limiter) Begin() bool {
	n := l.underWay.Add(1)
	most := l.Limits().Requests
	return most == 0 || n <= int64(most)
}

// fewRequests is a bound on requests that is too small to be shared.
const fewRequests = 100

// Crowded says whether half of all requests that may be under way are, so that each address
// has to Share the rest with others.
func (l *Limiter) Crowded() bool {
	most := l.Limits().Requests
	return most >= fewRequests && l.underWay.Load() > int64(most/2)
}

// Share counts a request of an address that has begun while it is Crowded, and says whether there is room for it: of the other half an address may have
// half, so that none keeps the others out alone. If there is, Unshare has to be called at
// its end. Who has no address shares with nobody.
func (l *Limiter) Share(from netip.Addr) bool {
	return l.shares.add(from, l.Limits().Requests/4)
}

// Unshare counts the end of a request for which there was room.
func (l *Limiter) Unshare(from netip.Addr) { l.shares.remove(from) }

// End counts the end of a request.
func (l *Limiter) End() { l.underWay.Add(-1) }

// UnderWay is how many requests have begun and not ended.
func (l *Limiter) UnderWay() int64 { return l.underWay.Load() }

// Step is a step of signing in that is bounded.
type Step uint8

const (
	// NoStep is none that is bounded.
	NoStep Step = iota
	// Start begins an attempt.
	Start
	// Return comes back from a provider, which is then asked about it.
	Return
)

// SignIn counts a step of a sign-in from an address, and says how long to wait before the
// next one will do; zero: it may go on.
func (l *Limiter) SignIn(step Step, client string) (wait time.Duration) {
	switch step {
	case Start:
		return l.starts.take(client, l.Limits().SignIns, l.now())
	case Return:
		return l.returns.take(client, l.Limits().SignIns, l.now())
	}
	return 0
}

// Wait says how long an address has to wait before it may try a token that nothing is
// known about; zero: it may. See Failed.
func (l *Limiter) Wait(client string) time.Duration {
	return l.tokens.wait(client, l.Limits().FailedTokens, l.now())
}

// Failed counts a token that an address has tried and that is no good. Those that were
// tried at the same time may be more than there are left, and are made up for by a longer
// wait.
func (l *Limiter) Failed(client string) {
	l.tokens.spend(client, l.Limits().FailedTokens, l.now())
}

// Connect counts a connection from an address, and says whether there is room for it. If
// there is, Disconnect has to be called at its end. Trusted proxies have as many as they
// like.
func (l *Limiter) Connect(from netip.Addr) bool {
	limits := l.Limits()
	for _, p := range limits.Proxies {
		if p.Contains(from.Unmap()) {
			// Counted all the same: it may be trusted no more when it ends.
			return l.connections.add(from, 0)
		}
	}
	return l.connections.add(from, limits.Connections)
}

// Disconnect counts the end of a connection for which there was room.
func (l *Limiter) Disconnect(from netip.Addr) { l.connections.remove(from) }
