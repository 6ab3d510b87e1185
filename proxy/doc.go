// Package proxy carries a request to its upstream, or refuses it.
//
// A request's way is Proxy.ServeHTTP: Judge reads the target, tells claimproxy's own
// pages apart, finds the route and has Decide say whether the caller may; then the
// request is answered, refused or forwarded. One Event tells what happened, to
// whoever observes it.
//
// What it promises:
//
//   - One canonical target. It is read once from the request line, decided on, and
//     exactly it is forwarded: legal encodings byte for byte. What two applications
//     could read as two paths is refused (400 bad-target).
//   - One way to say yes. Decide is the only function that allows; its zero value
//     denies, and everything that goes wrong denies or is 503. Whoever wants to
//     know without forwarding asks Judge, which is all that comes before.
//   - Identity headers are ours alone: whatever a client sends under their names, in
//     any spelling, is removed on every route before ours are set.
//   - claimproxy's own cookies, and bearer tokens unless a route says so, never
//     reach an upstream.
//   - A refusal never reads the body of the request, and never contains a byte of an
//     upstream.
//
// It knows identities (package session) and rules (package policy); how an identity
// is proved and how a rule is read is their business. Answers of our own are made by
// package session/answer.
package proxy
