// Package provider speaks with one OpenID Provider on behalf of the rooms that
// prove identities: discovery, signing keys, the token endpoint, userinfo,
// introspection and Doorkeeper's token information.
//
// It decides nothing about a caller. It promises that every call to a provider
// has a deadline, a bounded reply and follows no redirect; that a provider which
// sleeps is an *session.Unavailable and never a bad credential; that metadata and
// keys once learnt are kept over outages; and that no client can make it fetch
// keys more often than every ten seconds.
package provider
