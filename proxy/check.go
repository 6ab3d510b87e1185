package proxy

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/claimproxy/claimproxy/policy"
	"github.com/claimproxy/claimproxy/session/answer"
)

// ForwardAuth is the family of headers in which a front proxy says what it asks about.
// One family is believed and the other ignored: front proxies overwrite the headers of
// the one they know and pass on what a client wrote into the other.
type ForwardAuth uint8

// The families.
const (
	// ForwardAuthOff answers no questions.
	ForwardAuthOff ForwardAuth = iota
	// ForwardAuthXForwarded is X-Forwarded-Method, -Proto, -Host and -Uri, as Traefik
	// and Caddy send them.
	ForwardAuthXForwarded
	// ForwardAuthXOriginal is X-Original-Method and X-Original-URL, as nginx is usually
	// told to send them.
	ForwardAuthXOriginal
)

// Paths below endpoints where front proxies ask.
const (
	checkPath = "/check"
	// envoyPath is followed by the path that is asked about: Envoy asks with the very
	// request, under a prefix.
	envoyPath = "/check/envoy"
)

// reasonHeader tells a front proxy the reason word; its status says less than ours.
const reasonHeader = "X-Claimproxy-Reason"

// check answers a front proxy that asks whether a request may pass. It is the same
// judgement as for a request that is forwarded, about the request that the headers
// name; the credentials are those of the question. The answers are 200 with the
// identity headers, 401, 403 and 503: nginx takes every other status for a failure.
// A question that cannot be understood, or that is not of a trusted proxy, is 400.
func (p *Proxy) check(x *exchange) {
	asker := x.request
	options, err := url.ParseQuery(x.target.Query)
	asked, scheme, sentence := p.askedAbout(x)
	switch {
	case err != nil:
		sentence = "The options of the question cannot be read."
	case !p.trusts(asker):
		sentence = "Only a trusted proxy may ask here. Its address belongs into trusted_proxies."
	}
	if sentence != "" {
		p.refuse(x, Verdict{Outcome: BadRequest, Reason: ReasonBadTarget, Sentence: sentence})
		return
	}
	j := p.judge(asked, scheme)
	if name, named := options["policy"]; named {
		j = p.alsoBy(j, asked, name)
	}
	// From here on it is about the request that is asked about, in the log as well.
	x.own, x.request, x.target, x.route, x.verdict = false, asked, j.Target, j.Route, j.Verdict
	if j.Own {
		// A page of ours is never behind somebody else's question.
		x.verdict = Verdict{Reason: ReasonNoRoute}
	}
	p.logCause(x, x.verdict)
	x.Header().Set(reasonHeader, string(x.verdict.Reason))
	p.answerCheck(x, options.Get("redirect") == "true")
}

// answerCheck turns the verdict into one of the few answers that front proxies know.
func (p *Proxy) answerCheck(x *exchange, redirect bool) {
	v := x.verdict
	navigation := x.route != nil && x.route.SignIn.Has(Browser) && answer.IsNavigation(x.request)
	switch v.Outcome {
	case Allow:
		p.answerAllowed(x)
	case SignIn:
		if navigation && redirect {
			p.answers.Redirect(x, x.request, http.StatusFound, p.signInURL(x))
			return
		}
		if navigation {
			x.Header().Set("X-Claimproxy-Sign-In", p.signInURL(x))
		}
		x.Header()["Www-Authenticate"] = []string{challenge(&x.target, "", "")}
		p.answer(x, http.StatusUnauthorized, v)
	case BadCredentials:
		x.Header()["Www-Authenticate"] = []string{challenge(&x.target, "invalid_token", sentenceOf(v))}
		p.answer(x, http.StatusUnauthorized, v)
	case Unavailable:
		setRetryAfter(x.Header(), v)
		p.answer(x, http.StatusServiceUnavailable, v)
	default:
		if v.Reason == reasonScope {
			x.Header()["Www-Authenticate"] = []string{challenge(&x.target, "insufficient_scope", sentenceOf(v))}
		}
		p.answer(x, http.StatusForbidden, v)
	}
}

