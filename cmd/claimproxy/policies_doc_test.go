package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
)

// TestExamplesOfThePolicyGuide loads every piece of configuration in docs/policies.md
// and runs its tests. What a piece leaves out, because the page is not about it, is put
// in here.
func TestExamplesOfThePolicyGuide(t *testing.T) {
	text, err := os.ReadFile("../../docs/policies.md")
	if err != nil {
		t.Fatal(err)
	}
	pieces := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```").FindAllStringSubmatchIndex(string(text), -1)
	if len(pieces) < 15 {
		t.Fatalf("found %d pieces of configuration, want at least 15", len(pieces))
	}
	tested := 0
	for _, at := range pieces {
		piece := string(text[at[2]:at[3]])
		line := 1 + strings.Count(string(text[:at[2]]), "\n")
		t.Run(fmt.Sprintf("line %d", line), func(t *testing.T) {
			if !strings.Contains(piece, "providers:\n") {
				piece += "providers: [{id: example, issuer: 'https://id.example.org', client_id: abc}]\n"
			}
			file := filepath.Join(t.TempDir(), "claimproxy.yaml")
			if err := os.WriteFile(file, []byte(piece+"public_url: https://telemetry.example.org\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			c, report := load(file, config.Env{})
			if c != nil {
				c.warnUncovered(report)
				tested += c.tested.Run
			}
			var told strings.Builder
			if err := report.Write(&told); err != nil {
				t.Fatal(err)
			}
			if c == nil || told.Len() > 0 {
				t.Errorf("the piece is not good:\n%s", told.String())
			}
		})
	}
	if tested < 60 {
		t.Errorf("the tests of the page made %d decisions, want at least 60", tested)
	}
}
