package answer

import (
	"net/http"
	"strings"
)

// IsNavigation reports whether a request is surely a browser that opens a page
// in a tab, so that sending it to sign in leads a person to sign in. Everything
// else must get a 401: programs follow redirects too, and would take the
// provider's login page for the answer.
//
// It is GET or HEAD, carries no Authorization and no Upgrade, and either says so
// itself (Sec-Fetch-Mode: navigate with Sec-Fetch-Dest: document, Fetch Metadata
// Request Headers) or, where no Fetch metadata is sent at all, names text/html in
// Accept. The User-Agent says nothing: Qt and QGIS send "Mozilla/5.0" too.
func IsNavigation(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	if len(r.Header["Authorization"]) > 0 || len(r.Header["Upgrade"]) > 0 {
		return false
	}
	if hasFetchMetadata(r.Header) {
		return only(r.Header["Sec-Fetch-Mode"], "navigate") && only(r.Header["Sec-Fetch-Dest"], "document")
	}
	return namesHTML(r.Header["Accept"])
}

// WantsPage reports whether an answer will be looked at by a person: Accept names
// text/html and the request is not made by a script. Other than IsNavigation it
// may be a form that is sent or carry credentials.
func WantsPage(r *http.Request) bool {
	if len(r.Header["X-Requested-With"]) > 0 {
		return false
	}
	if hasFetchMetadata(r.Header) && !only(r.Header["Sec-Fetch-Mode"], "navigate") {
		return false
	}
	return namesHTML(r.Header["Accept"])
}

// HasFetchMetadata reports whether a browser has said anything at all about how
// it came to send the request.
func HasFetchMetadata(r *http.Request) bool { return hasFetchMetadata(r.Header) }

func hasFetchMetadata(h http.Header) bool {
	return len(h["Sec-Fetch-Mode"]) > 0 || len(h["Sec-Fetch-Dest"]) > 0 ||
		len(h["Sec-Fetch-Site"]) > 0 || len(h["Sec-Fetch-User"]) > 0
}

// only reports whether a header was sent once and with this value.
func only(values []string, want string) bool { return len(values) == 1 && values[0] == want }

// namesHTML reports whether Accept names text/html itself, acceptable with any
// weight above zero (RFC 9110 section 12.5.1). "*/*" and "text/*" do not name it:
// every program sends them.
func namesHTML(accept []string) bool {
	for _, line := range accept {
		for line != "" {
			var element string
			element, line = cutUnquoted(line, ',')
			media, params := cutUnquoted(element, ';')
			if strings.EqualFold(trimBlanks(media), "text/html") && weightAboveZero(params) {
				return true
			}
		}
	}
	return false
}

// weightAboveZero reads the q parameter; without one the weight is 1. A weight
// that is not a qvalue counts as none: whoever writes such an Accept header is
// not a browser.
func weightAboveZero(params string) bool {
	for params != "" {
		var param string
		param, params = cutUnquoted(params, ';')
		name, value, _ := strings.Cut(param, "=")
		if strings.EqualFold(trimBlanks(name), "q") {
			return positiveQValue(trimBlanks(value))
		}
	}
	return true
}

// positiveQValue reports whether s is a qvalue (RFC 9110 section 12.4.2: "0" or
// "1" with at most three decimals, not above 1) other than zero.
func positiveQValue(s string) bool {
	whole, decimals, dotted := strings.Cut(s, ".")
	if whole != "0" && whole != "1" || len(decimals) > 3 {
		return false
	}
	zeros := strings.Count(decimals, "0")
	if whole == "1" {
		return zeros == len(decimals)
	}
	return dotted && zeros < len(decimals) && strings.Trim(decimals, "0123456789") == ""
}

// cutUnquoted cuts s at the first sep that stands outside a quoted string.
func cutUnquoted(s string, sep byte) (before, after string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

func trimBlanks(s string) string { return strings.Trim(s, " \t") }
