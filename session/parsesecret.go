package session

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ParseSecret returns the master secret that a text stands for: at least MinSecret
// random bytes in base64url, base64 or hexadecimal, as "claimproxy secret", "openssl
// rand -base64 32" and "openssl rand -hex 32" print them, or any other random text
// that holds as much. What looks like words, repeats itself or is too short is
// refused: whoever guesses the secret can be anybody here. That is a look at the form
// and no proof, since nobody can see in a text where it came from.
//
// The error is a sentence for people and quotes nothing.
func ParseSecret(text string) ([]byte, error) {
	text = strings.TrimRight(text, "\r\n")
	if raw, ok := decodeHex(text); ok {
		return checkRandom(raw, "hexadecimal")
	}
	if raw, ok := decodeBase64(text); ok {
		if len(raw) >= MinSecret && looksWritten(text) {
			return nil, errPassphrase
		}
		return checkRandom(raw, "base64")
	}
	switch {
	case !printableText(text):
		return checkRandom([]byte(text), "raw form")
	case strings.ContainsFunc(text, unicode.IsSpace) || looksWritten(text):
		return nil, errPassphrase
	case len(text) < minSecretText:
		return nil, fmt.Errorf("the secret is a text of %d characters, expected at least %d random ones", len(text), minSecretText)
	}
	return checkRandom([]byte(text), "text")
}

var errPassphrase = errors.New("the secret looks like words, which can be guessed; expected random bytes")

// minSecretText is how many characters of printable text hold MinSecret random bytes,
// at six bits each.
const minSecretText = (MinSecret*8 + 5) / 6

// leastDistinct is how many different bytes there are among 32 random ones, all but
// surely: fewer come with a probability below 1e-9.
const leastDistinct = 16

func checkRandom(raw []byte, form string) ([]byte, error) {
	if len(raw) < MinSecret {
		return nil, fmt.Errorf("the secret is %d bytes in %s, expected at least %d random bytes", len(raw), form, MinSecret)
	}
	if distinct(raw) < leastDistinct {
		return nil, errors.New("the secret repeats itself, expected random bytes")
	}
	return raw, nil
}

func distinct(raw []byte) int {
	var seen [256]bool
	n := 0
	for _, b := range raw {
		if !seen[b] {
			seen[b] = true
			n++
		}
	}
	return n
}

// looksWritten tells words from random text by how often the kind of character
// changes: from small letters to capitals, digits or signs. In random base64 two of
// three neighbours differ, in words few do. A random text of 43 characters is mistaken
// for words once in ten million times.
func looksWritten(text string) bool {
	changes, before := 0, 0
	for i := range len(text) {
		kind := 4
		switch c := text[i]; {
		case 'a' <= c && c <= 'z':
			kind = 1
		case 'A' <= c && c <= 'Z':
			kind = 2
		case '0' <= c && c <= '9':
			kind = 3
		}
		if i > 0 && kind != before {
			changes++
		}
		before = kind
	}
	return changes*4 < len(text)-1
}

func decodeHex(text string) ([]byte, bool) {
	raw, err := hex.DecodeString(text)
	return raw, err == nil && len(raw) > 0
}

// decodeBase64 takes both alphabets, with padding or without.
func decodeBase64(text string) ([]byte, bool) {
	bare := strings.TrimRight(text, "=")
	if len(text)-len(bare) > 2 {
		return nil, false
	}
	for _, encoding := range []*base64.Encoding{base64.RawURLEncoding, base64.RawStdEncoding} {
		if raw, err := encoding.DecodeString(bare); err == nil && len(raw) > 0 && !strings.ContainsAny(bare, "\r\n") {
			return raw, true
		}
	}
	return nil, false
}

func printableText(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) && !unicode.IsSpace(r) })
}
