package signin

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/claimproxy/claimproxy/session"
)

// parseAddress reads the address of an application as a person types it. Without a scheme
// it is https; plain http is for this machine alone, since a token is sent there.
func parseAddress(raw string) (*url.URL, error) {
	text := raw
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return nil, fmt.Errorf("expected an address such as https://telemetry.example.org, got %q", raw)
	case u.User != nil:
		return nil, fmt.Errorf("expected an address without a user name and password, got one of %s", clean(u.Host))
	}
	u.Scheme, u.Host, u.Fragment = strings.ToLower(u.Scheme), strings.ToLower(u.Host), ""
	if port := u.Port(); port == "443" && u.Scheme == "https" || port == "80" && u.Scheme == "http" || port == "" {
		u.Host = strings.TrimSuffix(u.Host, ":"+port)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	if err := secure(u); err != nil {
		return nil, err
	}
	return u, nil
}

// secure reports an address to which nothing may be sent that is worth stealing: https, or
// plain http on this machine.
func secure(u *url.URL) error {
	if u.Scheme == "https" || u.Scheme == "http" && session.LoopbackHost(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("%s is not https: everybody on the way could read the token", clean(u.Scheme+"://"+u.Host))
}

// originOf is the scheme, host and port of an address of parseAddress (RFC 6454 section 6).
func originOf(u *url.URL) string { return u.Scheme + "://" + u.Host }

// sameOrigin says whether an address that a document names is on an origin.
func sameOrigin(origin, address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Opaque != "" {
		return false
	}
	return u.Scheme+"://"+u.Host == origin
}

// secureEndpoint reports an endpoint of a provider that may not be used: https and absolute,
// or plain http on this machine where the issuer is plain http as well.
func secureEndpoint(issuer, endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || !isASCII(endpoint) || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("%s is no absolute URL", clean(endpoint))
	}
	if u.Scheme == "https" || u.Scheme == "http" && strings.HasPrefix(issuer, "http://") && session.LoopbackHost(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("%s is not https", clean(endpoint))
}

// isASCII says whether a text is of printable ASCII alone, as URLs are (RFC 3986 section 2):
// what is printed for a person to open has nothing in it that a terminal obeys.
func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}
