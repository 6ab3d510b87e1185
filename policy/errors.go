package policy

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Position is where a text stands in the configuration. The package only carries
// it from clauses to errors; zero fields are unknown.
type Position struct {
	File         string
	Line, Column int
}

// IsZero reports whether nothing is known.
func (p Position) IsZero() bool { return p == Position{} }

// String returns file:line:column, leaving out what is unknown.
func (p Position) String() string {
	var parts []string
	if p.File != "" {
		parts = append(parts, p.File)
	}
	if p.Line > 0 {
		parts = append(parts, fmt.Sprint(p.Line))
		if p.Column > 0 {
			parts = append(parts, fmt.Sprint(p.Column))
		}
	}
	return strings.Join(parts, ":")
}

// Error is one fault in a policy or a condition, told to the person who wrote it.
type Error struct {
	// At is where Text begins, or where the faulty definition or block stands.
	At Position
	// Text is the condition that holds the fault, as it was written. It is empty
	// when the fault is not in a text: a policy without a name, a block that is
	// both all and any.
	Text string
	// Offset and Length are the bytes of Text that the fault is about. Offset may
	// be len(Text): something is missing at the end.
	Offset, Length int
	// Message says what is wrong; Hint, which may be empty, what to write instead.
	Message, Hint string
}

// Error returns the message and the hint, without the place.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + "; " + e.Hint
}

// caretWidth is how much of a long line is shown around a fault, in characters.
const caretWidth = 100

// Caret returns the line of Text that holds the fault and, below it, a line that
// marks the fault. It is empty when the fault is not in a text.
func (e *Error) Caret() string {
	if e.Text == "" {
		return ""
	}
	offset := min(max(e.Offset, 0), len(e.Text))
	start := strings.LastIndexByte(e.Text[:offset], '\n') + 1
	end := len(e.Text)
	if i := strings.IndexByte(e.Text[offset:], '\n'); i >= 0 {
		end = offset + i
	}
	before := printable(e.Text[start:offset])
	marked := printable(e.Text[offset:min(max(offset, offset+e.Length), end)])
	after := printable(e.Text[min(max(offset, offset+e.Length), end):end])

	if room := caretWidth / 2; len(before) > room {
		before = append([]rune("..."), before[len(before)-room:]...)
	}
	if len(marked) > caretWidth/4 {
		marked = marked[:caretWidth/4]
		after = []rune("...")
	}
	if room := caretWidth / 4; len(after) > room {
		after = append(after[:room:room], []rune("...")...)
	}
	var b strings.Builder
	b.WriteString(strings.TrimRight(string(before)+string(marked)+string(after), " "))
	b.WriteByte('\n')
	b.WriteString(strings.Repeat(" ", len(before)))
	b.WriteByte('^')
	if len(marked) > 1 {
		b.WriteString(strings.Repeat("~", len(marked)-1))
	}
	return b.String()
}

// printable returns the characters of s, one for one, those that would disturb a
// terminal or the columns replaced.
func printable(s string) []rune {
	out := make([]rune, 0, len(s))
	for _, r := range s {
		switch {
		case r == '\t':
			r = ' '
		case !unicode.IsPrint(r):
			r = utf8.RuneError
		}
		out = append(out, r)
	}
	return out
}

// nearest returns the candidate that word is most likely a misspelling of, or "".
func nearest(word string, candidates []string) string {
	best, bestDistance := "", max(len(word)/3, 1)+1
	for _, c := range candidates {
		if d := distance(strings.ToLower(word), strings.ToLower(c), bestDistance); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance is the number of insertions, deletions, replacements and swaps of
// neighbours that turn a into b, or limit when it is not less than that.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	older, old, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		older, old, row = old, row, older
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(old[j]+1, row[j-1]+1, old[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
	}
	return min(row[len(b)], limit)
}
