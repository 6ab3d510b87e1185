package proxy

import (
	"net/http"
	"net/url"
	"strings"
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

// question is what a front proxy asks.
type question struct {
	// asked is the request that it is about, and scheme the one it came with: method,
	// host and target are from what the front proxy says, everything else is as it has
	// passed it on.
	asked  *http.Request
	scheme string
	// policies are what the front proxy demands beyond the routes.
	policies []string
	// redirect: people who have to sign in are to be sent there at once.
	redirect bool
	// oauth2Proxy: the front proxy was set up for oauth2-proxy.
	oauth2Proxy bool
}

// questionIn reads the question that a request is. The sentence says what is wrong
// with it, and is empty when nothing is. What is wrong with the request that it is
// about, is for its judgement to say.
func (p *Proxy) questionIn(x *exchange) (q question, sentence string) {
	r := *x.request
	q.asked = &r
	q.oauth2Proxy = x.target.Path == OAuth2ProxyAuth
	r.Body = http.NoBody
	if target, ok := p.envoyTarget(&r); ok {
		// The query is the client's, so there are no options in it.
		r.RequestURI, q.scheme = target, p.scheme
	} else if sentence = p.askedAbout(&r, &q.scheme); sentence == "" {
		sentence = q.readOptions(x.target.Query)
	}
	asHandshake(&r)
	return q, sentence
}

// askedAbout sets method, scheme, host and target of the request that a question is
// about to what the one family of headers says.
func (p *Proxy) askedAbout(r *http.Request, scheme *string) (sentence string) {
	one := func(name, called string) string {
		values := r.Header[name]
		if len(values) == 1 && values[0] != "" {
			return values[0]
		}
		if sentence == "" {
			sentence = "The question does not say in one " + called + " header what it is about."
		}
		return ""
	}
	switch p.forwardAuth {
	case ForwardAuthXForwarded:
		r.Method, *scheme = one("X-Forwarded-Method", "X-Forwarded-Method"), one("X-Forwarded-Proto", "X-Forwarded-Proto")
		r.Host, r.RequestURI = one("X-Forwarded-Host", "X-Forwarded-Host"), one("X-Forwarded-Uri", "X-Forwarded-Uri")
	case ForwardAuthXOriginal:
		r.Method = one("X-Original-Method", "X-Original-Method")
		var rest string
		*scheme, rest, _ = strings.Cut(one("X-Original-Url", "X-Original-URL"), "://")
		end := strings.IndexAny(rest, "/?#")
		if end < 0 {
			end = len(rest)
		}
		r.Host, r.RequestURI = rest[:end], rest[end:]
	}
	switch strings.ToLower(*scheme) {
	case "https", "wss":
		*scheme = "https"
	case "http", "ws":
		*scheme = "http"
	default:
		if sentence == "" {
			sentence = "The question names neither http nor https."
		}
	}
	return sentence
}

// readOptions reads the query of a question: policy=NAME, as often as there are
// policies to hold, and redirect=true. Anything else is refused, as what is demanded
// and not understood must not let anybody in.
func (q *question) readOptions(query string) (sentence string) {
	options, err := url.ParseQuery(query)
	if err != nil {
		return "The options of the question cannot be read."
	}
	for name, values := range options {
		switch {
		case name == "policy":
			q.policies = values
		case name == "redirect" && len(values) == 1 && (values[0] == "true" || values[0] == "false"):
			q.redirect = values[0] == "true"
		default:
			return "The question has an option that there is none of: there are policy=NAME and redirect=true."
		}
	}
	// Caddy leaves the client's query in place where it is told to ask without one.
	if _, asked, _ := strings.Cut(q.asked.RequestURI, "?"); len(q.policies) > 0 && asked == query {
		return "The question names a policy in the query of the request that it is about, where the client may have written it."
	}
	return ""
}

// asHandshake makes a question about the opening handshake of a websocket look like
// one, so that it is judged as one. Upgrade and Connection are about one connection
// alone, and many front proxies do not pass them on (RFC 9110 section 7.6.1).
// Sec-WebSocket-Key and -Version they do, and no page can send those in another way.
func asHandshake(r *http.Request) {
	if len(r.Header["Sec-Websocket-Key"]) == 0 && len(r.Header["Sec-Websocket-Version"]) == 0 && !hasToken(r.Header["Upgrade"], "websocket") {
		return
	}
	r.Header = r.Header.Clone()
	r.Header["Upgrade"], r.Header["Connection"] = []string{"websocket"}, []string{"upgrade"}
	r.ProtoMajor, r.ProtoMinor, r.ContentLength = 1, 1, 0
}
