package login

import (
	"net/url"
	"strings"
)

// maxReturnTo bounds what is remembered of where a person wanted to go.
const maxReturnTo = 2048

// returnTo reads where to go after signing in: a path on public_url's host with
// its query, or that same place written as an absolute URL. Whatever else it is,
// a place of a stranger's choosing above all, becomes "/".
//
// The result is only ever used behind public_url's origin, so that no reading of
// it, by whatever browser, can name another host.
func (h *Handler) returnTo(value string) string {
	if rest, ok := strings.CutPrefix(value, h.PublicURL.Scheme+"://"+h.PublicURL.Host); ok {
		if value = rest; value == "" {
			return "/"
		}
	}
	if !safePath(value) {
		return "/"
	}
	// Never back into the flow itself: that would be a circle.
	path, _, _ := strings.Cut(value, "?")
	if path == h.Endpoints || strings.HasPrefix(path, h.Endpoints+"/") && path != h.Endpoints+"/me" || h.CallbackPaths[path] != "" {
		return "/"
	}
	return value
}

// safePath says whether a text is a path, perhaps with a query, and nothing that
// a browser could take for more: it begins with one slash, and has no backslash,
// no character outside printable ASCII, no fragment.
func safePath(s string) bool {
	if len(s) == 0 || len(s) > maxReturnTo || s[0] != '/' || strings.HasPrefix(s, "//") {
		return false
	}
	for _, b := range []byte(s) {
		if b <= 0x20 || b >= 0x7f || strings.IndexByte("\\#\"<>^`{|}", b) >= 0 {
			return false
		}
	}
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "" && u.Host == "" && u.User == nil
}

// destination is the absolute URL for a place that returnTo made.
func (h *Handler) destination(place string) string {
	return h.PublicURL.Scheme + "://" + h.PublicURL.Host + place
}
