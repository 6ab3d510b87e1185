// Package e2e tests the built program as its users meet it: the real binary,
// started from a configuration file, between real identity providers and a real
// upstream. It has no code of its own but tests; load/ below it measures.
//
// The providers are Doorkeeper, the OAuth gem that GitLab is made of, and
// oidc-provider, a certified OpenID Provider; testdata/ has both, with the same
// people and the same client ids. The upstream is Debian's Prometheus, joined by
// a server in the test's own process where a test must see what arrived. A
// browser is played by a client with a cookie jar that takes one redirect at a
// time, where what a browser makes of it all is not the question; where it is,
// Debian's Chromium walks through the pages. A native program is played by a
// client that follows RFC 8252.
//
// "go test -run 'Pages|Form|Demo' -pictures DIR" leaves a picture of each page in a
// directory, light and dark, wide and narrow, for somebody to look at.
//
// What a test needs and the machine lacks makes it skip with a sentence that
// says what to install, and fail where CI is set. "make deps" installs all of it.
package e2e
