package proxy

import (
	"errors"
	"net/http"
)

// Judgement is everything that is found out about a request before it is answered
// or forwarded. The zero value refuses.
type Judgement struct {
	// Target is what was asked for; the zero value if that could not be read in one way,
	// and is not on a route that takes it in several.
	Target Target
	// Route is the one that the target is on, nil if there is none.
	Route *Entry
	// Client is the address of who sent the request, as far as it can be believed;
	// empty if there is none.
	Client string
	// Own tells that the target is one of claimproxy's own pages. It is never
	// forwarded, no route is looked for, and there is no verdict: the page itself
	// decides.
	Own bool
	// Verdict says whether the request may pass. It is about the route.
	Verdict Verdict
}

// Judge finds out what is to be done with a request, and does nothing about it.
// Whoever wants to know whether a request may pass asks here, so that a test of the
// configuration, an explanation and the proxy itself cannot come to different
// answers.
//
// Of the request, Method, Host, RequestURI, Header, RemoteAddr, TLS and
// ContentLength are looked at. URL is not: it has lost what two applications could
// read in two ways.
func (p *Proxy) Judge(r *http.Request) Judgement {
	scheme := p.scheme
	if r.TLS != nil {
		scheme = "https"
		if !p.ownConnection(r) {
			return Judgement{Client: p.client(r), Verdict: Verdict{
				Outcome: Misdirected, Reason: ReasonBadHost, Sentence: "The connection was opened for another host than the request names.",
			}}
		}
	}
	return p.judge(r, scheme, false)
}

// ownConnection reports whether a TLS connection was opened for the host that a request on
// it names: who looked at the one, such as a firewall or a balancer, has not been shown
// another. Trusted proxies may have one connection for all of their hosts, and a client
// that has named no host has looked at none.
func (p *Proxy) ownConnection(r *http.Request) bool {
	if r.TLS.ServerName == "" || p.trusts(r) {
		return true
	}
	opened, _, fault := canonicalHost(r.TLS.ServerName)
	if fault != nil {
		return false
	}
	host, _, fault := canonicalHost(r.Host)
	return fault != nil || host == opened // a host that is none has a refusal of its own
}

// judge is Judge for a request that the client sent with this scheme; asked tells that it is
// a front proxy who sends it on.
func (p *Proxy) judge(r *http.Request, scheme string, asked bool) Judgement {
	j := Judgement{Client: p.client(r)}
	if refusedMethod(r.Method) {
		j.Verdict = Verdict{Reason: ReasonMethod, Methods: usualMethods}
		return j
	}
	target, err := requestTarget(r, scheme)
	if err != nil {
		j.Verdict = faulty(err)
		return j
	}
	switch own := p.ownPaths.has(&target); {
	case own && target.ambiguous != nil:
		// No page of ours has such an address, and no application gets ours.
		j.Verdict = faulty(target.ambiguous)
	case own:
		j.Target, j.Own = target, true
	default:
		j.Route, j.Verdict = p.decideOn(r.Context(), Question{Target: target, Method: r.Method, Client: j.Client, Request: r, asked: asked})
		if j.Route != nil || target.ambiguous == nil {
			j.Target = target
		}
	}
	return j
}

// usualMethods is told to whoever uses a method that is refused everywhere.
var usualMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// faulty is the verdict on a target that is a *Fault.
func faulty(err error) Verdict {
	v := Verdict{Outcome: BadRequest, Reason: ReasonBadTarget}
	var fault *Fault
	if errors.As(err, &fault) {
		v.Reason, v.Sentence = fault.Reason, fault.Sentence
	}
	return v
}
