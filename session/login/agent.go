package login

import (
	"net/http"
	"net/netip"
	"strings"
)

// maxAgent bounds how much of a User-Agent is looked at.
const maxAgent = 512

// The browsers and systems that are known by name. Many name others too, so the more
// special ones stand first.
var (
	browsers = []struct{ sign, name string }{
		{"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"EdgiOS/", "Edge"}, {"OPR/", "Opera"}, {"Vivaldi/", "Vivaldi"}, {"SamsungBrowser/", "Samsung Internet"},
		{"FxiOS/", "Firefox"}, {"Firefox/", "Firefox"}, {"Falkon/", "Falkon"}, {"Konqueror/", "Konqueror"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"},
		{"Version/", "Safari"},
	}
	systems = []struct{ sign, name string }{
		{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"}, {"CrOS", "ChromeOS"}, {"Mac OS X", "macOS"},
		{"FreeBSD", "FreeBSD"}, {"Linux", "Linux"},
	}
)

// browserName says in a few words what a User-Agent is, such as "Firefox on Linux", so
// that people recognise their sessions. What it returns is from the lists above or a
// plain word: a User-Agent may be anything. It is empty when nothing can be said.
func browserName(agent string) string {
	agent = agent[:min(len(agent), maxAgent)]
	var name string
	for _, b := range browsers {
		if strings.Contains(agent, b.sign) {
			name = b.name
			break
		}
	}
	if name == "" {
		name = program(agent)
	}
	for _, s := range systems {
		if !strings.Contains(agent, s.sign) {
			continue
		}
		if name == "" {
			return s.name
		}
		return name + " on " + s.name
	}
	return name
}

// program is the product that a User-Agent begins with (RFC 9110 section 10.1.5), if
// that is a plain word. Mozilla is what all browsers say.
func program(agent string) string {
	name, _, _ := strings.Cut(agent, "/")
	const longest = 32
	if name == "" || len(name) > longest || name == "Mozilla" {
		return ""
	}
	for _, c := range []byte(name) {
		if c |= 0x20; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return ""
		}
	}
	return name
}

// addressOf is the address that a request came from, empty where it has none, as on a
// unix socket.
func addressOf(r *http.Request) string {
	if addr, err := netip.ParseAddr(r.RemoteAddr); err == nil {
		return addr.Unmap().WithZone("").String()
	}
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return peer.Addr().Unmap().WithZone("").String()
	}
	return ""
}
