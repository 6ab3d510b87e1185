// Package devprovider is an OpenID Provider for development and tests only.
//
// It serves the same paths and gives the same answers as GitLab, whose provider
// is Doorkeeper: opaque access tokens of 64 hexadecimal digits, introspection
// that answers only a token's own client and calls refresh tokens active, groups
// at userinfo and not in the ID token, ID tokens of two minutes, refresh tokens
// whose use ends the old access token at once. Instead of asking for a password
// it shows the people it knows and lets the visitor pick one.
//
// Like net/http/httptest it is made for tests: NewServer listens on a free
// loopback port, Issue makes tokens without a browser, Override, Hang and
// Rewrite make it misbehave, SignJWT mints any token, and Calls counts what it
// was asked. Misuse by a test, such as an unknown person, panics.
//
// Nobody proves anything to this provider, so it must never face a network: it
// listens on loopback only, and answers only requests that came to a loopback
// address under a loopback name.
package devprovider
