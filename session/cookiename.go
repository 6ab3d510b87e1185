package session

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// CookieNames are the names of all cookies that claimproxy sets. It is comparable and
// cheap to copy.
type CookieNames struct {
	// Session is the name of a host's own session cookie, which no other host gets.
	Session string
	// AttemptPrefix begins the name of each sign-in attempt's cookie; what follows
	// tells attempts apart, so that tabs do not disturb each other. An attempt is
	// always of one host.
	AttemptPrefix string
	// Secure says that all of them are set with the Secure attribute.
	Secure bool
	// Domain is the domain whose hosts have one session cookie together, itself
	// included, and Shared the name of that cookie. Empty: each host has its own.
	Domain, Shared string
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

// SharedBelow has the hosts of a domain share one session cookie. Its name begins with
// __Secure-, so that no page over plain http can set one (RFC 6265bis section 4.1.3.1);
// that the other hosts of the domain can is why Identify looks for the first good one.
func (n CookieNames) SharedBelow(domain string) (CookieNames, error) {
	switch {
	case !n.Secure:
		return CookieNames{}, errors.New("a session cookie for a whole domain needs https")
	case domain != strings.ToLower(domain), !strings.Contains(domain, "."), strings.HasPrefix(domain, "."), strings.HasSuffix(domain, "."):
		return CookieNames{}, fmt.Errorf("cookie domain %q: expected a domain such as int.example.org", domain)
	}
	n.Domain, n.Shared = domain, "__Secure-"+strings.TrimPrefix(n.Session, "__Host-")
	return n, nil
}

// Shares reports whether a host, in lower case and without port, is one of those that
// have one session cookie together.
func (n CookieNames) Shares(host string) bool {
	if n.Domain == "" || len(host) < len(n.Domain) {
		return false
	}
	rest, ok := strings.CutSuffix(host, n.Domain)
	return ok && (rest == "" || strings.HasSuffix(rest, "."))
}

// On returns the name of the session cookie on the host of a Host field, and its Domain
// attribute.
func (n CookieNames) On(field string) (name, domain string) {
	if n.Domain != "" && n.Shares(hostName(field)) {
		return n.Shared, n.Domain
	}
	return n.Session, ""
}

// hostName is the name in a Host field: lower case, without port and final dot.
func hostName(field string) string {
	return strings.ToLower(strings.TrimSuffix((&url.URL{Host: field}).Hostname(), "."))
}

// carried collects the handles in the request's session cookies, see carriedHandles.
func (s *Store) carried(r *http.Request, found *[maxHandles]handle) int {
	name, _ := s.names.On(r.Host)
	tries := 0
	return carriedHandles(r.Header["Cookie"], name, func(value string) (handle, bool) { return s.handleFor(r.Host, value, &tries) }, found)
}

// cookie returns the session cookie for the request's host. Without a Domain attribute
// no other host gets it.
func (s *Store) cookie(r *http.Request, value string, maxAge int) *http.Cookie {
	name, domain := s.names.On(r.Host)
	c := s.names.Cookie(name, value, maxAge, s.sameSite)
	c.Domain = domain
	return c
}
