package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Everything that people copy from is fine in an editor.
func TestSchemaAcceptsWhatPeopleCopyFrom(t *testing.T) {
	accepted := func(name, schema, text string) {
		t.Helper()
		if faults, isTree := schemaFaults(t, schema, text); !isTree || faults != "" {
			t.Errorf("the schema refuses %s:\n%s", name, faults)
		}
	}
	for _, name := range []string{"config.example.yaml", "cmd/claimproxy/demo/claimproxy.yaml"} {
		data, err := os.ReadFile("../../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		accepted(name, mainSchema, string(data))
	}
	for _, page := range []string{"README.md", "docs/policies.md", "docs/forward-auth.md", "docs/sessions.md"} {
		pieces := yamlPieces(t, "../../../"+page)
		if len(pieces) == 0 {
			t.Errorf("%s has no piece of configuration", page)
		}
		for i, piece := range pieces {
			if !strings.Contains(piece, "public_url:") {
				piece += "public_url: https://telemetry.example.org\n"
			}
			if !strings.Contains(piece, "routes:") {
				piece += "include: conf.d/*.yaml\n"
			}
			accepted(fmt.Sprintf("piece %d of %s", i+1, page), mainSchema, piece)
		}
	}
}

// What is doubtful is not wrong.
func TestSchemaAcceptsWhatIsDoubtful(t *testing.T) {
	files, err := filepath.Glob("testdata/doubtful/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d files and %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if faults, _ := schemaFaults(t, mainSchema, string(data)); faults != "" {
			t.Errorf("the schema refuses %s:\n%s", file, faults)
		}
	}
}

// Editors find the schema by the first line of a file.
func TestExamplesNameTheirSchema(t *testing.T) {
	for _, name := range []string{"../../../config.example.yaml", "../demo/claimproxy.yaml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		line, _, _ := strings.Cut(string(data), "\n")
		schema, found := strings.CutPrefix(line, "# yaml-language-server: $schema=")
		if !found {
			t.Errorf("%s begins with %q", name, line)
			continue
		}
		if got, err := os.ReadFile(filepath.Join(filepath.Dir(name), schema)); err != nil || !bytes.Equal(got, Schema()) {
			t.Errorf("%s names the schema %s, which is not ours (%v)", name, schema, err)
		}
	}
}

func TestSchemaOfIncludedFiles(t *testing.T) {
	for text, good := range map[string]bool{
		"policies: {a: groups contains a}":                                          true,
		"routes: [{path: /a/, upstream: a, allow: a}]\ntests: []":                   true,
		"upstreams: {a: {url: 'http://127.0.0.1:1'}}\npeople: {dev: {groups: [a]}}": true,
		"public_url: https://a.example.org":                                         false,
		"include: more/*.yaml":                                                      false,
		"policies: {a: {requires: groups contains a}}":                              false,
	} {
		faults, _ := schemaFaults(t, includedSchema, text)
		if (faults == "") != good {
			t.Errorf("%s: got faults %q", text, faults)
		}
	}
}

// Routes may all be in other files, and a file without either is none.
func TestSchemaWantsRoutesOrFilesThatHaveThem(t *testing.T) {
	const url = "public_url: https://a.example.org\n"
	for text, good := range map[string]bool{
		url + "include: conf.d/*.yaml":                                    true,
		url + "routes: [{upstream: 'http://127.0.0.1:1', allow: public}]": true,
		url:          false,
		"routes: []": false,
	} {
		faults, _ := schemaFaults(t, mainSchema, text)
		if (faults == "") != good {
			t.Errorf("%s: got faults %q", text, faults)
		}
	}
}

func yamlPieces(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var pieces []string
	for _, m := range regexp.MustCompile("(?ms)^```yaml\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
		pieces = append(pieces, m[1])
	}
	return pieces
}
