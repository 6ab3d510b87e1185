package policy

import (
	"strconv"
	"strings"
)

type literalKind uint8

const (
	// literalText matches a string, byte for byte.
	literalText literalKind = iota
	// literalNumber is unquoted digits: the number of that value, or the string
	// of exactly these bytes.
	literalNumber
	// literalBool is unquoted true or false: the boolean, or the string of
	// exactly these bytes.
	literalBool
)

// literal is a value in a condition.
type literal struct {
	kind literalKind
	// text is the value without quotes.
	text string
	// number is the canonical form of a literalNumber.
	number string
}

// bareLiteral reads an unquoted value.
func bareLiteral(word string) literal {
	if word == "true" || word == "false" {
		return literal{kind: literalBool, text: word}
	}
	if !strings.ContainsAny(word, "eE") {
		if n, ok := canonicalNumber(word); ok {
			return literal{kind: literalNumber, text: word, number: n}
		}
	}
	return literal{kind: literalText, text: word}
}

// String prints the literal as it is written in a condition.
func (l literal) String() string {
	if l.kind == literalText && bareLiteral(l.text).kind != literalText {
		return quote(l.text)
	}
	return quoteWord(l.text)
}

// compare holds a claim's value against the literal. A value is of the right type
// when the literal could match one like it; that matters under not, where
// "another value" grants and "something else altogether" must not.
func (l literal) compare(v *value) verdict {
	switch {
	case l.kind == literalBool && v.kind == kindBool:
		return verdictOf(v.truth == (l.text == "true"))
	case l.kind == literalBool && v.kind == kindText && (v.text == "true" || v.text == "false"):
		return verdictOf(v.text == l.text)
	case l.kind == literalNumber && v.kind == kindNumber:
		return verdictOf(v.number == l.number)
	case l.kind != literalBool && v.kind == kindText:
		return verdictOf(v.text == l.text)
	}
	return wrongType
}

// canonicalNumber returns a form of a JSON number (RFC 8259 section 6) that two
// numbers share exactly when they have the same value: no digit is lost, as it
// would be in a float64 above 2^53. It reports false for anything else, and for
// exponents beyond the range of an int32.
func canonicalNumber(s string) (string, bool) {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	whole, s := digits(s)
	if whole == "" || len(whole) > 1 && whole[0] == '0' {
		return "", false
	}
	fraction := ""
	if strings.HasPrefix(s, ".") {
		if fraction, s = digits(s[1:]); fraction == "" {
			return "", false
		}
	}
	exponent := int64(0)
	if s != "" {
		if s[0] != 'e' && s[0] != 'E' {
			return "", false
		}
		s = s[1:]
		written, rest := digits(strings.TrimPrefix(strings.TrimPrefix(s, "-"), "+"))
		n, err := strconv.ParseInt(s, 10, 32)
		if written == "" || rest != "" || err != nil {
			return "", false
		}
		exponent = n
	}
	all := strings.TrimLeft(whole+fraction, "0")
	significant := strings.TrimRight(all, "0")
	if significant == "" {
		return "0", true
	}
	exponent += int64(len(all) - len(significant) - len(fraction))
	return sign + significant + "e" + strconv.FormatInt(exponent, 10), true
}

// digits cuts the leading decimal digits from s.
func digits(s string) (lead, rest string) {
	i := 0
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		i++
	}
	return s[:i], s[i:]
}
