package proxy

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/claimproxy/claimproxy/session"
)

// maxToken bounds the length of an access token.
const maxToken = 8 << 10

// shown returns the access token that a request shows to a route, and whether it shows
// one: as Bearer or, where the route takes it, as the password of Basic, on a route
// that takes tokens. The error is a *session.Rejected for one that cannot be read.
func (e *Entry) shown(r *http.Request) (p session.Presented, shows bool, err error) {
	field, ok := authorization(r)
	if !ok || !e.SignIn.Has(Bearer) {
		return p, false, nil
	}
	switch rest, scheme := schemeOf(field); {
	case scheme == "bearer":
		p.Token, ok = bearerToken(rest)
		if !ok {
			return p, true, session.Reject(session.ReasonTokenInvalid, "The bearer token is malformed.", nil)
		}
		return p, true, nil
	case scheme == "basic" && e.BasicToken:
		p.User, p.Token, ok = basicToken(rest)
		if !ok {
			return p, true, session.Reject(session.ReasonTokenInvalid,
				"The password is not an access token: programs that cannot send a bearer token send it as their password here.", nil)
		}
		return p, true, nil
	}
	return p, false, nil
}

// authorization returns the one Authorization field of a request.
func authorization(r *http.Request) (string, bool) {
	fields := r.Header["Authorization"]
	if len(fields) != 1 {
		return "", false
	}
	return fields[0], true
}

// schemeOf splits an Authorization field into its scheme, in lower case when it is one of
// ours and "" otherwise, and what follows (RFC 9110 section 11.1). The scheme ends where
// its letters end, so that "Bearer\tx" is a malformed bearer token and not some other
// scheme.
func schemeOf(field string) (rest, scheme string) {
	for _, scheme := range []string{"bearer", "basic"} {
		if hasScheme(field, scheme) {
			return field[len(scheme):], scheme
		}
	}
	return "", ""
}

// hasScheme reports whether a field begins with a scheme, in any case.
func hasScheme(field, scheme string) bool {
	return len(field) >= len(scheme) && strings.EqualFold(field[:len(scheme)], scheme) &&
		(len(field) == len(scheme) || !isTokenByte(field[len(scheme)]))
}

// bearerToken reads what follows the scheme Bearer. It must be 1*SP b64token (RFC 6750
// section 2.1); whatever else it is, nobody is asked about it.
func bearerToken(rest string) (string, bool) {
	token := strings.TrimLeft(rest, " ")
	return token, token != rest && isB64Token(token)
}

// basicToken reads what follows the scheme Basic (RFC 7617 section 2). The password has
// to be what a bearer token may be.
func basicToken(rest string) (user, token string, ok bool) {
	text := strings.TrimLeft(rest, " ")
	if text == rest || len(text) > 2*maxToken {
		return "", "", false
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return "", "", false
	}
	user, token, ok = strings.Cut(string(decoded), ":")
	return user, token, ok && isB64Token(token)
}

// isB64Token reports whether a text is a b64token (RFC 6750 section 2.1) of a length that
// somebody has given out.
func isB64Token(token string) bool {
	body := strings.TrimRight(token, "=")
	if body == "" || len(token) > maxToken {
		return false
	}
	for i := 0; i < len(body); i++ {
		if !b64Token[body[i]] {
			return false
		}
	}
	return true
}

// b64Token has the characters of a b64token.
var b64Token = func() (set [256]bool) {
	for c := range set {
		set[c] = isAlphanumeric(byte(c)) || strings.IndexByte("-._~+/", byte(c)) >= 0
	}
	return set
}()

// Scheme is a kind of Authorization that is the upstream's own business.
type Scheme struct {
	// Name is the scheme, in any case.
	Name string
	// Prefix is what the credentials begin with; empty for all of the scheme.
	Prefix string
}

// CheckScheme reports why a scheme cannot be the upstream's own business.
func CheckScheme(s Scheme) error {
	switch {
	case !isToken(s.Name):
		return fmt.Errorf("%q is not a scheme of Authorization", s.Name)
	case strings.EqualFold(s.Name, "bearer") && s.Prefix == "":
		return errors.New("every bearer token would pass unseen: a prefix has to say which ones are meant")
	case strings.EqualFold(s.Name, "basic") && s.Prefix != "":
		return errors.New("what follows Basic is encoded, so that no prefix tells anything")
	case s.Prefix != "" && !isB64Token(s.Prefix):
		return fmt.Errorf("%q is not what credentials begin with", s.Prefix)
	}
	return nil
}

// passes reports whether the credentials of a request are the upstream's own business on
// this route, which decides without asking who sends them.
func (e *Entry) passes(r *http.Request) bool {
	if len(e.PassSchemes) == 0 {
		return false
	}
	field, ok := authorization(r)
	if !ok {
		return false
	}
	for _, s := range e.PassSchemes {
		if !hasScheme(field, s.Name) {
			continue
		}
		rest := field[len(s.Name):]
		// As strict as for a token of our own: a field that two programs could read in two
		// ways is nobody's business but ours.
		if credentials := strings.TrimLeft(rest, " "); credentials != rest && credentials != "" && strings.HasPrefix(credentials, s.Prefix) {
			return true
		}
	}
	return false
}

// takesOff reports whether the Authorization of a request stays here, and does not go to
// the upstream of the route: an access token, or what may be one.
func (e *Entry) takesOff(r *http.Request) bool {
	field, ok := authorization(r)
	if !ok || e.ForwardToken || e.passes(r) {
		return false
	}
	_, scheme := schemeOf(field)
	return scheme == "bearer" || scheme == "basic" && e.BasicToken
}
