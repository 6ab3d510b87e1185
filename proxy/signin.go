package proxy

import (
	"net/http"
	"net/url"
)

// signsIn reports whether people can sign in for a host and come back to it: on
// public_url's host, and on every one that a route names. The others get no session,
// whatever name a request comes under.
func (p *Proxy) signsIn(host string) bool { return host == p.host || p.table.hasHost(host) }

// signInPage is the sign-in page for a host: public_url's for that host and for those
// that have their session cookie together, else the host's own, which begins there. Where
// it is another host's page, origin is what the way back has to begin with.
func (p *Proxy) signInPage(host string) (page, origin string) {
	own := p.scheme + "://" + host + p.port
	switch {
	case host == p.host, !p.table.hasHost(host):
		return p.signIn, ""
	case p.cookies.Shares(host):
		return p.signIn, own
	}
	return own + p.endpoints + "/sign-in", ""
}

// signInURL is where to sign in and come back from. Where the way to do it is what is
// lacking, it says which.
func (p *Proxy) signInURL(x *exchange) string {
	place := x.returnTo
	if place == "" {
		place = returnTo(&x.target, x.request.Method)
	}
	if !p.signsIn(x.target.Host) {
		place = "/" // the path is one of a host that nobody is led to
	}
	page, origin := p.signInPage(x.target.Host)
	return page + "?return_to=" + url.QueryEscape(origin+place) + stepUpQuery(&x.verdict)
}

// sharesTrouble reports whether a request may have been made by a page of another host
// that has the same session cookie. Browsers send the cookie with it, whatever its
// SameSite, because the two are one site; so an application would act on what any other
// one has in mind. Where the cookie is the host's own this is left to the application.
func (p *Proxy) sharesTrouble(q *Question) bool {
	switch q.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	return p.cookies.Shares(q.Target.Host) && !ownPage(q)
}

// ownPage reports whether a page of the target's own origin has made a request. The
// Origin field says so; where there is none, or only "null", as from pages that send no
// referrer, Sec-Fetch-Site does, which no page can write (Fetch Metadata section 2.2).
func ownPage(q *Question) bool {
	origins, referers, sites := q.Request.Header["Origin"], q.Request.Header["Referer"], q.Request.Header["Sec-Fetch-Site"]
	if len(origins) == 1 && origins[0] != "null" {
		return sameOrigin(origins[0], &q.Target)
	}
	return len(origins) <= 1 && len(referers) == 0 && len(sites) == 1 && sites[0] == "same-origin"
}
