package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// recipes are the blocks of docs/native-clients.md in one language below one heading.
func recipes(t testing.TB, heading, language string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "native-clients.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(data), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("docs/native-clients.md has no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(section, -1) {
		blocks = append(blocks, m[1])
	}
	if len(blocks) == 0 {
		t.Fatalf("%q has no %s", heading, language)
	}
	return blocks
}

// recipeSite is the application of the cookbook.
func recipeSite(t *testing.T, setup setup) *site {
	t.Helper()
	s := setup.site(t)
	s.Recorder = newRecorder(t).url
	s.config = strings.Replace(s.config, "routes:\n", `routes:
  - {path: /analytics/, upstream: recorder, allow: developers}
  - {path: /reports/, upstream: recorder, allow: auth is client and client_id is proxy-web}
`, 1)
	return s.start()
}

// signInFor is the person at the browser, for a program that prints the address to open; it
// returns what the program has printed in the end.
func signInFor(t *testing.T, s *site, argv ...string) string {
	t.Helper()
	p, err := startProcess(argv[0], t.TempDir(), nil, argv...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	p.showOnFailure(t)
	var open []string
	eventually(t, patience, "it asks for a browser", func() bool {
		if !p.running() {
			t.Fatalf("it has ended:\n%s", p.out.since(0))
		}
		open = regexp.MustCompile(`open: (\S+)\n`).FindStringSubmatch(p.out.since(0))
		return open != nil
	})
	b := newBrowser(t)
	b.follow(b.atProvider(b.visit(open[1]), s.idp, people()["alice"], true)).wantStatus(t, http.StatusOK)
	<-p.ended
	return p.out.since(0)
}

func TestTheRecipeInGoWorks(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		s := recipeSite(t, setup)
		// Inside the module, so that its libraries are found.
		dir, err := os.MkdirTemp("testdata", "recipe-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		source, program := filepath.Join(dir, "main.go"), filepath.Join(t.TempDir(), "tool")
		if err := os.WriteFile(source, []byte(recipes(t, "Go", "go")[0]), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("go", "build", "-o", program, source).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		got := signInFor(t, s, program, s.url+"/analytics/products")
		if !strings.Contains(got, "status: 200\n") || !strings.Contains(got, `"alice"`) {
			t.Errorf("it printed\n%s", got)
		}
	})
}

func TestTheRecipeInPythonWorks(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		need(t, python)
		s := recipeSite(t, setup)
		file := filepath.Join(t.TempDir(), "tool.py")
		if err := os.WriteFile(file, []byte(recipes(t, "Python", "python")[0]), 0o600); err != nil {
			t.Fatal(err)
		}
		got := signInFor(t, s, "python3", file, s.url+"/analytics/products")
		if !strings.Contains(got, "status: 200\n") || !strings.Contains(got, `"alice"`) {
			t.Errorf("it printed\n%s", got)
		}
	})
}

func TestTheRecipesForAShellWork(t *testing.T) {
	t.Parallel()
	need(t, shellAndCurl)
	s := recipeSite(t, setups[1])
	m := newTerminal(t)
	blocks := recipes(t, "On your own machine", "sh")
	if len(blocks) != 4 || !strings.HasPrefix(blocks[0], "claimproxy login") || !strings.HasPrefix(blocks[3], "git config") {
		t.Fatalf("got the blocks %q, want login, curl, token and git", blocks)
	}
	m.login(s, people()["alice"])
	for _, block := range blocks[1:3] { // the first is what login has done, the last is in git_test.go
		script := strings.ReplaceAll(block, "https://telemetry.example.org", s.url)
		if got := m.run("sh", "-euc", script); !strings.Contains(got, `"alice"`) {
			t.Errorf("%s\nprints %s", script, got)
		}
	}
	if want := "git config --global credential.https://git.example.org.helper '!claimproxy git-credential'\n"; !strings.HasPrefix(blocks[3], want) {
		t.Errorf("got %q, want what git_test.go does: %q", blocks[3], want)
	}
}

func TestTheRecipeForACIJobWorks(t *testing.T) {
	t.Parallel()
	need(t, shellAndCurl)
	s := recipeSite(t, setups[0])
	m := newTerminal(t)
	if err := os.WriteFile(filepath.Join(m.home, "report.json"), []byte(`{"tests": 7}`), 0o600); err != nil {
		t.Fatal(err)
	}
	m.env = append(m.env, "CLIENT_ID=proxy-web", "CLIENT_SECRET=proxy-web-secret", "SCOPE=read_api", fmt.Sprintf("TOKEN_ENDPOINT=%s%s", s.idp.issuer, s.idp.tokenPath))
	script := strings.ReplaceAll(recipes(t, "A CI job", "sh")[0], "https://telemetry.example.org", s.url)
	if got := m.run("sh", "-euc", script); !strings.Contains(got, `"tests\": 7`) || strings.Contains(got, "X-Forwarded-User") {
		t.Errorf("it printed %s", got)
	}
	m.env = append(m.env, "CLIENT_ID=other-web", "CLIENT_SECRET=other-web-secret")
	if got := m.try("", "sh", "-euc", script); got.code != 22 {
		t.Errorf("another client's job: got %+v, want 22", got)
	}
}
