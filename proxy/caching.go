package proxy

import (
	"net/http"
	"slices"
	"strings"
)

var private = []string{"private"}

// keepPrivate keeps the answer of an upstream from caches that answer several people,
// where the upstream says nothing about them: it need not know that a policy decides who
// gets it. Whoever may store an answer may also store one whose Cache-Control has an age
// alone, or that has nothing but Expires or Last-Modified, or nothing at all (RFC 9111
// sections 3 and 4.2.2); and who revalidates would be told "not modified" and hand out what
// another person has got. So all of these become private. An upstream that says public or
// s-maxage, or speaks to caches in front, has its way.
//
// Where callers without credentials are let in as well, but known ones are told apart, what
// one of them got is for another one only if it brings the same credentials.
func (p *Proxy) keepPrivate(x *exchange, h http.Header) {
	if x.request.Method != http.MethodGet && x.request.Method != http.MethodHead {
		return
	}
	if x.route.Identify {
		varyBy(h, "Cookie")
		varyBy(h, "Authorization")
	}
	// Of a route that is open to some networks alone, the answer is for these.
	if x.verdict.Identity == nil && len(x.route.PublicFrom) == 0 {
		return
	}
	if forMany(h) || hasDirective(h, "private", "no-store") {
		return
	}
	if len(h["Cache-Control"]) == 0 {
		h["Cache-Control"] = private[:1:1]
		return
	}
	h["Cache-Control"] = append(h["Cache-Control"], "private")
}

// varyBy has caches tell answers apart by a field of the request (RFC 9110 section 12.5.5).
func varyBy(h http.Header, field string) {
	for _, line := range h["Vary"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.Trim(name, " \t"); name == "*" || strings.EqualFold(name, field) {
				return
			}
		}
	}
	h["Vary"] = append(slices.Clip(h["Vary"]), field)
}
