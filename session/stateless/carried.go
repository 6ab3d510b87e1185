package stateless

import (
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"

	"github.com/claimproxy/claimproxy/session"
)

// maxTried bounds how many chunks of one name are tried. A browser sends one; more come
// from a sibling domain that tosses cookies here. What was not sealed with a known
// secret costs next to nothing and does not count.
const maxTried = 16

// place is where a browser keeps the cookies of a session: the name of the first, and
// their Domain attribute.
type place struct{ name, domain string }

// placeOf is the place on the request's host.
func (s *Store) placeOf(r *http.Request) place {
	name, domain := s.names.On(r.Host)
	return place{name, domain}
}

// carried are the chunks that a request carries, those of one name in their order.
type carried struct {
	place
	chunks [maxChunks][maxTried]string
	n      [maxChunks]int
	// present says that there is a cookie of that name, be it of no use.
	present [maxChunks]bool
}

// read collects the different chunks of a request that may be ours. It reads the header
// itself, because http.Request.Cookies gives up on a request with very many cookies, and
// one of them may be the good one.
func (c *carried) read(lines []string, at place, sealer *session.Sealer) {
	c.place = at
	for _, line := range lines {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			key, value, ok := strings.Cut(pair, "=")
			if !ok {
				continue
			}
			at, ok := partNumber(trimBlanks(key), c.name)
			if !ok {
				continue
			}
			c.present[at] = true
			value = trimBlanks(value)
			if len(value) < minChunk || len(value) > maxChunk {
				continue
			}
			list := c.chunks[at][:c.n[at]]
			if known, _ := sealer.Knows(value); !known || len(list) == maxTried || slices.Contains(list, value) {
				continue
			}
			c.chunks[at][len(list)] = value
			c.n[at]++
		}
	}
}

// firsts are the chunks that a session may begin with.
func (c *carried) firsts() []string { return c.chunks[0][:c.n[0]] }

// other returns the chunk of that number and hash.
func (c *carried) other(at int, want *digest) (string, bool) {
	for _, text := range c.chunks[at][:c.n[at]] {
		if sha256.Sum256([]byte(text)) == *want {
			return text, true
		}
	}
	return "", false
}

// has reports whether the request carries this very chunk.
func (c *carried) has(at int, value string) bool {
	return slices.Contains(c.chunks[at][:c.n[at]], value)
}

// partNumber tells which of a session's cookies has this name. Numbers have one
// spelling.
func partNumber(key, name string) (n int, ok bool) {
	rest, ok := strings.CutPrefix(key, name)
	switch {
	case !ok:
		return 0, false
	case rest == "":
		return 0, true
	}
	if len(rest) == 2 && rest[0] == '.' && '1' <= rest[1] && rest[1] < '0'+maxChunks {
		return int(rest[1] - '0'), true
	}
	return 0, false
}

// trimBlanks trims what net/http trims around the parts of a Cookie header.
func trimBlanks(s string) string { return strings.Trim(s, " \t\r\n") }
