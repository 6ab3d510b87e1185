// Package native serves the documents by which a native program finds out how to
// sign in to an application behind claimproxy, knowing nothing but its address:
// the protected resource metadata of RFC 9728, which every 401 names, and the
// list of providers.
//
// Both are public. They never contain a client secret, and never a host name that
// no route names: what a stranger writes into the Host header is not repeated.
package native
