package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/claimproxy/claimproxy/policy"
	"github.com/claimproxy/claimproxy/session"
)

// known is what is made of an identity once and remembered with it: it lives as long as
// the session's or the token's identity does, and not a moment longer.
type known struct {
	claims *policy.Claims
	// sent are the identity headers that have been made of the claims.
	sent atomic.Pointer[[]sentHeaders]
	// assertions are those that say the same, signed.
	assertions assertions
}

// sentHeaders are the steady headers of an identity, as a proxy has made them.
type sentHeaders struct {
	proxy   uint64
	steady  *steadyHeaders
	lines   []headerLine
	leftOut int
}

// headerLine is a header as it is put into a request. The value is shared by all
// requests, and nobody changes it.
type headerLine struct {
	name  string
	value []string
}

// maxSent bounds how many different headers are remembered with one identity. They are as
// long as the groups are many.
const maxSent = 4

// knownOf returns what is remembered with an identity.
func knownOf(id *session.Identity) *known {
	k, ok := id.Prepared(prepare).(*known)
	if !ok {
		return prepare(id.Claims).(*known)
	}
	return k
}

func prepare(c session.Claims) any { return &known{claims: policy.Index(c)} }

// headerPlan is the identity headers of a route.
type headerPlan struct {
	all []headerSource
	// steady depend on the identity alone; routes with the same ones share them.
	steady *steadyHeaders
	// varying depend on the request and the time too.
	varying []headerSource
}

type steadyHeaders struct{ sources []headerSource }

// planner makes the plans of many routes.
type planner map[string]*steadyHeaders

func (p planner) plan(headers []headerSource) headerPlan {
	plan := headerPlan{all: headers}
	var steady []headerSource
	var text strings.Builder
	for _, s := range headers {
		if len(s.Values) > 0 {
			plan.varying = append(plan.varying, s)
			continue
		}
		steady = append(steady, s)
		fmt.Fprintf(&text, "%q %t %q\n", s.Name, s.User, s.Claim)
	}
	if plan.steady = p[text.String()]; plan.steady == nil {
		plan.steady = &steadyHeaders{steady}
		p[text.String()] = plan.steady
	}
	return plan
}

// proxies numbers proxies, so that no header that was made under one configuration is
// sent under another.
var proxies atomic.Uint64

// setIdentity sets the identity headers of a route, of which nothing that a client
// sent is left by now, and returns how many values were left out because they
// could be taken for something else.
func (p *Proxy) setIdentity(h http.Header, e *Entry, t *Target, v *Verdict) (leftOut int) {
	id := v.Identity
	if id == nil {
		return 0
	}
	p.setAssertion(h, e, t, v)
	if e.headers.steady == nil {
		return 0
	}
	k := knownOf(id)
	sent := k.made(p.number, e.headers.steady)
	if sent == nil {
		sent = p.makeHeaders(e.headers.steady, id)
		k.remember(sent)
	}
	for i := range sent.lines {
		h[sent.lines[i].name] = sent.lines[i].value
	}
	for i := range e.headers.varying {
		s := &e.headers.varying[i]
		if value := s.chosen(&v.Caller, t); value != "" {
			h[s.Name] = []string{value}
		}
	}
	return sent.leftOut
}

// made returns headers that are remembered, or nil.
func (k *known) made(proxy uint64, steady *steadyHeaders) *sentHeaders {
	all := k.sent.Load()
	if all == nil {
		return nil
	}
	for i := range *all {
		if s := &(*all)[i]; s.proxy == proxy && s.steady == steady {
			return s
		}
	}
	return nil
}

// remember keeps headers, in the place of those that have been kept for the longest
// time. Where somebody else keeps some at the same time, one of the two is made again.
func (k *known) remember(s *sentHeaders) {
	before := k.sent.Load()
	after := []sentHeaders{*s}
	if before != nil {
		after = append(after, (*before)[:min(len(*before), maxSent-1)]...)
	}
	k.sent.CompareAndSwap(before, &after)
}

// makeHeaders makes the headers that depend on an identity alone.
func (p *Proxy) makeHeaders(steady *steadyHeaders, id *session.Identity) *sentHeaders {
	sent := &sentHeaders{proxy: p.number, steady: steady}
	for i := range steady.sources {
		s := &steady.sources[i]
		if s.person && id.Auth == session.AuthClient {
			continue
		}
		var value string
		n := 0
		switch {
		case s.User:
			value, n = single(id.User)
		case s.Claim == "email" && !session.EmailMayBeSent(id.Claims):
		default:
			value, n = p.values.of(lookup(id.Claims, s.Claim))
		}
		sent.leftOut += n
		if value != "" {
			sent.lines = append(sent.lines, headerLine{s.Name, []string{value}})
		}
	}
	return sent
}
