package signin

import (
	"regexp"
	"strings"
	"unicode"
)

// clean makes a stranger's text fit for a terminal: one short line without control
// characters, which could otherwise move the cursor and write over what is ours.
func clean(text string) string {
	const most = 200
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, strings.ToValidUTF8(text, "?"))
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

// b64token is what a bearer token may consist of (RFC 6750 section 2.1). With anything
// else it could bring a header line, or an option of curl, along.
var b64token = regexp.MustCompile(`^[A-Za-z0-9\-._~+/]+=*$`)

func isToken(text string) bool { return len(text) <= maxToken && b64token.MatchString(text) }

// maxToken bounds a token; those with a few hundred groups have some 16 KiB.
const maxToken = 64 << 10
