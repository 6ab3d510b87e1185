package session

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
)

// A handle is what the session cookie holds: the name of a session and the key
// that opens it. Its size does not depend on who the person is.
type handle struct {
	id  [16]byte
	key [32]byte
}

const (
	handleVersion = 1
	handleSize    = 1 + 16 + 32
	// handleText is the length of a handle in base64url without padding.
	handleText = (handleSize*8 + 5) / 6
	// maxHandles bounds how many well-formed handles of one request are tried. A
	// browser sends one; more come from a sibling domain that tosses cookies
	// here. Malformed values cost nothing and do not count.
	maxHandles = 8
)

func newHandle() handle {
	var h handle
	rand.Read(h.id[:]) // never fails: crypto/rand ends the program instead
	rand.Read(h.key[:])
	return h
}

// String hides the handle.
func (handle) String() string { return "session handle (hidden)" }

// GoString hides the handle.
func (h handle) GoString() string { return h.String() }

// text is the cookie's value.
func (h handle) text() string {
	var raw [handleSize]byte
	raw[0] = handleVersion
	copy(raw[1:17], h.id[:])
	copy(raw[17:], h.key[:])
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// storeKey is what a store knows the session by: whoever reads it from the store
// cannot make the cookie from it.
func (h handle) storeKey() Key { return sha256.Sum256(h.id[:]) }

// sameKey compares in constant time.
func (h handle) sameKey(key *[32]byte) bool {
	return subtle.ConstantTimeCompare(h.key[:], key[:]) == 1
}

// strictText accepts one spelling of each handle: spare bits must be zero.
var strictText = base64.RawURLEncoding.Strict()

// parseHandle reads a cookie's value without allocating.
func parseHandle(text string) (handle, bool) {
	if len(text) != handleText {
		return handle{}, false
	}
	var in [handleText]byte
	copy(in[:], text)
	// Decode writes in whole groups of three bytes.
	var raw [handleText/4*3 + 3]byte
	n, err := strictText.Decode(raw[:], in[:])
	if err != nil || n != handleSize || raw[0] != handleVersion {
		return handle{}, false
	}
	var h handle
	copy(h.id[:], raw[1:17])
	copy(h.key[:], raw[17:handleSize])
	return h, true
}

// carriedHandles collects the different handles that the Cookie headers carry under
// name, as read makes them of values, in their order, into found and returns how many
// there are. It reads the header itself because http.Request.Cookies gives up on a
// request with very many cookies, and one of them may be the good one.
func carriedHandles(lines []string, name string, read func(value string) (handle, bool), found *[maxHandles]handle) int {
	n := 0
	for _, line := range lines {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			key, value, ok := strings.Cut(pair, "=")
			if !ok || trimBlanks(key) != name {
				continue
			}
			h, ok := read(trimBlanks(value))
			if !ok || contains(found[:n], &h) {
				continue
			}
			found[n] = h
			if n++; n == maxHandles {
				return n
			}
		}
	}
	return n
}

func contains(list []handle, h *handle) bool {
	for i := range list {
		if list[i] == *h {
			return true
		}
	}
	return false
}

// trimBlanks trims what net/http trims around the parts of a Cookie header.
func trimBlanks(s string) string { return strings.Trim(s, " \t\r\n") }
