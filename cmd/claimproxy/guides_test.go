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
// and runs its tests.
func TestExamplesOfThePolicyGuide(t *testing.T) {
	loadPieces(t, "policies.md", 15, 60, 0)
}

// TestExamplesOfTheGuideToHosts does the same for docs/hosts.md.
func TestExamplesOfTheGuideToHosts(t *testing.T) {
	loadPieces(t, "hosts.md", 2, 5, 1)
}

// TestExamplesOfTheGuideForNativePrograms does the same for docs/native-clients.md.
func TestExamplesOfTheGuideForNativePrograms(t *testing.T) {
	loadPieces(t, "native-clients.md", 3, 1, 0)
}

// loadPieces loads every piece of configuration in a page, and runs its tests. What a
// piece leaves out, because the page is not about it, is put in here. There are at least
// so many pieces, and so many decisions tested in them. The page speaks of so many
// warnings as there are.
func loadPieces(t *testing.T, page string, least, decisions, warnings int) {
	text, err := os.ReadFile("../../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	pieces := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```").FindAllStringSubmatchIndex(string(text), -1)
	if len(pieces) < least {
		t.Fatalf("found %d pieces of configuration, want at least %d", len(pieces), least)
	}
	tested := 0
	for _, at := range pieces {
		piece := string(text[at[2]:at[3]])
		line := 1 + strings.Count(string(text[:at[2]]), "\n")
		t.Run(fmt.Sprintf("line %d", line), func(t *testing.T) {
			if !strings.Contains(piece, "providers:\n") {
				piece += "providers: [{id: example, issuer: 'https://id.example.org', client_id: abc}]\n"
			}
			if !strings.Contains(piece, "routes:\n") {
				piece += "routes: [{path: /, upstream: 'http://127.0.0.1:8000', allow: signed-in}]\n"
			}
			if !strings.Contains(piece, "public_url:") {
				piece += "public_url: https://telemetry.example.org\n"
			}
			file := filepath.Join(t.TempDir(), "claimproxy.yaml")
			if err := os.WriteFile(file, []byte(piece), 0o600); err != nil {
				t.Fatal(err)
			}
			c, report := load(file, config.Env{WithoutSecrets: true})
			if c != nil {
				c.warnUncovered(report)
				tested += c.tested.Run
			}
			var told strings.Builder
			if err := report.Write(&told); err != nil {
				t.Fatal(err)
			}
			warnings -= len(report.Warnings)
			if c == nil || warnings < 0 {
				t.Errorf("the piece is not good:\n%s", told.String())
			}
		})
	}
	if tested < decisions {
		t.Errorf("the tests of the page made %d decisions, want at least %d", tested, decisions)
	}
}