// answerAllowed says yes, with every identity header of the route, empty where
// nothing is known: a front proxy copies these headers onto the request, and one that
// is not there would leave in place what a client sent.
func (p *Proxy) answerAllowed(x *exchange) {
	h := x.Header()
	identity := http.Header{}
	x.leftOut = p.setIdentity(identity, x.route, &x.target, &x.verdict)
	for i := range x.route.headers {
		name := x.route.headers[i].Name
		h.Set(name, identity.Get(name))
	}
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", "0")
	x.WriteHeader(http.StatusOK)
}

// askedAbout makes the request that a question is about: method, scheme, host and
// target from the one family of headers, everything else as the front proxy passed it
// on. The sentence says what is missing; it is empty when nothing is.
func (p *Proxy) askedAbout(x *exchange) (asked *http.Request, scheme, sentence string) {
	r := *x.request
	r.ContentLength, r.Body = 0, http.NoBody
	if rest, ok := strings.CutPrefix(x.target.Encoded, p.endpoints+envoyPath); ok && strings.HasPrefix(rest, "/") {
		r.RequestURI = rest
		if x.target.HasQuery {
			r.RequestURI += "?" + x.target.Query
		}
		return &r, p.scheme, ""
	}
	one := func(name string) string {
		values := x.request.Header[name]
		if len(values) != 1 || values[0] == "" {
			if sentence == "" {
				sentence = "The question does not say in one " + name + " header what it is about."
			}
			return ""
		}
		return values[0]
	}
	switch p.forwardAuth {
	case ForwardAuthXForwarded:
		r.Method, scheme = one("X-Forwarded-Method"), one("X-Forwarded-Proto")
		r.Host, r.RequestURI = one("X-Forwarded-Host"), one("X-Forwarded-Uri")
	case ForwardAuthXOriginal:
		r.Method = one("X-Original-Method")
		var rest string
		var ok bool
		if scheme, rest, ok = strings.Cut(one("X-Original-Url"), "://"); !ok && sentence == "" {
			sentence = "X-Original-URL is not an absolute URL."
		}
		slash := strings.IndexAny(rest, "/?#")
		if slash < 0 {
			slash = len(rest)
		}
		r.Host, r.RequestURI = rest[:slash], rest[slash:]
	}
	switch strings.ToLower(scheme) {
	case "https", "wss":
		scheme = "https"
	case "http", "ws":
		scheme = "http"
	default:
		if sentence == "" {
			sentence = "The question names neither http nor https."
		}
	}
	return &r, scheme, sentence
}

// alsoBy narrows a judgement by the policy that the question names, which decides
// alone where no route is. A name that is not there lets nobody in.
func (p *Proxy) alsoBy(j Judgement, asked *http.Request, names []string) Judgement {
	if j.Own || j.Verdict.Outcome != Allow && j.Verdict.Reason != ReasonNoRoute {
		return j
	}
	for _, name := range names {
		e := p.policies[name]
		switch {
		case e == nil:
			e = nobodyRoute
		case j.Target.Host != p.host:
			// People sign in on one host; on the others they would not come back.
			e = &Entry{Route: e.Route, methods: e.methods, headers: e.headers}
			e.SignIn &^= Browser
		}
		v := p.Decide(asked.Context(), Question{Route: e, Target: j.Target, Method: asked.Method, Request: asked, Client: j.Client})
		if j.Route == nil || v.Outcome != Allow {
			j.Route = e
		}
		if j.Verdict = v; v.Outcome != Allow {
			break
		}
	}
	return j
}

// askable makes routes of the policies that front proxies may name.
func (p *Proxy) askable(policies map[string]*policy.Rule) error {
	p.policies = make(map[string]*Entry, len(policies))
	var kinds Kinds
	if p.sessions != nil {
		kinds |= Browser
	}
	if p.tokens != nil {
		kinds |= Bearer
	}
	headers, err := compileHeaders(presets[DefaultPreset])
	for name, rule := range policies {
		p.policies[name] = &Entry{
			Route:   Route{Name: "policy " + name, SignIn: kinds, Allow: rule},
			methods: methodTable{any: rule}, headers: headers,
		}
	}
	return err
}

// nobodyRoute stands for a policy that is not there.
var nobodyRoute = &Entry{Route: Route{Name: "", SignIn: Browser | Bearer}, methods: methodTable{any: &policy.Rule{}}}
