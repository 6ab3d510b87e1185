package login

import (
	"net/url"
	"slices"
	"strings"
)

// maxReturnTo bounds what is remembered of where a person wanted to go, so that an
// attempt's cookie stays within what browsers keep.
const maxReturnTo = 2048

// returnTo reads where to go after signing in: a path on public_url's host with
// its query, or that same place written as an absolute URL. Whatever else it is,
// a place of a stranger's choosing above all, becomes "/".
//
// The result is visible ASCII without a fragment. It is only ever used behind
// public_url's origin, so that no reading of it, by whatever browser, can name
// another host.
func (h *Handler) returnTo(value string) string {
	if rest, ok := strings.CutPrefix(value, h.origin); ok {
		value = rest
	}
	value, _, _ = strings.Cut(value, "#") // of no use to a server
	path, query, hasQuery := strings.Cut(value, "?")
	if !h.landing(path) {
		return "/"
	}
	place := encoded(path)
	if hasQuery {
		place += "?" + encoded(query)
	}
	if len(place) > maxReturnTo {
		return "/"
	}
	return place
}

// landing says whether a raw path is one that a person can be sent to: it begins
// with one slash, climbs nowhere, hides no separator that another reader would see,
// and is not in the sign-in itself, which would be a circle.
func (h *Handler) landing(raw string) bool {
	path, err := url.PathUnescape(raw)
	if err != nil || !strings.HasPrefix(raw, "/") || strings.Contains(path, "//") || strings.Contains(path, `\`) || !printable(path) {
		return false
	}
	// Browsers take "%2e%2e" for ".." (WHATWG URL, "double-dot URL path segment").
	segments := strings.Split(path, "/")
	if slices.Contains(segments, ".") || slices.Contains(segments, "..") {
		return false
	}
	below := path == h.Endpoints || strings.HasPrefix(path, h.Endpoints+"/")
	return (!below || h.ownLanding(path)) && h.CallbackPaths[path] == ""
}

// printable says whether a text has no control character of ASCII.
func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }) < 0
}

// encoded percent-encodes what may stand neither in a path nor in a query (RFC 3986
// section 3) and leaves everything else as it came, "%" included. Browsers send
// some of it, such as "{" and "|", as it was typed.
func encoded(s string) string {
	const digits = "0123456789ABCDEF"
	strange := func(c byte) bool { return c <= 0x20 || c >= 0x7f || strings.IndexByte("\"#<>\\^`{|}", c) >= 0 }
	first := 0
	for first < len(s) && !strange(s[first]) {
		first++
	}
	if first == len(s) {
		return s
	}
	var b strings.Builder
	b.WriteString(s[:first])
	for i := first; i < len(s); i++ {
		if c := s[i]; strange(c) {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// destination is the absolute URL for a place that returnTo or link made.
func (h *Handler) destination(place string) string { return h.origin + place }
