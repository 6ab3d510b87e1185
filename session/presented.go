package session

// Presented is what a native client sent with one request, and where to.
type Presented struct {
	// Token is the bearer token, as it came (RFC 6750 section 2.1).
	Token string
	// Host and Path are the canonical target, needed to compare the token's
	// audience with the protected resource published there (RFC 9728).
	Host string
	Path string
}
