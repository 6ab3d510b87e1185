package proxy

import (
	"net/http"
	"strings"

	"github.com/claimproxy/claimproxy/session/answer"
)

// Paths below endpoints where front proxies ask.
const (
	checkPath = "/check"
	// envoyPath is followed by the target that is asked about: Envoy asks with the
	// very request, under a prefix.
	envoyPath = "/check/envoy"
)

// What a front proxy is told beside the status, which says less than the reason.
const (
	reasonHeader = "X-Claimproxy-Reason"
	signInHeader = "X-Claimproxy-Sign-In"
)

// isQuestion reports whether a request asks about another one. Where Envoy asks, what
// follows the prefix may be anything that a client has written, so the judgement on
// the whole target does not count.
func (p *Proxy) isQuestion(r *http.Request, j *Judgement) bool {
	if p.forwardAuth == ForwardAuthOff {
		return false
	}
	_, envoys := p.envoyTarget(r)
	return envoys || j.Own && (j.Target.Path == p.endpoints+checkPath || p.oauth2Proxy && j.Target.Path == OAuth2ProxyAuth)
}

// check answers a front proxy that asks whether a request may pass. It is the same
// judgement as for a request that is forwarded, about the request that the headers
// name; the credentials are those of the question. The answers are 200 with the
// identity headers, 401, 403 and 503: nginx takes every other status for a failure.
// A question that cannot be understood, or that is not of a trusted proxy, is 400.
func (p *Proxy) check(x *exchange) {
	leaveBody(x, ownBody)
	if !p.trusts(x.request) {
		p.refuseQuestion(x, "Only a trusted proxy may ask here. Its address belongs into trusted_proxies.")
		return
	}
	q, sentence := p.questionIn(x)
	if sentence != "" {
		p.refuseQuestion(x, sentence)
		return
	}
	j := p.judge(q.asked, q.scheme, true)
	if len(q.policies) > 0 {
		j = p.alsoBy(j, q)
	}
	if j.Own {
		// A page of ours is never behind somebody else's question.
		j.Verdict = Verdict{Reason: ReasonNoRoute}
	}
	// From here on it is about the request that is asked about, in the log as well.
	x.request, x.target, x.route, x.verdict = q.asked, j.Target, j.Route, j.Verdict
	p.logCause(x, x.verdict)
	x.Header()[reasonHeader] = []string{string(x.verdict.Reason)}
	p.answerCheck(x, &q)
}

// refuseQuestion answers a question that is none. The sentence is for whoever sets up
// the front proxy, and so it stands in the log: nobody else will see the answer.
func (p *Proxy) refuseQuestion(x *exchange, sentence string) {
	p.log.InfoContext(x.request.Context(), "forward-auth: a question was refused", "why", sentence, "peer", clientIP(x.request), "request_id", x.id)
	p.refuse(x, Verdict{Outcome: BadRequest, Reason: ReasonBadTarget, Sentence: sentence})
}

// answerCheck turns the verdict into one of the few answers that front proxies know.
func (p *Proxy) answerCheck(x *exchange, q *question) {
	v := x.verdict
	switch v.Outcome {
	case Allow:
		if q.oauth2Proxy {
			p.answerAccepted(x)
			return
		}
		p.answerAllowed(x, http.StatusOK)
	case SignIn:
		if x.route.SignIn.Has(Browser) && answer.IsNavigation(x.request) {
			if q.redirect {
				p.answers.Redirect(x, x.request, http.StatusFound, p.signInURL(x))
				return
			}
			x.Header()[signInHeader] = []string{p.signInURL(x)}
		}
		p.challenge(x, &v)
		p.answer(x, http.StatusUnauthorized, v)
	case BadCredentials:
		p.challenge(x, &v)
		p.answer(x, http.StatusUnauthorized, v)
	case Unavailable, TooMany: // nginx knows no 429
		setRetryAfter(x.Header(), v)
		p.answer(x, http.StatusServiceUnavailable, v)
	default:
		if v.Reason == reasonScope {
			p.challenge(x, &v)
		}
		p.answer(x, http.StatusForbidden, v)
	}
}

// answerAllowed says yes, with every identity header of the route, empty where
// nothing is known: a front proxy copies these headers onto the request, and one that
// is not there would leave in place what a client sent (CVE-2026-30851).
func (p *Proxy) answerAllowed(x *exchange, status int) {
	identity := make(http.Header)
	x.leftOut = p.setIdentity(identity, x.route, &x.target, &x.verdict)
	for i := range x.route.headers.all {
		name := x.route.headers.all[i].Name
		x.Header()[name] = []string{identity.Get(name)}
	}
	if x.route.Assertion {
		x.Header()[assertionHeader] = []string{identity.Get(assertionHeader)}
	}
	p.answers.Empty(x, status)
}

// envoyTarget is the target that a request in Envoy's form asks about, as it came.
func (p *Proxy) envoyTarget(r *http.Request) (target string, ok bool) {
	target, ok = strings.CutPrefix(r.RequestURI, p.endpoints+envoyPath)
	return target, ok && strings.HasPrefix(target, "/")
}
