package policy

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// source is one text of the configuration, shared by all nodes read from it.
type source struct {
	text string
	at   Position
}

// span is a part of a source: the bytes from offset up to end.
type span struct {
	src         *source
	offset, end int
}

// fault makes an error about the span.
func (s span) fault(message, hint string) *Error {
	return &Error{
		At: s.src.at, Text: s.src.text, Offset: s.offset, Length: s.end - s.offset,
		Message: message, Hint: hint,
	}
}

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenQuoted
	tokenOpen
	tokenClose
	tokenListOpen
	tokenListClose
	tokenComma
	// tokenPattern is /.../ after the word matches, slashes included.
	tokenPattern
	// tokenBad stands where the lexer could not go on. The parser reports its
	// error when it gets there, so that the leftmost fault of a text is the one
	// that is told.
	tokenBad
)

type token struct {
	span
	kind tokenKind
	// text is what a quoted token means and what any other token is.
	text string
	// parts is true for a word with quoted segments in it: a."b.c".d
	parts bool
	err   *Error
}

// is reports whether the token is the given unquoted word.
func (t token) is(word string) bool { return t.kind == tokenWord && t.text == word }

// lex cuts a text into tokens. The last one is tokenEnd or tokenBad.
func lex(src *source) []token {
	l := lexer{src: src}
	var tokens []token
	for {
		l.skipBlanks()
		var t token
		// A pattern has brackets, commas and blanks of its own.
		if len(tokens) > 0 && tokens[len(tokens)-1].is("matches") && strings.HasPrefix(src.text[l.pos:], "/") {
			t = l.pattern(l.pos)
		} else {
			t = l.next()
		}
		tokens = append(tokens, t)
		if t.kind == tokenEnd || t.kind == tokenBad {
			return tokens
		}
	}
}

type lexer struct {
	src *source
	pos int
}

const (
	blanks  = " \t\r\n"
	singles = "()[],"
	// curlyQuotes are what word processors make of quotes.
	curlyQuotes = "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb"
)

func (l *lexer) skipBlanks() {
	for l.pos < len(l.src.text) && strings.IndexByte(blanks, l.src.text[l.pos]) >= 0 {
		l.pos++
	}
}

// next reads the token that begins here.
func (l *lexer) next() token {
	text, start := l.src.text, l.pos
	if start == len(text) {
		return token{kind: tokenEnd, span: l.span(start, start)}
	}
	if i := strings.IndexByte(singles, text[start]); i >= 0 {
		l.pos++
		kinds := [...]tokenKind{tokenOpen, tokenClose, tokenListOpen, tokenListClose, tokenComma}
		return token{kind: kinds[i], text: text[start:l.pos], span: l.span(start, l.pos)}
	}
	return l.word()
}

// word reads up to the next blank, bracket or comma. Quotes may stand around the
// whole, or around a segment of a dotted name.
func (l *lexer) word() token {
	text, start := l.src.text, l.pos
	quoted, value := false, ""
	for l.pos < len(text) {
		r, size := utf8.DecodeRuneInString(text[l.pos:])
		switch {
		case strings.ContainsRune(blanks, r), strings.ContainsRune(singles, r):
			return l.made(start, quoted, value)
		case r == '"' && (l.pos == start || text[l.pos-1] == '.'):
			s, bad := l.quoted()
			if bad != nil {
				return *bad
			}
			if l.pos < len(text) && !strings.ContainsRune(blanks+singles+".", rune(text[l.pos])) {
				return l.bad(l.pos, l.pos+1, "a space is missing after the closing quote", `a quote inside quotes is written \"`)
			}
			quoted, value = true, s
			continue
		case r == '"':
			return l.bad(l.pos, l.pos+1, "a quote stands inside a word", `put the whole value in double quotes and write \" for a quote inside it`)
		case l.pos == start && strings.ContainsRune("'"+curlyQuotes+"`", r):
			return l.bad(start, start+size, fmt.Sprintf("%c does not quote here", r), `use straight double quotes: "..."`)
		}
		if bad := l.visible(r, size); bad != nil {
			return *bad
		}
		l.pos += size
	}
	return l.made(start, quoted, value)
}

