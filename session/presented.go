package session

import "net/http"

// Presented is what a native client sent with one request, and where to.
type Presented struct {
	// Token is the bearer token, as it came (RFC 6750 section 2.1).
	Token string
	// User is the user name beside a token that came as the password of Basic; empty
	// when the token came by itself. It proves nothing.
	User string
	// Header is the request's whole header: programs may say there which provider the
	// token is from, and send an ID token beside it. It is read only, and may be nil.
	Header http.Header
	// Client is the address of who sent it, as far as that can be believed; empty if there
	// is none, or it is asked again about what was let in already.
	Client string
	// Host and Path are the canonical target, needed to compare the token's
	// audience with the protected resource published there (RFC 9728).
	Host string
	Path string
}

// The parameters of the sign-in page that say in which way to sign in: with one of these
// values of acr, separated by blanks, and at the provider at most so many seconds ago
// (OpenID Connect Core section 3.1.2.1).
const (
	ParamACR    = "acr_values"
	ParamMaxAge = "max_age"
)
