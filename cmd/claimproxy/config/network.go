package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

const networkExpected = "a network such as 10.0.0.0/8 or 2001:db8::/32, or an address"

// network decodes a network, or a single address, which is a network of one.
func (l *loader) network(n *yaml.Node, to *netip.Prefix, path string) bool {
	if !isText(n) {
		return l.mismatch(n, path, networkExpected)
	}
	prefix, err := netip.ParsePrefix(n.Value)
	if !strings.Contains(n.Value, "/") {
		var addr netip.Addr
		addr, err = netip.ParseAddr(n.Value)
		if err == nil && addr.Zone() == "" {
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
	}
	switch {
	case err != nil || !prefix.IsValid():
		l.fault(n, path, "expected %s, got %s", networkExpected, quote(n.Value)).hint("%s", shortNetwork(n.Value))
	case prefix.Addr().Is4In6():
		l.fault(n, path, "expected %s, got %s: an IPv4 address is written as one", networkExpected, quote(n.Value)).hint("%s", asIPv4(prefix))
	case prefix != prefix.Masked():
		l.fault(n, path, "expected %s, got %s: the address has bits behind the network's", networkExpected, quote(n.Value)).
			hint("did you mean %s, or %s alone?", prefix.Masked(), prefix.Addr())
	default:
		*to = prefix
		return true
	}
	return false
}

// shortNetwork suggests the network for "10.0.0.0/255.0.0.0" and "10.0.0.*".
func shortNetwork(text string) string {
	if before, found := strings.CutSuffix(text, ".*"); found {
		bits := 8 * (strings.Count(before, ".") + 1)
		text = fmt.Sprintf("%s%s/%d", before, strings.Repeat(".0", (32-bits)/8), bits)
	} else if host, mask, found := strings.Cut(text, "/"); found {
		addr, err := netip.ParseAddr(mask)
		if err != nil || !addr.Is4() {
			return ""
		}
		b := addr.As4()
		ones := fmt.Sprintf("%08b%08b%08b%08b", b[0], b[1], b[2], b[3])
		if strings.Contains(ones, "01") {
			return ""
		}
		text = fmt.Sprintf("%s/%d", host, strings.Count(ones, "1"))
	}
	if prefix, err := netip.ParsePrefix(text); err == nil && prefix == prefix.Masked() {
		return "did you mean " + prefix.String() + "?"
	}
	return ""
}

// asIPv4 suggests what an IPv4 network inside IPv6 was meant to be.
func asIPv4(p netip.Prefix) string {
	if p.Bits() < 96 {
		return ""
	}
	return fmt.Sprintf("did you mean %s?", netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96).Masked())
}

// validatePublicFrom checks the networks that a route is public for.
func (l *loader) validatePublicFrom(c *Config, r *Route) {
	if !l.good(&r.PublicFrom) || !l.notEmpty(&r.PublicFrom, len(r.PublicFrom), "network") {
		return
	}
	if r.Allow != nil && !asks(r.Allow) {
		l.bad(&r.PublicFrom, "networks make no difference beside allow: %s, which is the same for everybody", strings.TrimSpace(r.Allow.Text))
		return
	}
	for i := range r.PublicFrom {
		at := &r.PublicFrom[i]
		switch {
		case !l.good(at):
		case at.Bits() == 0:
			l.bad(at, "expected %s, got %s, which is all addresses", networkExpected, quote(at.String())).hint("if everybody may, say allow: public")
		case slices.Contains(r.PublicFrom[:i], *at):
			l.bad(at, "the network %s stands here twice", at)
		case !c.trusts(*at):
			l.warnLoopback(at)
		}
	}
}

// address decodes the address of a client.
func (l *loader) address(n *yaml.Node, to *netip.Addr, path string) bool {
	if !isText(n) {
		return l.mismatch(n, path, "an address such as 192.0.2.1 or 2001:db8::1")
	}
	addr, err := netip.ParseAddr(n.Value)
	if err != nil || addr.Zone() != "" || addr.Is4In6() {
		l.fault(n, path, "expected an address such as 192.0.2.1 or 2001:db8::1, got %s", quote(n.Value))
		return false
	}
	*to = addr
	return true
}
