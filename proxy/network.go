package proxy

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// networks are those whose requests a route lets in as public.
type networks []netip.Prefix

// newNetworks checks networks, and writes those of IPv4 as such: peers are IPv4
// addresses whichever way the listener sees them, and would match no other prefix.
func newNetworks(prefixes []netip.Prefix) (networks, error) {
	n := make(networks, 0, len(prefixes))
	for _, p := range prefixes {
		const mapped = 96 // bits before the IPv4 address (RFC 4291 section 2.5.5.2)
		switch {
		case !p.IsValid():
			return nil, errors.New("it opens for a network that is none")
		case p.Addr().Is4In6() && p.Bits() >= mapped:
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
		}
		n = append(n, p)
	}
	return n, nil
}

// has reports whether an address is in one of the networks.
func (n networks) has(address string) bool {
	if len(n) == 0 {
		return false
	}
	addr, err := netip.ParseAddr(address)
	// A unix socket has no address, and is in no network.
	return err == nil && n.contain(addr)
}

// contain is has for an address that has been read.
func (n networks) contain(addr netip.Addr) bool {
	for _, p := range n {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// clientIP is the address of the TCP peer, without port and zone; empty if the peer
// has none, as on a unix socket. An IPv4 address is never written as an IPv6 one.
func clientIP(r *http.Request) string {
	if overUnix(r) {
		return ""
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	host, _, _ = strings.Cut(host, "%")
	if strings.IndexByte(host, ':') < 0 {
		return host
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return ""
	}
	return addr.Unmap().String()
}

// overUnix reports whether a request came through a unix socket. The name of the peer
// does not tell: it is what the peer has called its own socket, and may look like any
// address.
func overUnix(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && local.Network() == "unix"
}
