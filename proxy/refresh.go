package proxy

import (
	"net/http"
	"strings"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/answer"
)

// refreshSession has the cookies of a session set again with an upstream's answer, where
// that is due. It is done for people who open a page and for nobody else: a program would
// not keep the cookies, and requests that a page makes side by side would each be
// answered by others. The answer to a front proxy's question never sets one.
//
// A cookie that a cache hands to other people gives them the session. So an answer that
// is meant for many has none; every other one is private, see keepPrivate.
func (p *Proxy) refreshSession(x *exchange, h http.Header) {
	id := x.verdict.Identity
	if p.refresh == nil || id == nil || id.Auth != session.AuthBrowser || !answer.IsNavigation(x.request) || forMany(h) {
		return
	}
	asked := *x.request
	asked.Host = x.target.Authority
	set := make(http.Header)
	p.refresh(set, &asked)
	if len(set["Set-Cookie"]) == 0 {
		return
	}
	h["Set-Cookie"] = append(h["Set-Cookie"], set["Set-Cookie"]...)
}

// forMany reports whether an upstream allows caches to give its answer to others: with
// public and s-maxage, or in the fields by which it speaks to caches in front (RFC 9213).
func forMany(h http.Header) bool {
	return len(h["Cdn-Cache-Control"]) > 0 || len(h["Surrogate-Control"]) > 0 || hasDirective(h, "public", "s-maxage")
}

// hasDirective reports whether Cache-Control has one of the directives, with whatever
// value.
func hasDirective(h http.Header, names ...string) bool {
	for _, line := range h["Cache-Control"] {
		for directive := range strings.SplitSeq(line, ",") {
			got, _, _ := strings.Cut(directive, "=")
			for _, name := range names {
				if strings.EqualFold(strings.Trim(got, " \t"), name) {
					return true
				}
			}
		}
	}
	return false
}
