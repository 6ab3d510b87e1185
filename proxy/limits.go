package proxy

import (
	"errors"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/claimproxy/claimproxy/proxy/limit"
)

// withinLimits begins to count a request, and refuses it if there is no room for it. That
// is done before anything else is: nobody is asked who it is, and the body is not read.
func (p *Proxy) withinLimits(x *exchange) bool {
	room := p.limiter.Begin()
	if room && p.limiter.Crowded() && !p.mayShare(x) {
		return false
	}
	if !room {
		// It is not this client who has sent too many, and another claimproxy may have room
		// for it: balancers try again after 503 (RFC 9110 section 15.6.4), and not after 429.
		x.client = p.client(x.request)
		p.limiter.Tell(limit.Requests, x.client)
		p.refuse(x, Verdict{
			Outcome: Unavailable, Reason: ReasonTooManyRequests,
			Sentence: "Too many requests are under way just now.",
		})
		return false
	}
	if most := p.limiter.Limits().HeaderFields; most > 0 && tooManyFields(x.request.Header, most) {
		x.client = p.client(x.request)
		p.limiter.Tell(limit.HeaderFields, x.client)
		leaveBody(x, linger)
		x.verdict = Verdict{Reason: ReasonTooLarge, Sentence: "The request has more header fields than are taken here."}
		p.answer(x, http.StatusRequestHeaderFieldsTooLarge, x.verdict)
		return false
	}
	return true
}

// mayShare refuses a request of an address that has more than its part of those that may be
// under way, when there is not much room left. Others are not to be kept out by it alone.
func (p *Proxy) mayShare(x *exchange) bool {
	x.client = p.client(x.request)
	from, err := netip.ParseAddr(x.client)
	if err != nil { // nobody's
		return true
	}
	if p.limiter.Share(from) {
		x.shares = from
		return true
	}
	p.limiter.Tell(limit.Requests, x.client)
	v := Verdict{
		Outcome: TooMany, Reason: ReasonTooManyRequests, RetryAfter: shareAgain,
		Sentence: "Too many requests of your address are under way just now.",
	}
	if p.trusts(x.request) && strings.HasPrefix(x.request.RequestURI, p.endpoints+"/check") {
		v.Outcome = Unavailable // whoever asks may not know what to do with 429, see check
	}
	p.refuse(x, v)
	return false
}

// shareAgain is when to try again.
const shareAgain = time.Second

// tooManyFields reports whether a header has more lines than that.
func tooManyFields(h http.Header, most int) bool {
	n := 0
	for _, values := range h {
		if n += len(values); n > most {
			return true
		}
	}
	return false
}

// tooManySignIns refuses a step of a sign-in where its address has made too many of them.
func (p *Proxy) tooManySignIns(x *exchange) bool {
	if p.signInStep == nil {
		return false
	}
	step := p.signInStep(x.target.Path)
	if step == limit.NoStep {
		return false
	}
	wait := p.limiter.SignIn(step, x.client)
	if wait == 0 {
		return false
	}
	p.limiter.Tell(limit.SignIns, x.client)
	p.refuse(x, Verdict{
		Outcome: TooMany, Reason: ReasonTooManyRequests, RetryAfter: wait,
		Sentence: "Too many sign-ins have begun at your address within a minute.",
	})
	return true
}

// patience is how long an application waits for the body of a request. Time that the
// client is waited for is spent, and bytes that come earn it; never is there more than the
// whole of it. So a client may be silent for a while, or slow for ever, and one that sends
// a byte now and then, to hold on to the application, gets to the end of it.
type patience struct {
	whole time.Duration
	// rate is how many bytes a second earn what a second costs.
	rate int64
	left time.Duration
	// until is what the connection has been told.
	until time.Time
}

// bodyTimeout is the whole of it where nobody says more.
const bodyTimeout = 2 * time.Minute

// newPatience is what limits say.
func newPatience(l *limit.Limits) patience {
	whole := l.BodyTimeout
	if whole == 0 {
		whole = bodyTimeout
	}
	return patience{whole: whole, rate: l.BodyRate, left: whole}
}

// wait tells a connection how long it may take from now until something comes. To say so
// costs something on HTTP/2, and is left out where it would make little difference.
func (p *patience) wait(conn *http.ResponseController, now time.Time) {
	until := now.Add(p.left)
	if p.until.IsZero() || until.Sub(p.until).Abs() > p.whole/16 {
		p.until = until
		_ = conn.SetReadDeadline(until)
	}
}

// came counts n bytes that were waited for that long.
func (p *patience) came(n int, waited time.Duration) {
	if p.rate == 0 { // any byte will do
		if n > 0 {
			p.left = p.whole
		}
		return
	}
	earned := p.whole // more than there may be
	if int64(n) < p.rate*int64(p.whole/time.Second+1) {
		earned = time.Duration(n) * time.Second / time.Duration(p.rate)
	}
	p.left = max(min(p.left-waited+earned, p.whole), 0)
}

// tooSlow answers a request whose body did not come in time (RFC 9110 section 15.5.9).
func (p *Proxy) tooSlow(x *exchange) {
	p.limiter.Tell(limit.BodyTimeout, x.client)
	leaveBody(x, linger)
	v := Verdict{Reason: ReasonTooSlow}
	x.verdict.Reason = v.Reason
	p.answer(x, http.StatusRequestTimeout, v)
}

// isTooSlow reports whether reading a body ended because nothing came.
func isTooSlow(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
