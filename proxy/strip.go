package proxy

import (
	"io"
	"net/http"
	"strings"
)

// stripper removes from a client's request what an upstream would believe to come
// from claimproxy, or to be another request than the one that was decided on.
type stripper struct {
	// names are stripped, folded.
	names map[string]bool
	// first are the bytes that a stripped name may begin with, so that most headers
	// need no second look.
	first [256]bool
}

// alwaysStripped are removed whatever the configuration says, folded.
var alwaysStripped = []string{
	// Where a request comes from; ours are set afterwards.
	"forwarded", "x-real-ip", "x-request-id",
	// Another method than the one that was decided on, see overrides.
	"x-http-method-override", "x-http-method", "x-method-override",
	// Grafana's role, which a route may set by policy.
	"x-webauth-role",
	// CGI programs take it for the variable HTTP_PROXY ("httpoxy").
	"proxy",
}

// strippedPrefixes are removed with whatever follows, folded: forwarded metadata
// and identities, another path than the one that was decided on, our own future
// headers, and those of a common proxy of our kind that applications trust.
var strippedPrefixes = []string{"x-forwarded-", "x-original-", "x-rewrite-", "x-claimproxy-", "x-auth-request-"}

// newStripper makes a stripper that knows the identity headers of all presets and
// of all routes, and the fields that are about tokens.
func newStripper(t *Table, tokenFields []string) *stripper {
	s := &stripper{names: make(map[string]bool)}
	for _, name := range alwaysStripped {
		s.add(name)
	}
	for _, headers := range presets {
		for _, h := range headers {
			s.add(h.Name)
		}
	}
	for _, e := range t.routes {
		for _, h := range e.headers.all {
			s.add(h.Name)
		}
	}
	for _, name := range tokenFields {
		s.add(name)
	}
	for _, prefix := range strippedPrefixes {
		s.begins(prefix)
	}
	return s
}

// keepTokenFields puts back what a route's upstream is to see of the fields that are
// about tokens: as they came, and under the one name under which they were looked at.
func (p *Proxy) keepTokenFields(h http.Header, in *http.Request) {
	for _, name := range p.tokenFields {
		if values := in.Header[name]; len(values) > 0 {
			h[name] = values
		}
	}
}

func (s *stripper) add(name string) {
	if folded := string(fold(nil, name)); !s.names[folded] { // most routes have the same ones
		s.names[folded] = true
		s.begins(folded)
	}
}

// begins notes all spellings of the first byte of a folded name.
func (s *stripper) begins(folded string) {
	for c := range s.first {
		if string(fold(nil, string([]byte{byte(c)}))) == folded[:1] {
			s.first[c] = true
		}
	}
}

// strip removes headers. It serves for trailers too.
func (s *stripper) strip(h http.Header) {
	for name := range h {
		if s.strips(name) {
			delete(h, name)
		}
	}
}

// strips reports whether a header of this name, however it is spelt, is not the
// client's to send.
func (s *stripper) strips(name string) bool {
	if name == "" || !s.first[name[0]] {
		return false
	}
	var buf [64]byte
	folded := fold(buf[:0], name)
	if s.names[string(folded)] {
		return true
	}
	for _, prefix := range strippedPrefixes {
		if len(folded) >= len(prefix) && string(folded[:len(prefix)]) == prefix {
			return true
		}
	}
	return false
}

// fold appends name in the one form that all its spellings share. CGI, WSGI and PHP
// make variables of headers: letters become upper case, "-" becomes "_", and
// several servers do the same to "." or to everything that is no letter or digit.
// So X-Forwarded-User, x_forwarded_user and X.Forwarded.User are one header to them.
func fold(dst []byte, name string) []byte {
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case 'A' <= c && c <= 'Z':
			dst = append(dst, c+'a'-'A')
		case isAlphanumeric(c):
			dst = append(dst, c)
		default:
			dst = append(dst, '-')
		}
	}
	return dst
}

// dropOwnSetCookies removes from an upstream's answer cookies of claimproxy's own
// names: an application must not be able to sign its visitors in or out.
func (p *Proxy) dropOwnSetCookies(h http.Header) {
	lines := h["Set-Cookie"]
	for _, line := range lines {
		if p.cookies.Own(setCookieName(line)) {
			kept := make([]string, 0, len(lines))
			for _, line := range lines {
				if !p.cookies.Own(setCookieName(line)) {
					kept = append(kept, line)
				}
			}
			if len(kept) == 0 {
				delete(h, "Set-Cookie")
			} else {
				h["Set-Cookie"] = kept
			}
			return
		}
	}
}

// answerBody is the body of an upstream's answer that may end in trailers, announced or
// not. They are known when it is closed, and passed on after that.
type answerBody struct {
	io.ReadCloser
	answer *http.Response
	filter func(http.Header)
}

func (b *answerBody) Close() error {
	err := b.ReadCloser.Close()
	b.filter(b.answer.Trailer)
	return err
}

// setCookieName returns the name under which the cookie of a Set-Cookie line comes
// back. A cookie without a name comes back as its value alone (RFC 6265bis section
// 5.7), so "=claimproxy=x" would be sent as claimproxy=x.
func setCookieName(line string) string {
	line = strings.TrimLeft(line, " \t=")
	name, _, _ := strings.Cut(line, ";")
	name, _, _ = strings.Cut(name, "=")
	return strings.Trim(name, " \t")
}
