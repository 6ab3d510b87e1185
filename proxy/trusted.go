package proxy

import (
	"net/http"
	"net/netip"
	"strings"
)

// Trusted is whose word is believed about where a request comes from: proxies in front
// of claimproxy. The zero value believes nobody.
type Trusted struct {
	// Networks are those that the proxies' addresses are in.
	Networks []netip.Prefix
	// Unix believes whoever comes through a unix socket.
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

// trusts reports whether the TCP peer of a request is a trusted proxy.
func (p *Proxy) trusts(r *http.Request) bool {
	peer := clientIP(r)
	if peer == "" {
		return p.trusted.unix && !strings.Contains(r.RemoteAddr, ":")
	}
	return p.trusted.networks.has(peer)
}

// client is the address of who sent a request: the TCP peer or, where that is a
// trusted proxy, the last address in X-Forwarded-For that is none. What stands before
// that one was written by somebody whom nobody vouches for (CVE-2023-36456). It is
// empty when the peer has no address.
func (p *Proxy) client(r *http.Request) string {
	chain := p.chain(r)
	if len(chain) == 0 {
		return ""
	}
	return chain[0]
}

// chain is the way a request came, from the client to the TCP peer, as far as somebody
// who is trusted vouches for it.
func (p *Proxy) chain(r *http.Request) []string {
	var chain []string
	if peer := clientIP(r); peer != "" {
		chain = append(chain, peer)
	}
	lines := r.Header["X-Forwarded-For"]
	if len(lines) == 0 || !p.trusts(r) {
		return chain
	}
	// From the end to the front; the chain is turned round afterwards.
	rest := strings.Join(lines, ",")
	for more := true; more && len(chain) <= maxHops; {
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
		chain = append(chain, addr)
		if !p.trusted.networks.has(addr) {
			break
		}
	}
	for i, j := 0, len(chain)-1; i < j; i, j = i+1, j-1 {
		chain[i], chain[j] = chain[j], chain[i]
	}
	return chain
}

// hop reads an entry of X-Forwarded-For: an address, which some write with a port.
func hop(entry string) (string, bool) {
	if addr, err := netip.ParseAddr(entry); err == nil {
		return addr.Unmap().WithZone("").String(), true
	}
	if port, err := netip.ParseAddrPort(entry); err == nil {
		return port.Addr().Unmap().WithZone("").String(), true
	}
	if inner, ok := strings.CutPrefix(entry, "["); ok {
		if addr, err := netip.ParseAddr(strings.TrimSuffix(inner, "]")); err == nil {
			return addr.Unmap().WithZone("").String(), true
		}
	}
	return "", false
}
