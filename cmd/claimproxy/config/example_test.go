package config

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const exampleFile = "../../../config.example.yaml"

func readExample(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The tour shows one thing that is warned about wherever it stands, and says so.
func TestExampleConfigurationIsGood(t *testing.T) {
	_, r := parse(readExample(t))
	got := rendered(t, r)
	if !r.OK() || len(r.Warnings) != 1 || !strings.HasSuffix(r.Warnings[0].Path, ".pass_schemes[0]") {
		t.Errorf("config.example.yaml:\n%s", got)
	}
}

// The tour leads past every key: whoever adds a field without a line in
// config.example.yaml is told here.
func TestExampleConfigurationShowsEveryKey(t *testing.T) {
	c := mustParse(t, readExample(t))
	shown := make(map[string]bool)
	index := regexp.MustCompile(`\[\d+\]`)
	keyed := regexp.MustCompile(`^(policies|upstreams|people)\.[^.]+`)
	for _, p := range c.places {
		path := index.ReplaceAllString(p.path, "[]")
		shown[keyed.ReplaceAllString(path, "$1.NAME")] = true
	}
	eachField(reflect.TypeFor[Config](), "", func(path string, f *field) {
		if key := joinHome(path, f.name); !shown[key] && !shown[key+"[]"] {
			t.Errorf("config.example.yaml does not show %s", key)
		}
	})
}

// A value that the tour marks as the default is the default: without that line the
// configuration is the same.
func TestExampleConfigurationMarksDefaultsThatAreDefaults(t *testing.T) {
	text := readExample(t)
	want := mustParse(t, text)
	lines := strings.Split(text, "\n")
	marked := regexp.MustCompile(`^\s+[a-z_]+: .*# default(;|$)|^[a-z_]+: .*# default(;|$)`)
	found := 0
	for i, line := range lines {
		if !marked.MatchString(line) {
			continue
		}
		found++
		got := mustParse(t, strings.Join(slices.Concat(lines[:i], lines[i+1:]), "\n"))
		if diff := compare(want, got); diff != "" {
			t.Errorf("without its line %d, %q, config.example.yaml means something else (-with +without):\n%s", i+1, strings.TrimSpace(line), diff)
		}
	}
	if found < 15 {
		t.Errorf("found %d lines marked as defaults, expected at least 15", found)
	}
}
