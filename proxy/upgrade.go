package proxy

import (
	"net/http"
	"strings"
)

// isWebsocket reports whether a request asks for a websocket (RFC 6455 section
// 4.1) and for nothing else. Only such an upgrade is forwarded: h2c would carry
// further requests past the policy, and others nobody has asked for.
func isWebsocket(r *http.Request) bool {
	upgrade := r.Header["Upgrade"]
	return len(upgrade) == 1 && strings.EqualFold(strings.Trim(upgrade[0], " \t"), "websocket") &&
		r.Method == http.MethodGet && r.ContentLength == 0 && r.ProtoMajor == 1 && r.ProtoMinor >= 1 &&
		hasToken(r.Header["Connection"], "upgrade")
}

// hasToken reports whether a comma-separated field contains a token.
func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.Trim(element, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// isToken reports whether a field is one token (RFC 9110 section 5.6.2).
func isToken(field string) bool {
	for i := 0; i < len(field); i++ {
		if !isTokenByte(field[i]) {
			return false
		}
	}
	return field != ""
}

func isTokenByte(c byte) bool { return tokenBytes[c] }

var tokenBytes = func() (of [256]bool) {
	for c := range of {
		of[c] = isAlphanumeric(byte(c)) || strings.IndexByte("!#$%&'*+-.^_`|~", byte(c)) >= 0
	}
	return of
}()

// withoutUpgrade takes a request's wish for another protocol away. A server may
// always ignore it (RFC 9110 section 7.8).
func withoutUpgrade(r *http.Request) *http.Request {
	if len(r.Header["Upgrade"]) == 0 {
		return r
	}
	plain := *r
	plain.Header = r.Header.Clone()
	plain.Header.Del("Upgrade")
	plain.Header.Del("Http2-Settings")
	return &plain
}
