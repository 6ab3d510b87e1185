package proxy

import "strings"

// maxReadings bounds how often a path may be percent-encoded upon itself.
const maxReadings = 4

const (
	sentenceEscape  = "The path contains a percent sign that begins no escape."
	sentenceSlash   = "The path contains an encoded slash or a backslash."
	sentenceControl = "The path contains a control character."
	sentenceParam   = "The path contains a semicolon."
	sentenceDots    = "The path contains a dot segment."
	sentenceEmpty   = "The path contains an empty segment."
	sentenceLong    = "The path contains a character in more bytes than UTF-8 allows."
	sentenceTwice   = "The path is encoded more than once."
)

// canonicalPath reads a raw path. encoded is what is forwarded, decoded is what
// routes are matched by. A path that applications are known to read differently
// from each other is refused: what the policy looks at must be what the
// application gets.
//
// For the common path, in which nothing is encoded, both results are raw itself.
func canonicalPath(raw string) (encoded, decoded string, fault *Fault) {
	plain := true
	for i := 0; i < len(raw); i++ {
		switch class := pathClass[raw[i]]; class {
		case classPlain:
		case classEscape, classOutside:
			plain = false
		default:
			return "", "", badTarget(class.sentence())
		}
	}
	encoded, decoded = raw, raw
	if !plain {
		if encoded, fault = encodeOutside(raw); fault != nil {
			return "", "", fault
		}
		if decoded, fault = decodeOnce(encoded); fault != nil {
			return "", "", fault
		}
		if hasOverlong(decoded) {
			return "", "", badTarget(sentenceLong)
		}
	}
	if fault = checkSegments(decoded); fault != nil {
		return "", "", fault
	}
	return encoded, decoded, nil
}

// class says what a raw or decoded byte of a path means to us.
type class uint8

const (
	classPlain   class = iota // stands for itself everywhere
	classEscape               // "%"
	classOutside              // not allowed in a path by RFC 3986 section 3.3, but harmless: it is encoded
	classBackslash
	classSemicolon
	classControl
)

func (c class) sentence() string {
	switch c {
	case classBackslash:
		return sentenceSlash
	case classSemicolon:
		return sentenceParam
	}
	return sentenceControl
}

var pathClass = func() (table [256]class) {
	for c := range table {
		switch {
		case isControl(byte(c)):
			table[c] = classControl
		case c == '%':
			table[c] = classEscape
		case c == '\\':
			table[c] = classBackslash
		case c == ';':
			table[c] = classSemicolon
		case isAlphanumeric(byte(c)), strings.IndexByte("-._~!$&'()*+,=:@/", byte(c)) >= 0:
			table[c] = classPlain
		default:
			table[c] = classOutside
		}
	}
	return table
}()

// encodeOutside percent-encodes the bytes that may not stand in a path, and
// refuses a percent sign that begins no escape.
func encodeOutside(raw string) (string, *Fault) {
	n := 0
	for i := 0; i < len(raw); i++ {
		switch pathClass[raw[i]] {
		case classOutside:
			n++
		case classEscape:
			if i+2 >= len(raw) || !isHex(raw[i+1]) || !isHex(raw[i+2]) {
				return "", badTarget(sentenceEscape)
			}
			i += 2
		}
	}
	if n == 0 {
		return raw, nil
	}
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(raw) + 2*n)
	for i := 0; i < len(raw); i++ {
		if c := raw[i]; pathClass[c] == classOutside {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// decodeOnce decodes each escape once, and refuses those that hide a character
// which separates, ends or climbs.
func decodeOnce(s string) (string, *Fault) {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			c = unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
			switch class := pathClass[c]; {
			case c == '/':
				return "", badTarget(sentenceSlash)
			case class >= classBackslash:
				return "", badTarget(class.sentence())
			}
		}
		b.WriteByte(c)
	}
	return b.String(), nil
}

// checkSegments refuses empty segments, but for the last, and dot segments.
func checkSegments(path string) *Fault {
	for start := 1; ; {
		length := strings.IndexByte(path[start:], '/')
		last := length < 0
		if last {
			length = len(path) - start
		}
		switch segment := path[start : start+length]; {
		case segment == "" && !last:
			return badTarget(sentenceEmpty)
		case segment == ".", segment == "..":
			return badTarget(sentenceDots)
		}
		if last {
			return nil
		}
		start += length + 1
	}
}

// furtherReadings decodes a decoded path again, as applications behind two
// decoders do, until nothing is left to decode. A reading that separates or climbs
// is a fault; the others are returned, and Table.Match demands that they choose the
// same route.
func furtherReadings(decoded string) (readings []string, fault *Fault) {
	for hasEscape(decoded) {
		if len(readings) == maxReadings {
			return nil, badTarget(sentenceTwice)
		}
		if decoded, fault = decodeOnce(decoded); fault != nil {
			return nil, fault
		}
		if hasOverlong(decoded) {
			return nil, badTarget(sentenceLong)
		}
		if fault = checkSegments(decoded); fault != nil {
			return nil, fault
		}
		readings = append(readings, decoded)
	}
	return readings, nil
}

// hasEscape reports whether a lenient decoder would find something to decode.
func hasEscape(s string) bool {
	for i := 0; i+2 < len(s); i++ {
		if s[i] == '%' && isHex(s[i+1]) && isHex(s[i+2]) {
			return true
		}
	}
	return false
}

// hasOverlong reports whether s contains an ASCII character in more bytes than
// UTF-8 allows (RFC 3629 section 3): C0 AF is a slash to decoders that do not check.
func hasOverlong(s string) bool {
	for i := 0; i+1 < len(s); i++ {
		next := s[i+1]
		switch s[i] {
		case 0xC0, 0xC1:
			if next&0xC0 == 0x80 {
				return true
			}
		case 0xE0:
			if next&0xFE == 0x80 {
				return true
			}
		case 0xF0:
			if next == 0x80 && i+2 < len(s) && s[i+2]&0xFE == 0x80 {
				return true
			}
		}
	}
	return false
}

func isControl(c byte) bool { return c < 0x20 || c == 0x7f }

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}
