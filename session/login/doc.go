// Package login walks a browser through signing in at a provider and keeps the
// pages that go with it: choosing a provider, the authorization code flow (RFC
// 6749 section 4.1) with PKCE, state and nonce, signing out, and "who am I".
//
// What an attempt must remember between leaving and coming back travels in a
// sealed cookie of its own, so that two tabs do not disturb each other and
// nothing is kept for attempts that never end. A callback is believed only with
// the cookie of the attempt that began in the same browser. Everything else about
// it that OpenID Connect Core section 3.1.3.7 and RFC 9207 ask is checked before a
// session begins; what goes wrong ends on a page that says what to do.
package login
