package proxy

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/claimproxy/claimproxy/policy"
	"github.com/claimproxy/claimproxy/proxy/limit"
	"github.com/claimproxy/claimproxy/session"
)

// Outcome is what a decision comes to. The zero value denies.
type Outcome uint8

// The outcomes.
const (
	// Deny: the request may not pass, whoever sends it again.
	Deny Outcome = iota
	// Allow: the request may pass.
	Allow
	// SignIn: nobody is known, and somebody might be allowed.
	SignIn
	// BadCredentials: a token was presented and is no good. It is never made up for
	// by a cookie, nor by treating the caller as unknown.
	BadCredentials
	// Unavailable: it cannot be known now.
	Unavailable
	// BadRequest: what was asked cannot be understood in one way.
	BadRequest
	// Misdirected: it came over a connection that was opened for another host.
	Misdirected
	// TooMany: its sender has sent too many of them (RFC 6585 section 4).
	TooMany
)

// String returns the word of the audit log: allow, deny or sign-in.
func (o Outcome) String() string {
	switch o {
	case Allow:
		return "allow"
	case SignIn:
		return "sign-in"
	}
	return "deny"
}

// Verdict is the answer to a Question, with what people, programs and logs are
// told about it. The zero value denies.
type Verdict struct {
	Outcome Outcome
	Reason  Reason
	// Identity is the caller, nil if nobody is known or nobody was asked for.
	Identity *session.Identity
	// Caller is Identity as the rule saw it. Explanations, and identity headers that
	// depend on rules, are about this very caller at the same moment.
	Caller policy.Caller
	// Decision is the rule's, with what was missing.
	Decision policy.Decision
	// Sentence is for whoever is refused; empty: the reason has a sentence of its
	// own.
	Sentence string
	// Methods are those the route takes, when Reason is method.
	Methods []string
	// RetryAfter is when to ask again, for Unavailable and TooMany; zero means a few seconds.
	RetryAfter time.Duration
	// Cause is for the log, never for an answer.
	Cause error
}

// Question is what a decision is made about.
type Question struct {
	// Route is the route that the target is on.
	Route *Entry
	// Target is what is asked for, and Method how.
	Target Target
	Method string
	// Client is the address of who sends it, empty if there is none.
	Client string
	// Request carries the credentials. Nothing else of it is looked at, but for what
	// makes it a websocket, a CORS preflight or one with another method.
	Request *http.Request
	// again tells that the request was let in before and is under way: to ask about it
	// is no use of its session.
	again bool
	// asked tells that it is a front proxy who sends the request on, with all of its header.
	asked bool
}

// Decide says whether a request may pass. It is the only function that says yes;
// whatever asks about requests, asks here.
func (p *Proxy) Decide(ctx context.Context, q Question) Verdict {
	v := p.decide(ctx, q)
	if v.Outcome == Allow && (q.asked || q.Route.PassOverride) {
		v = p.decideOverridden(ctx, q, v)
	}
	if v.Outcome != Allow || p.mayAllow == nil {
		return v
	}
	if err := p.mayAllow(); err != nil {
		v.Outcome, v.Reason, v.Cause = Unavailable, Reason(session.ReasonStoreUnavailable), err
		v.Sentence = "Who is let in is written down here, and that is not possible just now. Please try again in a moment."
	}
	return v
}

