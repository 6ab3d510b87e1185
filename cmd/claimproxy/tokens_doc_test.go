package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
)

// TestExamplesOfTheTokenGuide loads every piece of configuration in docs/tokens.md and
// runs its tests.
func TestExamplesOfTheTokenGuide(t *testing.T) {
	text, err := os.ReadFile("../../docs/tokens.md")
	if err != nil {
		t.Fatal(err)
	}
	pieces := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```").FindAllStringSubmatch(string(text), -1)
	if len(pieces) < 2 {
		t.Fatalf("found %d pieces of configuration, want at least 2", len(pieces))
	}
	for _, piece := range pieces {
		file := filepath.Join(t.TempDir(), "claimproxy.yaml")
		if err := os.WriteFile(file, []byte(piece[1]+"public_url: https://telemetry.example.org\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, report := load(file, config.Env{})
		var told strings.Builder
		if err := report.Write(&told); err != nil {
			t.Fatal(err)
		}
		if c == nil || told.Len() > 0 {
			t.Errorf("a piece is not good:\n%s\n%s", piece[1], told.String())
		}
	}
}
