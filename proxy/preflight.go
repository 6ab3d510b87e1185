package proxy

import (
	"net/http"
	"strings"
)

// isPreflight reports whether a request is a CORS preflight: with it a browser asks
// an application before it sends what a page of another origin wants (Fetch
// standard, "CORS-preflight fetch"). It never carries credentials, so a policy would
// refuse every one of them, and what was asked about could never be sent.
//
// A request with Authorization or with a body is none: no browser sends such a
// preflight, and neither the token nor the body has a way past the policy here.
// Cookies do not count either way.
func isPreflight(q *Question) bool {
	h := q.Request.Header
	if q.Method != http.MethodOptions || len(h["Authorization"]) > 0 || q.Request.ContentLength != 0 {
		return false
	}
	origins, methods := h["Origin"], h["Access-Control-Request-Method"]
	return len(origins) == 1 && isOrigin(origins[0]) && len(methods) == 1 && isToken(methods[0])
}

// isOrigin reports whether a field could be an Origin: "null", or a scheme and a
// host (Fetch standard, "Origin header"). One with a blank or a comma is several.
func isOrigin(field string) bool {
	scheme, host, ok := strings.Cut(field, "://")
	return field == "null" || ok && isToken(scheme) && host != "" && !strings.ContainsAny(host, " \t,/?#@")
}
