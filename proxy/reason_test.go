package proxy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestReasonsAreAllThereAre: every constant that is a reason, of this package and of
// those that it takes reasons from, is in the list.
func TestReasonsAreAllThereAre(t *testing.T) {
	found := 0
	for _, dir := range []string{".", "../session", "../policy"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s has no source: %v", dir, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				spec, ok := n.(*ast.ValueSpec)
				if !ok || len(spec.Values) != 1 {
					return true
				}
				kind, _ := spec.Type.(*ast.Ident)
				value, _ := spec.Values[0].(*ast.BasicLit)
				if kind == nil || kind.Name != "Reason" || value == nil {
					return true
				}
				found++
				if word, err := strconv.Unquote(value.Value); err != nil || !slices.Contains(Reasons, Reason(word)) {
					t.Errorf("%s: Reasons lacks %s", name, value.Value)
				}
				return true
			})
		}
	}
	if found < 24 {
		t.Errorf("found %d constants, want at least 24", found)
	}
	seen := map[Reason]bool{}
	for _, r := range Reasons {
		if seen[r] {
			t.Errorf("%q is there twice", r)
		}
		seen[r] = true
		if r.Meaning() == "" {
			t.Errorf("%q means nothing", r)
		}
	}
	if len(meanings) != len(Reasons) {
		t.Errorf("%d meanings for %d reasons", len(meanings), len(Reasons))
	}
}
