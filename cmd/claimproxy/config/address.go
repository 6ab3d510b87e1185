package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// urlRule says which URLs a key takes. User info and fragments are never legal.
type urlRule struct {
	expected  string // "an https URL"
	plainHTTP bool   // http to any host, not to loopback hosts alone
	path      bool   // a path other than "/"
	query     bool
}

var (
	publicRule    = urlRule{expected: "an https URL with nothing behind the host"}
	issuerRule    = urlRule{expected: "an https URL", path: true}
	endpointRule  = urlRule{expected: "an https URL", path: true, query: true}
	upstreamRule  = urlRule{expected: "an http, https or h2c URL with nothing behind the host, or unix:/PATH", plainHTTP: true}
	collectorRule = urlRule{expected: "an http or https URL with nothing behind the host", plainHTTP: true}
)

// url decodes a URL. Which ones are legal is up to the key.
func (l *loader) url(n *yaml.Node, to **url.URL, path string) bool {
	if !isText(n) {
		return l.mismatch(n, path, "a URL")
	}
	u, err := url.Parse(n.Value)
	if err != nil && strings.Contains(n.Value, "://") {
		l.fault(n, path, "expected a URL, got %s", quote(n.Value))
		return false
	}
	if err != nil { // "127.0.0.1:8000", which lacks a scheme
		u = &url.URL{Opaque: n.Value}
	}
	u.Host = canonicalHost(u)
	*to = u
	return true
}

// canonicalHost is the host of a URL in the one spelling that all its spellings share.
func canonicalHost(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil && addr.Is6() {
		// An IPv6 address has many spellings, and one that browsers send (RFC 5952).
		host = strings.Replace(host, "["+strings.ToLower(u.Hostname())+"]", "["+addr.String()+"]", 1)
	}
	return host
}

// check says what is wrong with a URL, "" for nothing, and what was meant instead.
func (r urlRule) check(raw string) (problem, hint string) {
	expected := func(format string, args ...any) string {
		return fmt.Sprintf("expected %s, got ", r.expected) + fmt.Sprintf(format, args...)
	}
	if !strings.Contains(raw, "://") {
		scheme := "https://"
		if r.plainHTTP {
			scheme = "http://"
		}
		if u, err := url.Parse(scheme + raw); err == nil && !strings.HasPrefix(raw, "http") && u.Hostname() != "" && checkHost(strings.ToLower(u.Hostname())) == "" {
			hint = "did you mean " + scheme + raw + "?"
		}
		return expected("%s", quote(raw)), hint
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https":
		return expected("%s", quote(raw)), ""
	case u.Opaque != "" || u.Hostname() == "":
		return expected("%s, which names no host", quote(raw)), ""
	case u.User != nil:
		return expected("one with a user name or password, which cannot stand here"), ""
	case !validPort(u.Port()) || strings.HasSuffix(u.Host, ":"):
		return expected("%s: a port is a number from 1 to 65535", quote(raw)), ""
	}
	if problem := checkHost(strings.ToLower(u.Hostname())); problem != "" {
		return expected("%s: %s", quote(raw), problem), ""
	}
	switch {
	case u.Scheme == "http" && !r.plainHTTP && !isLoopback(u.Hostname()):
		return expected("%s: plain http is for loopback hosts alone", quote(raw)), "did you mean https" + strings.TrimPrefix(hideInURLs(userInfo.ReplaceAllString(raw, "://")), "http") + "?"
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return expected("%s: nothing can follow a `#` here", quote(raw)), ""
	case !r.query && (u.RawQuery != "" || u.ForceQuery):
		return expected("%s: it cannot have a query", quote(raw)), ""
	case !r.path && u.Path != "" && u.Path != "/":
		return expected("%s", quote(raw)), "did you mean " + u.Scheme + "://" + u.Host + "?"
	}
	return "", ""
}

func validPort(port string) bool {
	if port == "" {
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// isLoopback says whether plain http to a host never leaves this machine.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback() && !addr.Is4In6()
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// checkHost says what is wrong with a host name or IP address in lower case, ""
// for nothing. Brackets and ports are gone before it is asked.
func checkHost(host string) string {
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Zone() != "" {
			return "an address with a zone"
		}
		return ""
	}
	if host == "" {
		return "the host name is empty"
	}
	if len(host) > 253 {
		return "a host name has at most 253 characters"
	}
	labels := strings.Split(host, ".")
	for i, label := range labels {
		if label == "" && i == len(labels)-1 {
			return "a host name is written without a dot at its end"
		}
		if label == "" || len(label) > 63 {
			return "each part of a host name has 1 to 63 characters"
		}
		for _, c := range label {
			if c > 0x7f {
				return "a host name is written in ASCII, as xn--..."
			}
			if !isNameByte(byte(c)) {
				return fmt.Sprintf("%q cannot stand in a host name", c)
			}
		}
	}
	if last := labels[len(labels)-1]; last[0] >= '0' && last[0] <= '9' {
		return "this is neither a host name nor an IP address"
	}
	return ""
}

// checkListen says what is wrong with an address to listen on, "" for nothing.
func checkListen(address string) string {
	expected := fmt.Sprintf("expected host:port, as in 127.0.0.1:8080, got %s", quote(address))
	host, port, err := net.SplitHostPort(address)
	if err != nil || strings.Contains(address, "/") {
		return expected
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return expected + ": a port is a number up to 65535"
	}
	if host != "" {
		if problem := checkHost(strings.ToLower(host)); problem != "" {
			return expected + ": " + problem
		}
	}
	return ""
}

// checkPublicListen says what is wrong with an address to listen on for everybody, "" for
// nothing: host:port, unix:/PATH or systemd:NAME.
func checkPublicListen(address string) string {
	kind, rest, _ := strings.Cut(address, ":")
	switch {
	case kind == "unix" && !strings.HasPrefix(rest, "/"):
		return "expected unix: and a path that begins with /, got " + quote(address)
	case kind == "unix" && len(rest) > maxSocketPath:
		return fmt.Sprintf("the path of a socket has at most %d characters, got %d", maxSocketPath, len(rest))
	case kind == "unix":
		return ""
	case kind == "systemd" && (rest == "" || strings.ContainsAny(rest, ": /")):
		return "expected systemd: and the name of a socket, got " + quote(address)
	case kind == "systemd":
		return ""
	}
	return checkListen(address)
}

// maxSocketPath is how long the path of a socket can be on every system (sockaddr_un).
const maxSocketPath = 103

// meantListen suggests an address to listen on for what lacks a part of it, or has too
// many; "" for nothing.
func meantListen(address string) string {
	hostPort := address
	if _, after, isURL := strings.Cut(address, "://"); isURL {
		hostPort, _, _ = strings.Cut(after, "/")
	}
	host, port := hostPort, "8080"
	if n, err := strconv.ParseUint(hostPort, 10, 16); err == nil {
		host, port = "127.0.0.1", strconv.FormatUint(n, 10)
	} else if i := strings.LastIndexByte(hostPort, ':'); i >= 0 && (strings.Count(hostPort, ":") == 1 || strings.HasSuffix(hostPort[:i], "]") || isAddress(hostPort[:i])) {
		host, port = hostPort[:i], hostPort[i+1:]
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if host == "*" {
		host = ""
	}
	meant := net.JoinHostPort(host, port)
	if meant == address || checkListen(meant) != "" {
		return ""
	}
	if hostPort == port {
		return fmt.Sprintf("did you mean %s, or :%s for all addresses?", meant, port)
	}
	return "did you mean " + meant + "?"
}
