package proxy

import (
	"net/netip"
	"net/url"
	"strings"
)

// maxHost is the length of the longest name of the DNS (RFC 1035 section 2.3.4).
const maxHost = 253

// canonicalHost reads a Host field (RFC 9112 section 3.2): host is the name alone,
// authority the name with the port that came. Two spellings of one host give one
// name: case does not count, nor does the dot that ends a fully qualified name.
func canonicalHost(field string) (host, authority string, fault *Fault) {
	if field == "" {
		return "", "", badHost("The request names no host.")
	}
	name, port, ok := cutPort(field)
	if !ok {
		return "", "", badHost("The port of the host is not a number.")
	}
	if strings.HasPrefix(name, "[") {
		host, ok = canonicalIPv6(name)
	} else {
		host, ok = canonicalName(name)
	}
	if !ok {
		return "", "", badHost("The host is not a valid name or address.")
	}
	if port == "" {
		return host, host, nil
	}
	if host == name {
		return host, field, nil
	}
	return host, host + ":" + port, nil
}

// hostOf is the canonical host of a URL.
func hostOf(u *url.URL) (host, authority string, err error) {
	host, authority, fault := canonicalHost(u.Host)
	if fault != nil {
		return "", "", fault
	}
	return host, authority, nil
}

// cutPort cuts the port off. An empty port is legal and is the same as none (RFC
// 3986 section 6.2.3).
func cutPort(field string) (name, port string, ok bool) {
	end := strings.LastIndexByte(field, ':')
	if end < 0 || strings.HasSuffix(field, "]") {
		return field, "", true
	}
	name, port = field[:end], field[end+1:]
	if len(port) > 5 {
		return "", "", false
	}
	n := 0
	for i := 0; i < len(port); i++ {
		if port[i] < '0' || port[i] > '9' {
			return "", "", false
		}
		n = 10*n + int(port[i]-'0')
	}
	return name, port, n <= 65535
}

// canonicalName lower-cases a name and takes off the dot at its end. Names consist
// of the letters of the DNS, and of "_", which people use in names of machines.
func canonicalName(name string) (string, bool) {
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > maxHost {
		return "", false
	}
	upper := false
	label := 0
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
			label++
		case 'A' <= c && c <= 'Z':
			upper = true
			label++
		case c == '.' && label > 0:
			label = 0
		default:
			return "", false
		}
	}
	if label == 0 {
		return "", false
	}
	if upper {
		name = strings.ToLower(name)
	}
	return name, true
}

// canonicalIPv6 writes an address in brackets in its one short form (RFC 5952). An
// address with a zone is local to the sender and names no host of ours.
func canonicalIPv6(name string) (string, bool) {
	inner, ok := strings.CutSuffix(name[1:], "]")
	if !ok {
		return "", false
	}
	addr, err := netip.ParseAddr(inner)
	if err != nil || !addr.Is6() || addr.Zone() != "" {
		return "", false
	}
	return "[" + addr.String() + "]", true
}
