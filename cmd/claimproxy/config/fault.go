package config

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/claimproxy/claimproxy/policy"
)

// Fault is one thing that is wrong, or doubtful, in the configuration.
type Fault struct {
	// At is where the fault begins. Line and Column count from one, columns in
	// characters; Line 0 speaks of the file as a whole.
	At policy.Position
	// Path names the key, as in "routes[2].allow". It is empty where no key is at
	// fault.
	Path string
	// Message says what was expected and what was met. It is lower case, without
	// a full stop, and never holds a secret.
	Message string
	// Hint says what to write instead, as in `did you mean "allow"?`; it is empty
	// when there is nothing to suggest.
	Hint string
	// Source is the line of the file that At names, secrets masked.
	Source string
	// Length is how many characters of Source are at fault, at least one.
	Length int
}

// Error is the fault in one line:
//
//	claimproxy.yaml:12:5: routes[2].alow: unknown key "alow" (did you mean "allow"?)
func (f Fault) Error() string { return f.line("") }

func (f Fault) line(severity string) string {
	var b strings.Builder
	b.WriteString(f.At.File)
	if f.At.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", f.At.Line, f.At.Column)
	}
	b.WriteString(": ")
	b.WriteString(severity)
	if f.Path != "" {
		b.WriteString(f.Path)
		b.WriteString(": ")
	}
	b.WriteString(f.Message)
	if f.Hint != "" {
		fmt.Fprintf(&b, " (%s)", f.Hint)
	}
	return visible(b.String())
}

// visible keeps what stands in a file, or in the name of one, from steering the
// terminal that it is shown on.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) && r != '\t' { // control characters, marks that turn text around
			return utf8.RuneError
		}
		return r
	}, s)
}

// snippet is the source line with its number, and carets below what is at fault.
// It is empty when the line is not known.
func (f Fault) snippet() string {
	if f.Source == "" {
		return ""
	}
	line, before := window([]rune(f.Source), max(f.At.Column-1, 0))
	carets := max(min(f.Length, len(line)-before), 1)
	var b strings.Builder
	fmt.Fprintf(&b, "%5d | %s\n", f.At.Line, string(line))
	b.WriteString("      | ")
	for _, r := range line[:min(before, len(line))] {
		if r == '\t' { // keeps the caret below its character, however wide a tab is
			b.WriteByte('\t')
		} else {
			b.WriteByte(' ')
		}
	}
	b.WriteString(strings.Repeat(" ", max(before-len(line), 0)))
	b.WriteString(strings.Repeat("^", carets))
	b.WriteByte('\n')
	return b.String()
}

// window cuts a long line down to what stands around a place in it, and returns where
// the place is then.
func window(line []rune, at int) ([]rune, int) {
	const most, ahead = 240, 80
	const cut = "..."
	if len(line) <= most {
		return line, at
	}
	at = min(at, len(line))
	start := max(at-ahead, 0)
	end := min(start+most, len(line))
	shown, place := slices.Clone(line[start:end]), at-start
	if start > 0 {
		shown, place = append([]rune(cut), shown...), place+len(cut)
	}
	if end < len(line) {
		shown = append(shown, []rune(cut)...)
	}
	return shown, place
}

// Report is everything that Load has to say about a file and those it includes.
type Report struct {
	// Errors are the faults that make the file unusable, the main file's first, each
	// file's in its order.
	Errors []Fault
	// Warnings are what is legal and yet worth a second look, in the same order.
	Warnings []Fault

	sources []*source // the files, in their order
}

// OK says whether the file can be used. Warnings do not count.
func (r *Report) OK() bool { return len(r.Errors) == 0 }

// Add reports a fault that was found after Load, while something was built from
// the configuration. Config.Place says where the key at fault stands.
func (r *Report) Add(at policy.Position, path, message string) {
	r.add(&r.Errors, Fault{At: at, Path: path, Message: message, Length: 1})
	r.showSources()
}

// Warn is Add for what is legal and yet worth a second look.
func (r *Report) Warn(at policy.Position, path, message, hint string) {
	r.add(&r.Warnings, Fault{At: at, Path: path, Message: message, Hint: hint, Length: 1})
	r.showSources()
}

// showSources gives every fault the source line it points at.
func (r *Report) showSources() {
	for _, list := range [][]Fault{r.Errors, r.Warnings} {
		for i := range list {
			if n := r.rank(list[i].At.File); n < len(r.sources) {
				list[i].Source = r.sources[n].line(list[i].At.Line)
			}
		}
	}
}

// rank is where a file stands among those that were read. The main one is the first,
// and one that is not among them comes last.
func (r *Report) rank(file string) int {
	if i := slices.IndexFunc(r.sources, func(s *source) bool { return s.name == file }); i >= 0 {
		return i
	}
	return len(r.sources)
}

// add puts a fault into its place in the file's order. A fault inside an anchor
// that is used twice is reported once.
func (r *Report) add(list *[]Fault, f Fault) {
	i, _ := slices.BinarySearchFunc(*list, f, func(a, b Fault) int {
		return cmp.Or(
			cmp.Compare(r.rank(a.At.File), r.rank(b.At.File)),
			cmp.Compare(a.At.Line, b.At.Line),
			cmp.Compare(a.At.Column, b.At.Column),
			// Never equal: behind the faults that were found earlier at this place.
			-1)
	})
	for j := i - 1; j >= 0 && (*list)[j].At == f.At; j-- {
		if g := (*list)[j]; g.Message == f.Message && lastKey(g.Path) == lastKey(f.Path) {
			return
		}
	}
	*list = slices.Insert(*list, i, f)
}

func lastKey(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// Write renders the report for people: every error and warning in one line, the
// source line and a caret below it, and a count at the end. It writes nothing
// when there is nothing to say.
func (r *Report) Write(w io.Writer) error {
	var b strings.Builder
	for _, f := range r.Errors {
		b.WriteString(f.line("") + "\n" + f.snippet())
	}
	for _, f := range r.Warnings {
		b.WriteString(f.line("warning: ") + "\n" + f.snippet())
	}
	switch {
	case len(r.Errors) > 0 && len(r.Warnings) > 0:
		fmt.Fprintf(&b, "%s, %s\n", count(len(r.Errors), "error"), count(len(r.Warnings), "warning"))
	case len(r.Errors) > 0:
		fmt.Fprintf(&b, "%s\n", count(len(r.Errors), "error"))
	case len(r.Warnings) > 0:
		fmt.Fprintf(&b, "%s\n", count(len(r.Warnings), "warning"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
