package login

import (
	"net/http"
	"net/url"
	"strings"
)

// way is where somebody goes after signing in. The zero value is public_url's front
// page.
type way struct {
	// origin is that of another host which a route names; empty: public_url's.
	origin string
	// path is the path and query there, as returnTo makes it.
	path string
	// challenge is the public half of the attempt that has begun there; empty: none
	// has. What leads back is sealed for whoever has the other half.
	challenge string
}

// wayOf reads where a request for signing in wants to go: a path is one of the
// request's own host, if a route names that, and else of public_url's.
func (h *Handler) wayOf(r *http.Request) way {
	here, _ := h.here(r)
	to := h.wayTo(parameter(r, "return_to"), here)
	if challenge := parameter(r, "challenge"); to.origin != "" && here == "" && isChallenge(challenge) && !h.shares(to.origin) {
		to.challenge = challenge
	}
	return to
}

// wayTo reads a place: a path on the host whose origin is here, or an absolute URL
// whose host is public_url's or one that a route names. Whatever else it is, a place of
// a stranger's choosing above all, becomes the front page of here.
//
// The origin is one that the configuration gives, and never what came; only the labels
// that wildcards stand for are taken from it, letter by letter. The path is checked as
// for public_url's.
func (h *Handler) wayTo(value, here string) way {
	if strings.HasPrefix(value, h.origin) {
		return way{path: h.returnTo(value)}
	}
	if rest, ok := strings.CutPrefix(value, h.PublicURL.Scheme+"://"); ok {
		authority, path := rest, "/"
		if end := strings.IndexAny(rest, `/\?#`); end >= 0 {
			authority, path = rest[:end], rest[end:]
		}
		if origin, ok := h.named(authority); ok && path[0] == '/' {
			return way{origin: origin, path: h.returnTo(path)}
		}
		return way{origin: here, path: "/"}
	}
	return way{origin: here, path: h.returnTo(value)}
}

// named returns the origin of an authority, as RFC 3986 section 3.2 calls host and port,
// if a route names its host and the port is the one that people use. There is no user
// name in it, no escape and no other spelling.
func (h *Handler) named(authority string) (origin string, ok bool) {
	u := url.URL{Scheme: h.PublicURL.Scheme, Host: strings.ToLower(authority)}
	origin, ok = h.originAt(u.Hostname())
	return origin, ok && origin != "" && originOf(&u) == origin
}

// originAt returns the origin of a host, in lower case and without port, if it is
// public_url's, whose is "", or one that a route names.
func (h *Handler) originAt(host string) (origin string, ok bool) {
	if host == h.host {
		return "", true
	}
	strange := func(r rune) bool {
		return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.:", r))
	}
	if h.Origin == nil || host == "" || strings.ContainsFunc(host, strange) {
		return "", false
	}
	u, err := url.Parse(h.Origin(host))
	if err != nil || u.Host == "" || strings.ToLower(u.Hostname()) != host {
		return "", false
	}
	return originOf(u), true
}

// here is the origin of the request's host, see originAt.
func (h *Handler) here(r *http.Request) (origin string, ok bool) { return h.originAt(hostOf(r)) }

// shares says whether a host has its session cookie together with others, so that
// whoever is known on public_url's is known there.
func (h *Handler) shares(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && h.Cookies.Shares(u.Hostname())
}

// checked is the way as far as it may still be gone: the routes may name other hosts
// by now.
func (h *Handler) checked(to way) way {
	to.path = h.returnTo(to.path)
	if to.origin == "" {
		return way{path: to.path}
	}
	if origin, ok := h.named(strings.TrimPrefix(to.origin, h.PublicURL.Scheme+"://")); !ok || origin != to.origin {
		return way{path: "/"}
	}
	return to
}

// urlTo is the absolute URL of a way's end.
func (h *Handler) urlTo(to way) string {
	if to.origin == "" {
		return h.destination(to.path)
	}
	return to.origin + to.path
}

// text is a way's end as return_to has it: a path where it is on public_url's host.
func (to way) text() string {
	if to.path == "" {
		to.path = "/"
	}
	return to.origin + to.path
}

// pairs are the query parameters of a way, for link.
func (to way) pairs() []string {
	pairs := []string{"return_to", to.text()}
	if to.challenge != "" {
		pairs = append(pairs, "challenge", to.challenge)
	}
	return pairs
}

// ownOrigin is the origin of the request's host, or public_url's where no route names
// it.
func (h *Handler) ownOrigin(r *http.Request) string {
	if origin, ok := h.here(r); ok && origin != "" {
		return origin
	}
	return h.origin
}
