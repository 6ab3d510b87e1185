package policy

import (
	"strings"
	"testing"
)

func TestCaret(t *testing.T) {
	long := strings.Repeat("groups contains a or ", 20)
	tests := []struct {
		name string
		err  Error
		want string
	}{
		{"a fault without a text has no caret", Error{Message: "a policy has no name"}, ""},
		{"one character", Error{Text: "a b", Offset: 2, Length: 1}, "a b\n  ^"},
		{"several characters", Error{Text: "a bcd e", Offset: 2, Length: 3}, "a bcd e\n  ^~~"},
		{"something missing at the end", Error{Text: "a is", Offset: 4}, "a is\n    ^"},
		{"only the line of the fault is shown", Error{Text: "a is b\nand c has d\nand e is f", Offset: 13, Length: 3}, "and c has d\n      ^~~"},
		{"a fault at the beginning of a line", Error{Text: "a is b\nhas", Offset: 7, Length: 3}, "has\n^~~"},
		{"a fault across lines ends with its line", Error{Text: "a has\nb", Offset: 2, Length: 5}, "a has\n  ^~~"},
		{"characters count, not bytes", Error{Text: "name is Jürgen Ä", Offset: 16, Length: 2}, "name is Jürgen Ä\n               ^"},
		{"a tab counts as a space", Error{Text: "a\tb", Offset: 2, Length: 1}, "a b\n  ^"},
		{"control characters do not reach the terminal", Error{Text: "a \x1b[31m b", Offset: 8, Length: 1}, "a \uFFFD[31m b\n        ^"},
		{"marks that turn text around do not reach the terminal", Error{Text: "a \u202e b", Offset: 6, Length: 1}, "a \uFFFD b\n    ^"},
		{"bytes that are not UTF-8 take one place each", Error{Text: "a \xff\xfe b", Offset: 5, Length: 1}, "a \uFFFD\uFFFD b\n     ^"},
		{"a long line is cut on both sides", Error{Text: long, Offset: 210, Length: 6},
			"...ns a or groups contains a or groups contains a or groups contains a or groups con...\n" + strings.Repeat(" ", 53) + "^~~~~~"},
		{"an offset beyond the text does not panic", Error{Text: "ab", Offset: 10, Length: 5}, "ab\n  ^"},
		{"a negative offset does not panic", Error{Text: "ab", Offset: -1, Length: -1}, "ab\n^"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.err.Caret(); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestPosition(t *testing.T) {
	tests := []struct {
		name string
		at   Position
		want string
	}{
		{"nothing known", Position{}, ""},
		{"a file", Position{File: "a.yaml"}, "a.yaml"},
		{"a line", Position{File: "a.yaml", Line: 3}, "a.yaml:3"},
		{"all", Position{File: "a.yaml", Line: 3, Column: 7}, "a.yaml:3:7"},
		{"no file", Position{Line: 3, Column: 7}, "3:7"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.at.String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got, want := tt.at.IsZero(), tt.want == ""; got != want {
				t.Errorf("IsZero: got %t, want %t", got, want)
			}
		})
	}
}

func TestDidYouMean(t *testing.T) {
	names := []string{"developers", "admins", "kde-ev"}
	tests := []struct{ name, word, want string }{
		{"a letter left out", "develpers", "developers"},
		{"two letters swapped", "admisn", "admins"},
		{"capitals", "KDE-EV", "kde-ev"},
		{"something else altogether", "receiver", ""},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := nearest(tt.word, names); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
