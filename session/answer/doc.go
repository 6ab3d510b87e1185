// Package answer makes every answer that is claimproxy's own: pages for people
// and problem documents (RFC 9457) for programs, in one layout, with one set of
// security headers.
//
// It decides how an answer looks and to whom it is a page or a document. What
// the answer says, and with which status, is its callers' business: package
// proxy refuses with it, package login talks to people with it. Nothing that an
// upstream sends passes through here.
//
// What it promises for every answer:
//
//   - Cache-Control: no-store, a content security policy without any inline
//     style or script, nosniff, no framing, no referrer;
//   - whatever callers pass in is text: claims, names and sentences are escaped,
//     links that are not https, http, mailto or a path are left out;
//   - no page needs a script, a font or an image from elsewhere, except the logo
//     of a provider where the configuration names one.
package answer
