package login

import (
	"net/http"
	"net/url"
	"strings"
)

// parameter returns the first value of a parameter in a request's query, or "". It reads
// what url.URL's Query reads, pairs that are none passed over, without a map of all of them:
// whoever starts to sign in is asked for half a dozen that are hardly ever there.
func parameter(r *http.Request, name string) string {
	for query := r.URL.RawQuery; query != ""; {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if pair == "" || strings.Contains(pair, ";") {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		if key != name {
			if strings.IndexByte(key, '%') < 0 && strings.IndexByte(key, '+') < 0 {
				continue
			}
			if plain, err := url.QueryUnescape(key); err != nil || plain != name {
				continue
			}
		}
		if plain, err := url.QueryUnescape(value); err == nil {
			return plain
		}
	}
	return ""
}
