// Package stateless keeps the sessions of people with a browser in their cookies and
// nowhere else: no disk, no service, and any number of replicas that share nothing but
// the secrets.
//
// What it cannot do follows from that, and is not promised:
//
//   - A session cannot be ended from elsewhere. Signing out deletes the cookie and is
//     remembered in memory, so a copy of the cookie is dead in this process until it
//     forgets, and good at other replicas and after a restart.
//   - There is no refresh token in a cookie: of a rotated one several would be about. The
//     claims are fetched again while the access token lives; when it ends, the person
//     signs in again, which takes no question where they are still signed in at the
//     provider.
//   - Size is bounded by what browsers and web servers take. Only the claims that the
//     configuration uses are kept, and who does not fit all the same is told at once.
//
// A session's cookie must be set again from time to time, for a session in use not to
// look idle. That is what Refresh is for: it takes part in answers to people who open
// pages, and in no others.
package stateless
