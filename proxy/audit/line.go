package audit

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/claimproxy/claimproxy/proxy"
)

// maxValue is how many bytes of a value are written. What is longer is cut there and
// ends in three dots.
const maxValue = 2 << 10

// timeFormat has a fixed width, so that lines can be sorted as text.
const timeFormat = "2006-01-02T15:04:05.000000Z07:00"

// appendLine appends the line of an event. The keys and their order are a promise:
// people write programs that read them.
func appendLine(b []byte, e *proxy.Event) []byte {
	b = append(b, `{"time":"`...)
	b = e.Time.UTC().AppendFormat(b, timeFormat)
	b = append(b, '"')
	b = AppendMembers(b, e)
	b = appendText(b, "shadow", e.Shadow)
	b = appendText(b, "shadow_policy", e.ShadowPolicy)
	return append(b, '}', '\n')
}

// AppendMembers appends what an event says about its request, apart from its time and
// from shadows, as members of a JSON object, each with a comma before it. The log has
// the same ones as the audit log.
func AppendMembers(b []byte, e *proxy.Event) []byte {
	b = appendText(b, "request_id", e.RequestID)
	b = appendText(b, "route", e.Route)
	b = appendText(b, "host", e.Host)
	b = appendText(b, "method", e.Method)
	b = appendText(b, "path", e.Path)
	b = appendText(b, "client_ip", e.ClientIP)
	b = appendText(b, "decision", e.Decision)
	b = appendText(b, "reason", string(e.Reason))
	b = appendText(b, "policy", e.Policy)
	b = appendText(b, "auth", e.Auth)
	b = appendText(b, "provider", e.Provider)
	b = appendText(b, "sub", e.Subject)
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(e.Status), 10)
	b = appendText(b, "upstream", e.Upstream)
	b = append(b, `,"duration_ms":`...)
	return strconv.AppendFloat(b, float64(e.Duration)/float64(time.Millisecond), 'f', 3, 64)
}

// AppendText appends a member of a JSON object whose value is a text, with a comma
// before it. The key stands as it is; what of the value cannot be seen is escaped, and
// what is very long is cut.
func AppendText(b []byte, key, value string) []byte { return appendText(b, key, value) }

// appendText appends a comma, a key and a string.
func appendText(b []byte, key, value string) []byte {
	b = append(b, ',', '"')
	b = append(b, key...)
	b = append(b, '"', ':', '"')
	if len(value) > maxValue {
		b = appendEscaped(b, whole(value[:maxValue]))
		b = append(b, "..."...)
	} else {
		b = appendEscaped(b, value)
	}
	return append(b, '"')
}

// whole takes the beginning of a character off the end of a text that was cut.
func whole(s string) string {
	for i := len(s) - 1; i >= 0 && i > len(s)-utf8.UTFMax; i-- {
		if utf8.RuneStart(s[i]) {
			if !utf8.FullRuneInString(s[i:]) {
				return s[:i]
			}
			break
		}
	}
	return s
}

const hex = "0123456789abcdef"

// appendEscaped appends the inside of a JSON string (RFC 8259 section 7). Everything
// that cannot be seen is escaped, not only what has to be: control characters, line
// separators of Unicode, and marks that turn the direction of a text around.
func appendEscaped(b []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if ' ' <= c && c != 0x7f && c != '"' && c != '\\' {
				i++
				continue
			}
			b = append(b, s[start:i]...)
			if c == '"' || c == '\\' {
				b = append(b, '\\', c)
			} else {
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if strconv.IsPrint(r) && (r != utf8.RuneError || size > 1) {
			i += size
			continue
		}
		b = append(b, s[start:i]...)
		b = appendRune(b, r)
		i += size
		start = i
	}
	return append(b, s[start:]...)
}

// appendRune appends a character by its number, above U+FFFF in two halves.
func appendRune(b []byte, r rune) []byte {
	half := func(n rune) {
		b = append(b, '\\', 'u', hex[n>>12&15], hex[n>>8&15], hex[n>>4&15], hex[n&15])
	}
	if r > 0xffff {
		r -= 0x10000
		half(0xd800 + r>>10)
		r = 0xdc00 + r&0x3ff
	}
	half(r)
	return b
}
