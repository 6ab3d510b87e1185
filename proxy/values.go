package proxy

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/claimproxy/claimproxy/session"
)

// MaxList is how long a list in a header may become before it is cut down to what
// policies speak of. Many servers take no header above 8 KiB.
const MaxList = 8 << 10

// valuer turns claims into header values.
type valuer struct {
	// named are the members of lists that policies name.
	named map[string]bool
}

// of returns a claim's value as it is sent, empty for nothing, and how many values
// were left out because they could be taken for something else: two groups for
// three, one person for another. A value that is left out takes nothing else away.
func (v *valuer) of(claim any) (value string, leftOut int) {
	list, ok := claim.([]any)
	if !ok {
		return single(claim)
	}
	members := make([]string, 0, len(list))
	length := 0
	for _, e := range list {
		text, n := single(e)
		leftOut += n
		if text != "" {
			members = append(members, text)
			length += len(text) + 1
		}
	}
	if length-1 > MaxList {
		kept := members[:0]
		for _, m := range members {
			if v.named[m] {
				kept = append(kept, m)
			}
		}
		members = kept
	}
	return strings.Join(members, ","), leftOut
}

// single returns one value as text. Numbers keep their digits.
func single(claim any) (value string, leftOut int) {
	switch c := claim.(type) {
	case string:
		value = c
	case bool:
		return strconv.FormatBool(c), 0
	case json.Number:
		value = c.String()
	case float64:
		return strconv.FormatFloat(c, 'f', -1, 64), 0
	default:
		// Missing, null, or an object: there is nothing that could be sent.
		return "", 0
	}
	if value != "" && !sendable(value) {
		return "", 1
	}
	return value, 0
}

// sendable reports whether an application would read a value as exactly itself. It
// must hold no control character, as it could end the header or be dropped on the
// way; no blank at its ends, as those are trimmed; no comma, as it separates the
// members of a list. Other characters than ASCII are sent as UTF-8.
func sendable(value string) bool {
	ascii := true
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case isControl(c), c == ',':
			return false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	if ascii {
		return value[0] != ' ' && value[len(value)-1] != ' '
	}
	if !utf8.ValidString(value) || strings.TrimSpace(value) != value {
		return false
	}
	// Line and paragraph separators end lines for some readers.
	return strings.IndexFunc(value, func(r rune) bool {
		return unicode.Is(unicode.Cc, r) || r == '\u2028' || r == '\u2029'
	}) < 0
}

// lookup finds a claim: one of exactly this name, else by walking into objects at
// the dots.
func lookup(claims session.Claims, name string) any {
	if v, ok := claims[name]; ok {
		return v
	}
	object := map[string]any(claims)
	for {
		first, rest, more := strings.Cut(name, ".")
		v := object[first]
		if !more {
			return v
		}
		next, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		object, name = next, rest
	}
}
