package session

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// CookieNames are the names of all cookies that claimproxy sets on a host. It is
// comparable and cheap to copy.
type CookieNames struct {
	// Session is the name of the session cookie.
	Session string
	// AttemptPrefix begins the name of each sign-in attempt's cookie; what follows
	// tells attempts apart, so that tabs do not disturb each other.
	AttemptPrefix string
	// Secure says that all of them are set with the Secure attribute.
	Secure bool
}

// NewCookieNames derives the names from the configured one. With secure they
// begin with __Host-, so that a browser accepts them over https alone, for exactly
// this host and all its paths (RFC 6265bis section 4.1.3.2). Without, for plain
// http on loopback, they have no prefix.
func NewCookieNames(name string, secure bool) (CookieNames, error) {
	lower := strings.ToLower(name)
	switch {
	case name == "":
		return CookieNames{}, errors.New("cookie name is empty")
	case strings.HasPrefix(lower, "__host-"), strings.HasPrefix(lower, "__secure-"):
		return CookieNames{}, fmt.Errorf("cookie name %q: the prefix is added by claimproxy; expected a name without it", name)
	case (&http.Cookie{Name: name, Value: "x"}).Valid() != nil:
		return CookieNames{}, fmt.Errorf("cookie name %q: expected letters, digits and - _ . only", name)
	}
	if secure {
		name = "__Host-" + name
	}
	return CookieNames{Session: name, AttemptPrefix: name + "-login-", Secure: secure}, nil
}

// Own reports whether a cookie of this name is claimproxy's: the session cookie,
// a numbered part of it, or a sign-in attempt's.
func (n CookieNames) Own(name string) bool {
	rest, ok := strings.CutPrefix(name, n.Session)
	if !ok || n.Session == "" {
		return false
	}
	if rest == "" || strings.HasPrefix(name, n.AttemptPrefix) {
		return true
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

// setCookie adds c to the response in place of an earlier cookie of its name
// (RFC 6265 section 4.1.1 allows one of a name).
func setCookie(w http.ResponseWriter, c *http.Cookie) {
	h := w.Header()
	lines := h["Set-Cookie"]
	kept := make([]string, 0, len(lines)+1)
	for _, line := range lines {
		if cookieName(line) != c.Name {
			kept = append(kept, line)
		}
	}
	h["Set-Cookie"] = append(kept, c.String())
}

// cookie returns the session cookie. There is no Domain attribute, so that no
// other host gets it.
func (s *Store) cookie(value string, maxAge int) *http.Cookie {
	c := &http.Cookie{
		Name: s.names.Session, Value: value, Path: "/", MaxAge: maxAge,
		Secure: s.names.Secure, HttpOnly: true, SameSite: s.sameSite,
	}
	if maxAge < 0 {
		c.Expires = time.Unix(1, 0) // for what does not know Max-Age
	}
	return c
}