func (p *Proxy) decide(ctx context.Context, q Question) Verdict {
	if len(q.Request.Header["Authorization"]) > 1 {
		return Verdict{
			Outcome: BadRequest, Reason: Reason(session.ReasonTwoCredentials),
			Sentence: "The request carries more than one Authorization header.",
		}
	}
	rule := q.Route.Rule(q.Method)
	switch {
	case rule != nil && (rule.Public() && !q.Route.Identify || rule.Nobody()):
		// Whoever it is, the answer is the same, so nobody is asked.
		return p.ruled(rule, &q, nil)
	case q.Route.PassPreflight && isPreflight(&q) && !q.Route.methods.closed():
		return asPublic
	case rule == nil:
		return Verdict{Outcome: Deny, Reason: ReasonMethod, Methods: q.Route.methods.allowed}
	case q.Route.networks.has(q.Client):
		return asPublic
	case q.Route.passes(q.Request):
		if q.Route.demanded {
			return p.unknown(rule, &q, errNobody)
		}
		return asPublic
	}
	id, err := p.whoSends(ctx, q)
	if err != nil {
		return p.unknown(rule, &q, err)
	}
	v := p.ruled(rule, &q, id)
	p.narrow(&v, q.Route, rule)
	switch {
	case v.Outcome != Allow || id.Auth != session.AuthBrowser:
	case !ownWebsocket(q):
		v.Outcome, v.Reason = Deny, Reason(policy.ReasonNotAllowed)
		v.Sentence = "A websocket must be opened by a page of this site."
	case p.sharesTrouble(&q):
		v.Outcome, v.Reason = Deny, Reason(policy.ReasonNotAllowed)
		v.Sentence = "This must be sent from a page of this site."
	}
	return v
}

// asPublic is the verdict where a route lets a request in as if its rule were
// public. The rule has not been asked.
var asPublic = Verdict{
	Outcome: Allow, Reason: Reason(policy.ReasonPublic),
	Decision: policy.Decision{Outcome: policy.Allow, Reason: policy.ReasonPublic},
}

// ruled asks the rule about a caller; nil is nobody.
func (p *Proxy) ruled(rule *policy.Rule, q *Question, id *session.Identity) Verdict {
	c := p.callerOf(q, id)
	d, same := ask(rule, &c, &q.Target)
	if !same {
		return Verdict{Outcome: BadRequest, Reason: ReasonBadTarget, Sentence: sentenceTwice}
	}
	v := Verdict{Reason: Reason(d.Reason), Identity: id, Caller: c, Decision: d, Cause: d.Err}
	if d.Shadow != nil && d.Shadow.Err != nil {
		p.log.Error("a shadow could not be evaluated", "policy", d.Shadow.Policy, "error", d.Shadow.Err)
	}
	switch d.Outcome {
	case policy.Allow:
		v.Outcome = Allow
	case policy.SignIn:
		v.Outcome = SignIn
	}
	return v
}

// unknown is the verdict when who is calling could not be told.
func (p *Proxy) unknown(rule *policy.Rule, q *Question, err error) Verdict {
	var rejected *session.Rejected
	var unavailable *session.Unavailable
	switch {
	case err == errNobody: // as for everybody who sends nothing
		return p.ruled(rule, q, nil)
	case errors.Is(err, errNobody):
		// Nobody is known. If a session is over, say so rather than that there
		// never was one.
		v := p.ruled(rule, q, nil)
		if errors.As(err, &rejected) && v.Outcome == SignIn {
			v.Reason, v.Sentence, v.Cause = Reason(rejected.Reason), rejected.Sentence, rejected.Cause
		}
		return v
	case errors.As(err, &rejected):
		return Verdict{
			Outcome: BadCredentials, Reason: Reason(rejected.Reason),
			Sentence: rejected.Sentence, Cause: rejected.Cause,
		}
	case errors.As(err, &unavailable):
		outcome := Unavailable
		if unavailable.Reason == session.ReasonTooManyRequests {
			outcome = TooMany
			p.limiter.Tell(limit.FailedTokens, q.Client)
		}
		return Verdict{
			Outcome: outcome, Reason: Reason(unavailable.Reason),
			Sentence: unavailable.Sentence, RetryAfter: unavailable.RetryAfter, Cause: unavailable.Cause,
		}
	}
	// A fault of ours is no statement about the caller.
	return Verdict{Outcome: Unavailable, Reason: Reason(session.ReasonStoreUnavailable), Cause: err}
}
