package proxy

import (
	"net"
	"net/http"
	"strings"
)

// clientIP is the address of the TCP peer, without port and zone; empty if the peer
// has none, as on a unix socket. An IPv4 address is never written as an IPv6 one.
//
// No header can change it: which proxies are believed about whose address is not
// for the client to say (CVE-2023-36456).
func clientIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	host, _, _ = strings.Cut(host, "%")
	if v4, mapped := strings.CutPrefix(host, "::ffff:"); mapped && strings.Contains(v4, ".") {
		return v4
	}
	return host
}
