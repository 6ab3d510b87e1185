package session

import (
	"sync/atomic"
	"time"
)

// Auth says how a caller was proved. It is also the value of the virtual claim
// "auth".
type Auth string

// The ways a caller can be proved.
const (
	// AuthBrowser is a person with a session cookie.
	AuthBrowser Auth = "browser"
	// AuthBearer is a person whose program sent an access token.
	AuthBearer Auth = "bearer"
	// AuthClient is a program alone: a token without a user (RFC 6749 section
	// 4.4). It is never "signed-in" and sends no user header.
	AuthClient Auth = "client"
)

// Identity is a proved caller. It is made once, when a session or token is
// admitted, and shared by all requests of that session or token: nobody changes
// it afterwards.
type Identity struct {
	// Provider is the configured id of the provider that vouches for the caller.
	Provider string
	// Issuer and Subject together are the only stable key of a person (OpenID
	// Connect Core section 5.7). Subject is empty for AuthClient.
	Issuer  string
	Subject string
	// ClientID is the OAuth client that the proof was issued to.
	ClientID string
	// Auth says how the caller was proved.
	Auth Auth
	// Claims is what is known about the caller, merged from all sources of this
	// one provider, virtual claims included.
	Claims Claims
	// Origins names, for each claim, the source it was taken from.
	Origins map[string]Source
	// User is the name that applications know the person by: the provider's
	// user_prefix and the claim that its user key names. It is empty when that
	// claim is missing; there is no fallback to another claim.
	User string
	// SignedIn is when the proof began: the login, or the first sight of a token.
	SignedIn time.Time
	// Proof names the session or the token that the caller was proved by: the key of the
	// session, or a hash of the token. It opens nothing. Zero is none that has a name.
	Proof Key
	// Until is when the proof ends. Zero means that the provider stated no end.
	Until time.Time

	prepared atomic.Pointer[any]
}

// Prepared returns what prepare made of the identity's claims the first time it
// was asked, so that work such as indexing 500 groups is done once for a session
// or token and not for each request. Callers racing for the first result may
// each call prepare; all get the same result.
func (id *Identity) Prepared(prepare func(Claims) any) any {
	if p := id.prepared.Load(); p != nil {
		return *p
	}
	v := prepare(id.Claims)
	if id.prepared.CompareAndSwap(nil, &v) {
		return v
	}
	return *id.prepared.Load()
}
