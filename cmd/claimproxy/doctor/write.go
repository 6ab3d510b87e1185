package doctor

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
)

// marks stand before findings, all of the same width.
var marks = map[Level]string{OK: "  ok      ", Note: "  note    ", Warning: "  WARNING ", Problem: "  PROBLEM "}

// width is where lines are broken, and indent where those that go on begin.
const (
	width  = 100
	indent = 12
)

// Write prints findings for a person. Whatever came from elsewhere is printed so that a
// terminal obeys none of it.
func Write(w io.Writer, list []Finding) error {
	about := ""
	var b strings.Builder
	count := map[Level]int{}
	for _, f := range list {
		count[f.Level]++
		if f.About != about {
			about = f.About
			fmt.Fprintf(&b, "\n%s\n", harmless(about))
		}
		b.WriteString(marks[f.Level])
		wrapped(&b, len(marks[f.Level]), harmless(f.Check)+": "+harmless(f.Says))
		if f.Do != "" {
			b.WriteString(strings.Repeat(" ", indent-2) + "-> ")
			wrapped(&b, indent+1, harmless(f.Do))
		}
	}
	fmt.Fprintf(&b, "\n%s, %s.\n", counted(count[Problem], "problem"), counted(count[Warning], "warning"))
	_, err := io.WriteString(w, b.String())
	return err
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// wrapped writes words from a column on.
func wrapped(b *strings.Builder, column int, text string) {
	at := column
	for i, word := range strings.Fields(text) {
		if n := len([]rune(word)); i > 0 && at+1+n > width {
			b.WriteString("\n" + strings.Repeat(" ", indent))
			at = indent
		} else if i > 0 {
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += len([]rune(word))
	}
	b.WriteByte('\n')
}

func harmless(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}
