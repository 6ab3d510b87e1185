package demo

import (
	_ "embed"
	"fmt"
	"io"
	"strings"
	"text/template"
)

// access is one row of the table of who may do what.
type access struct {
	Request string // method and path
	Who     string // what the configuration allows
	// May says, for Ada, Ben, Eve and nobody in particular, in this order: yes, no
	// (403), or "log in" (a page to sign in at, or 401 for programs).
	May [4]string
}

var accessTable = []access{
	{"GET, POST /receiver/submit/...", "everybody", [4]string{"yes", "yes", "yes", "yes"}},
	{"GET       /analytics/...", "developers", [4]string{"yes", "yes", "no", "log in"}},
	{"GET       /admin/products", "developers", [4]string{"yes", "yes", "no", "log in"}},
	{"POST      /admin/products", "admins", [4]string{"no", "yes", "no", "log in"}},
	{"any       /  and all the rest", "developers", [4]string{"yes", "yes", "no", "log in"}},
}

//go:embed guide.txt
var guideText string

var guide = template.Must(template.New("guide.txt").Funcs(template.FuncMap{
	"column": func(width int, text string) string { return fmt.Sprintf("%-*s", width, text) },
}).Parse(guideText))

// Guide writes what the demo is and how to use it: what to open, who may do what,
// and lines for a shell.
func Guide(w io.Writer, a Addresses) error {
	var b strings.Builder
	err := guide.Execute(&b, struct {
		Addresses
		Access []access
	}{a, accessTable})
	if err != nil {
		return fmt.Errorf("writing the guide: %w", err)
	}
	_, err = io.WriteString(w, b.String())
	return err
}