// pattern reads from a slash to behind the next one that has no backslash before it.
func (l *lexer) pattern(start int) token {
	text := l.src.text
	for l.pos = start + 1; l.pos < len(text); {
		r, size := utf8.DecodeRuneInString(text[l.pos:])
		switch {
		case r == '\\' && l.pos+1 < len(text):
			_, size = utf8.DecodeRuneInString(text[l.pos+1:])
			l.pos += 1 + size
			continue
		case r == '/':
			l.pos++
			if l.pos < len(text) && !strings.ContainsRune(blanks+")", rune(text[l.pos])) {
				return l.bad(l.pos, l.pos+1, "the pattern ends at the slash before this", `write \/ for a slash inside it, and flags at its beginning: /^(?i)...$/`)
			}
			return token{kind: tokenPattern, text: text[start:l.pos], span: l.span(start, l.pos)}
		}
		if bad := l.visible(r, size); bad != nil {
			return *bad
		}
		l.pos += size
	}
	return l.bad(start, start+1, "the pattern that opens here is never closed", "it ends with a slash: /^...$/")
}

// made builds the token of a word that ends here.
func (l *lexer) made(start int, quoted bool, value string) token {
	t := token{kind: tokenWord, text: l.src.text[start:l.pos], span: l.span(start, l.pos), parts: quoted}
	if quoted && t.text[0] == '"' && quotedEnd(t.text) == len(t.text) {
		t.kind, t.text, t.parts = tokenQuoted, value, false
	}
	return t
}

// quoted reads from an opening quote to behind the closing one.
func (l *lexer) quoted() (string, *token) {
	text, start := l.src.text, l.pos
	var b strings.Builder
	for l.pos++; l.pos < len(text); {
		r, size := utf8.DecodeRuneInString(text[l.pos:])
		switch {
		case r == '"':
			l.pos++
			return b.String(), nil
		case r == '\\':
			if l.pos+1 < len(text) && (text[l.pos+1] == '"' || text[l.pos+1] == '\\') {
				b.WriteByte(text[l.pos+1])
				l.pos += 2
				continue
			}
			bad := l.bad(l.pos, min(l.pos+2, len(text)), `a backslash in quotes stands before " or \ only`, `write \\ for a backslash`)
			return "", &bad
		case r == utf8.RuneError && size == 1:
			return "", l.visible(r, size)
		case unicode.IsControl(r):
			bad := l.bad(l.pos, l.pos+size, fmt.Sprintf("a control character (U+%04X) stands inside the quotes", r), "a quoted text stays on one line")
			return "", &bad
		}
		b.WriteRune(r)
		l.pos += size
	}
	bad := l.bad(start, start+1, "the quote that opens here is never closed", "")
	return "", &bad
}

// visible refuses what a reader of the file would not see.
func (l *lexer) visible(r rune, size int) *token {
	switch {
	case r == utf8.RuneError && size == 1:
		bad := l.bad(l.pos, l.pos+1, fmt.Sprintf("byte %#02x is not valid UTF-8", l.src.text[l.pos]), "")
		return &bad
	case !unicode.IsPrint(r):
		bad := l.bad(l.pos, l.pos+size, fmt.Sprintf("an invisible character (U+%04X) stands here", r), "take it out, or put the value in double quotes if it belongs there")
		return &bad
	}
	return nil
}

func (l *lexer) span(offset, end int) span { return span{src: l.src, offset: offset, end: end} }

func (l *lexer) bad(offset, end int, message, hint string) token {
	s := l.span(offset, end)
	return token{kind: tokenBad, span: s, err: s.fault(message, hint)}
}

// quotedEnd returns the index behind the quoted string that s begins with.
func quotedEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}
