package proxy

import (
	"net/url"
	"strings"
)

// ownWebsocket reports whether a request is no websocket, or comes from a page of
// its own origin. Browsers send cookies with websockets that any page opens, and no
// preflight asks before: the Origin is all there is (RFC 6455 section 10.2).
func ownWebsocket(q Question) bool {
	if !isWebsocket(q.Request) {
		return true
	}
	origins := q.Request.Header["Origin"]
	return len(origins) == 1 && sameOrigin(origins[0], &q.Target)
}

// sameOrigin reports whether an Origin field (RFC 6454 section 7) is the target's
// own.
func sameOrigin(field string, t *Target) bool {
	u, err := url.Parse(field)
	if err != nil || u.Scheme != t.Scheme || u.User != nil || u.Opaque != "" ||
		u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		return false
	}
	host, authority, fault := canonicalHost(u.Host)
	return fault == nil && host == t.Host && effectivePort(u.Scheme, host, authority) == effectivePort(t.Scheme, t.Host, t.Authority)
}

func effectivePort(scheme, host, authority string) string {
	switch port := strings.TrimPrefix(authority[len(host):], ":"); {
	case port != "":
		return port
	case scheme == "https":
		return "443"
	default:
		return "80"
	}
}
