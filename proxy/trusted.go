package proxy

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Trusted is whose word is believed about where a request comes from: proxies in front
// of claimproxy. The zero value believes nobody.
type Trusted struct {
	// Networks are those that the proxies' addresses are in.
	Networks []netip.Prefix
	// Unix believes whoever comes through a unix socket: who may open it, is up to the
	// permissions of its file.
	Unix bool
}

// trusted is Trusted as it is used.
type trusted struct {
	networks networks
	unix     bool
}

// maxHops bounds how many entries of X-Forwarded-For are looked at. A chain that is
// longer is a client's invention.
const maxHops = 50

// trusts reports whether the peer of a request is a trusted proxy.
func (p *Proxy) trusts(r *http.Request) bool {
	if overUnix(r) {
		return p.trusted.unix
	}
	return len(p.trusted.networks) > 0 && p.trusted.networks.has(clientIP(r))
}

// client is the address of who sent a request: the peer or, where that is a trusted
// proxy, the last address in X-Forwarded-For that is none. What stands before that
// one was written by somebody whom nobody vouches for (CVE-2023-36456). It is empty
// when the peer has no address, and when a trusted proxy does not say for whom it
// speaks: its own address would open what is open to its own network.
func (p *Proxy) client(r *http.Request) string {
	if !p.trusts(r) {
		return clientIP(r)
	}
	if told := p.told(r); len(told) > 0 {
		return told[len(told)-1]
	}
	return ""
}

// chain is the way a request came, from the client to the peer, as far as somebody
// who is trusted vouches for it.
func (p *Proxy) chain(r *http.Request) []string {
	var chain []string
	if peer := clientIP(r); peer != "" {
		chain = append(chain, peer)
	}
	if p.trusts(r) {
		chain = append(chain, p.told(r)...)
		slices.Reverse(chain)
	}
	return chain
}

// told is what trusted proxies say about the way of a request, from the peer of the
// last one back to the client. Of the headers that speak of it, only X-Forwarded-For
// is believed: it is the one that every proxy adds to, and none merely passes on.
func (p *Proxy) told(r *http.Request) (told []string) {
	lines := r.Header["X-Forwarded-For"]
	rest, more := strings.Join(lines, ","), len(lines) > 0
	for more && len(told) < maxHops {
		var entry string
		if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
			rest, entry = rest[:comma], rest[comma+1:]
		} else {
			entry, more = rest, false
		}
		addr, ok := hop(strings.Trim(entry, " \t"))
		if !ok {
			break // what cannot be read proves nothing, and neither does what is before it
		}
		told = append(told, addr.String())
		if !p.trusted.networks.contain(addr) {
			break
		}
	}
	return told
}

// hop reads an entry of X-Forwarded-For: an address, which some write with a port or
// in brackets. Zones mean nothing to anybody but the host that wrote them.
func hop(entry string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(entry)
	if inner, bracketed := strings.CutPrefix(entry, "["); err != nil && bracketed && strings.HasSuffix(inner, "]") {
		addr, err = netip.ParseAddr(inner[:len(inner)-1])
	}
	if err != nil {
		var withPort netip.AddrPort
		withPort, err = netip.ParseAddrPort(entry)
		addr = withPort.Addr()
	}
	return addr.Unmap().WithZone(""), err == nil
}
