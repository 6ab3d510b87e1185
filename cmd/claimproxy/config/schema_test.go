package config

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is in the binary is what the structs and their comments say.
func TestSchemaIsThatOfTheStructs(t *testing.T) {
	got, err := generateSchema()
	if err != nil {
		t.Fatal(err)
	}
	const file = "claimproxy.schema.json"
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(Schema(), got) {
		t.Errorf("%s is not up to date: run go test ./cmd/claimproxy/config -run Schema -update\n(-want +got):\n%s", file, cmp.Diff(string(got), string(Schema())))
	}
}

// People read descriptions beside keys, and know no fields.
func TestSchemaSpeaksOfKeys(t *testing.T) {
	goNames := make(map[string]bool)
	for s := range structHomes() {
		for i := range s.NumField() {
			if name := s.Field(i).Name; hasInnerCapital(name) && keyIn(s, name) != "" {
				goNames[name] = true
			}
		}
	}
	found := 0
	for _, m := range regexp.MustCompile(`"description": "(.*)"`).FindAllSubmatch(Schema(), -1) {
		found++
		for _, word := range regexp.MustCompile(`[A-Z][A-Za-z]+`).FindAllString(string(m[1]), -1) {
			if goNames[word] && !slices.Contains(common, word) {
				t.Errorf("%s is a name in Go, in %q", word, m[1])
			}
		}
	}
	if found < 100 {
		t.Errorf("found %d descriptions, want at least 100", found)
	}
}
