package main

import (
	"log/slog"
	"sync"
	"time"

	"github.com/claimproxy/claimproxy/proxy"
	"github.com/claimproxy/claimproxy/session"
)

const (
	// refusedAfter is how many refusals of one caller, at one route and for one reason,
	// within refusedWithin are told. A program that nobody looks at is refused for ever.
	refusedAfter  = 20
	refusedWithin = time.Minute
	// refusedQuiet is how long nothing more is said about it.
	refusedQuiet = 10 * time.Minute
	// maxRefused bounds the callers that are remembered, and refusedSample is of how many
	// the one is dropped that was refused first.
	maxRefused    = 1024
	refusedSample = 8
)

// refusals recognises callers who are refused again and again, and explains that in one
// line of the log. The events bring the time. The zero value has seen nobody.
type refusals struct {
	mu   sync.Mutex
	seen map[refused]*refusedTimes
}

// refused is who is refused, where and why.
type refused struct {
	client, provider, sub, route string
	reason                       proxy.Reason
}

type refusedTimes struct {
	since, told time.Time
	n           int
}

// advice is what to look at, by the reason. What is not here is no program's fault that
// somebody could mend, or is told in another way.
var advice = map[proxy.Reason]string{
	proxy.Reason(session.ReasonTokenInvalid):   "what the program sends as its token, and whether it was revoked; claimproxy check --live --token FILE says more about one",
	proxy.Reason(session.ReasonTokenExpired):   "why the program does not fetch another one: its refresh token may be over",
	proxy.Reason(session.ReasonTokenClient):    "whether the program's client id belongs into the provider's clients; claimproxy check --live --token FILE shows it",
	proxy.Reason(session.ReasonTokenAudience):  "which resource or audience the program asks its token for, and bearer.audiences",
	proxy.Reason(session.ReasonTokenKind):      "whether the program sends its ID token or refresh token in place of the access token; bearer.accept",
	proxy.Reason(session.ReasonTokenProvider):  "which issuer the token is from, and native.provider_header",
	proxy.Reason(session.ReasonTwoCredentials): "which of the two Authorization headers the program, or a proxy on the way, adds",
	proxy.Reason(session.ReasonNoCredentials):  "whether the program knows how to sign in, or a proxy in front takes its Authorization header off",
	reasonNotAllowed:      "whether the person or program should have what the policy asks for; claimproxy audit explain REQUEST_ID says what was lacking",
	reasonScope:           "which scopes the program asks its token for",
	proxy.ReasonMethod:    "the route's methods",
	proxy.ReasonBadTarget: "the paths that the program asks for, and ambiguous_paths of the route",
}

const (
	reasonNotAllowed proxy.Reason = "not-allowed"
	reasonScope      proxy.Reason = "scope"
)

// observe looks at one event.
func (r *refusals) observe(log *slog.Logger, e proxy.Event) {
	if e.Decision == "allow" || e.Decision == "" {
		return
	}
	look, ok := advice[e.Reason]
	if !ok || !r.again(&e) {
		return
	}
	log.Warn("the same caller is refused again and again", "reason", string(e.Reason), "because", e.Reason.Meaning(), "look_at", look,
		"times", refusedAfter, "within", refusedWithin.String(), "route", e.Route, "client_ip", e.ClientIP, "provider", e.Provider, "sub", e.Subject,
		"request_id", e.RequestID)
}

// again counts a refusal, and says whether it is one that is told.
func (r *refusals) again(e *proxy.Event) bool {
	key := refused{e.ClientIP, e.Provider, e.Subject, e.Route, e.Reason}
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.seen[key]
	if t == nil {
		if r.seen == nil {
			r.seen = make(map[refused]*refusedTimes)
		}
		if len(r.seen) >= maxRefused {
			r.drop()
		}
		t = &refusedTimes{since: e.Time}
		r.seen[key] = t
	}
	if e.Time.Sub(t.since) > refusedWithin {
		t.since, t.n = e.Time, 0
	}
	if t.n++; t.n != refusedAfter || !t.told.IsZero() && e.Time.Sub(t.told) < refusedQuiet {
		return false
	}
	t.told = e.Time
	return true
}

// drop makes room for one more.
func (r *refusals) drop() {
	var first refused
	var since time.Time
	n := 0
	for key, t := range r.seen {
		if n == 0 || t.since.Before(since) {
			first, since = key, t.since
		}
		if n++; n == refusedSample {
			break
		}
	}
	delete(r.seen, first)
}
