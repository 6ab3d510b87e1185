// Package bearer proves the callers that send a token with each request: native
// programs, scripts, other servers (RFC 6750).
//
// A JWT access token is checked here against the provider's keys; an opaque one
// is asked about at the provider: introspection knows the expiry and the client,
// userinfo the person and the groups, and both answers are merged into one
// identity. The answer is kept until the earlier of the token's expiry and the
// provider's cache_max, under a hash of the token. A refusal is kept for a few
// seconds, an outage not at all.
//
// A token is never tried at one provider after another, and a token that was
// issued to a client that is not listed is refused however good it is.
package bearer
