package session

import (
	"net/http"
	"strings"
)

// Own reports whether a cookie of this name is claimproxy's: a session cookie, a
// numbered part of one, or a sign-in attempt's. A host's own and the shared one count
// on every host.
func (n CookieNames) Own(name string) bool {
	return n.Session != "" && (isPart(name, n.Session) || strings.HasPrefix(name, n.AttemptPrefix)) ||
		n.Shared != "" && isPart(name, n.Shared)
}

// isPart reports whether name is that of a session cookie or of a numbered part of it.
func isPart(name, session string) bool {
	rest, ok := strings.CutPrefix(name, session)
	if !ok || rest == "" {
		return ok
	}
	number, ok := strings.CutPrefix(rest, ".")
	return ok && number != "" && strings.Trim(number, "0123456789") == ""
}

// Strip takes claimproxy's own cookies out of a request header on its way to an
// upstream. Other cookies stay byte for byte and in their order; a Cookie header
// that becomes empty is removed.
func (n CookieNames) Strip(h http.Header) {
	lines := h["Cookie"]
	if !n.anyOwn(lines) {
		return
	}
	kept := make([]string, 0, len(lines))
	for _, line := range lines {
		pairs := make([]string, 0, strings.Count(line, ";")+1)
		for pair := range strings.SplitSeq(line, ";") {
			if !n.Own(cookieName(pair)) {
				pairs = append(pairs, pair)
			}
		}
		if line = strings.TrimLeft(strings.Join(pairs, ";"), " \t"); trimBlanks(line) != "" {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 {
		h.Del("Cookie")
		return
	}
	h["Cookie"] = kept
}

func (n CookieNames) anyOwn(lines []string) bool {
	for _, line := range lines {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			if n.Own(cookieName(pair)) {
				return true
			}
		}
	}
	return false
}

// cookieName returns the name in one pair of a Cookie header. A pair without "="
// counts as a name: some servers read it so.
func cookieName(pair string) string {
	name, _, _ := strings.Cut(pair, "=")
	return trimBlanks(name)
}
