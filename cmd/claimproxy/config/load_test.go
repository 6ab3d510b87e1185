package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/policy"
)

func TestLoadReadsTheRealFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("secret", sentinel, 0o600)
	write("claimproxy.yaml", strings.Replace(withSecret("{file: secret}"), "public_url", "state_dir: sessions\npublic_url", 1), 0o600)
	c, r := Load(filepath.Join(dir, "claimproxy.yaml"), Env{})
	if got := rendered(t, r); got != "" {
		t.Fatal(got)
	}
	if got := c.Providers[0].ClientSecret.Reveal(); got != sentinel {
		t.Errorf("got %q, expected the secret beside the file", got)
	}
	if want := filepath.Join(dir, "sessions"); c.StateDir != want {
		t.Errorf("state_dir: got %q, expected %q", c.StateDir, want)
	}
}

func TestLoadSaysThatTheFileIsNotThere(t *testing.T) {
	name := filepath.Join(t.TempDir(), "claimproxy.yaml")
	c, r := Load(name, Env{})
	if got := rendered(t, r); c != nil || !strings.HasPrefix(got, name+": the configuration file cannot be read: ") ||
		!strings.Contains(got, " (name it with --config FILE; config.example.yaml shows every key)\n") {
		t.Errorf("got %v and %q", c, got)
	}
}

func TestStateDirIsWhereSystemdSays(t *testing.T) {
	env := world()
	env.LookupEnv = func(name string) (string, bool) {
		return "/var/lib/claimproxy:/var/lib/other", name == "STATE_DIRECTORY"
	}
	c, r := Parse("/etc/claimproxy/claimproxy.yaml", []byte(smallest), env)
	if c == nil {
		t.Fatal(rendered(t, r))
	}
	if want := "/var/lib/claimproxy"; c.StateDir != want {
		t.Errorf("got %q, expected %q", c.StateDir, want)
	}
}

func TestTextIsReadWhateverWroteIt(t *testing.T) {
	want := mustParse(t, smallest)
	for name, text := range map[string]string{
		"line ends of Windows":         strings.ReplaceAll(smallest, "\n", "\r\n"),
		"a byte order mark":            "\ufeff" + smallest,
		"document marks":               "%YAML 1.1\n---" + smallest + "...\n",
		"a tab behind a value":         strings.Replace(smallest, "example.org\n", "example.org\t# x\n", 1),
		"no line end at the end":       strings.TrimSpace(smallest),
		"trailing blanks and comments": smallest + "  \n# x\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			if diff := compare(want, mustParse(t, text)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAliasStandsForAWholeValue(t *testing.T) {
	c := mustParse(t, `
public_url: https://telemetry.example.org
providers:
  - {id: invent, issuer: "https://invent.example.org", client_id: abc, scopes: &scopes [openid, email]}
  - {id: lab, issuer: "https://lab.example.org", client_id: abc, scopes: *scopes}
routes:
  - {path: /a, upstream: &app {url: "http://127.0.0.1:8000"}, allow: &who groups contains teams/a}
  - {path: /b, upstream: *app, allow: *who}
`)
	if got := c.Providers[1].Scopes; len(got) != 2 || got[1] != "email" {
		t.Errorf("scopes: got %q", got)
	}
	if got := c.Routes[1]; !slices.Equal(got.Upstream.URL, []string{"http://127.0.0.1:8000"}) || got.Allow.Text != "groups contains teams/a" {
		t.Errorf("the second route: got %v and %q", got.Upstream.URL, got.Allow.Text)
	}
}

func TestFaultInAnAnchorIsToldOnce(t *testing.T) {
	got := errorLines(t, `
public_url: https://telemetry.example.org
routes:
  - {path: /a, upstream: &app {url: "http://127.0.0.1:8000", timeout: 5}, allow: public}
  - {path: /b, upstream: *app, allow: public}
`)
	if len(got) != 1 {
		t.Errorf("got %q, expected one fault", got)
	}
}

// What is built later may find more faults; they are told in the same way.
func TestPlaceAndAddPointAtTheFile(t *testing.T) {
	c, r := parse(smallest)
	if c == nil {
		t.Fatal(rendered(t, r))
	}
	at, path := c.Place(&c.Providers[0].Issuer)
	if want := (policy.Position{File: c.File, Line: 4, Column: 26}); at != want || path != "providers[0].issuer" {
		t.Errorf("got %v and %q, expected %v and providers[0].issuer", at, path, want)
	}
	if at, path := c.Place(&c.Endpoints); at != (policy.Position{File: c.File}) || path != "" {
		t.Errorf("a key that is not in the file: got %v and %q", at, path)
	}
	r.Add(at, path, "something is wrong")
	const want = `/etc/claimproxy/claimproxy.yaml:4:26: providers[0].issuer: something is wrong
    4 |   - {id: invent, issuer: "https://invent.example.org", client_id: abc}
      |                          ^
1 error
`
	if got := rendered(t, r); got != want || r.OK() {
		t.Errorf("got\n%s\nexpected\n%s", got, want)
	}
}

func TestRedirectURIs(t *testing.T) {
	c := mustParse(t, `
public_url: HTTPS://Telemetry.Example.org:443/
endpoints: /_auth
providers:
  - {id: invent, issuer: "https://invent.example.org", client_id: abc}
  - {id: lab, issuer: "https://lab.example.org", client_id: abc, callback_path: /oauth/return}
routes:
  - {upstream: "http://127.0.0.1:8000", allow: signed-in}
`)
	got := strings.Join(c.RedirectURIs(), " ")
	if want := "https://telemetry.example.org/_auth/callback/invent https://telemetry.example.org/oauth/return"; got != want {
		t.Errorf("got %s, expected %s", got, want)
	}
	if got := c.Routes[0].Hosts[0]; got != "telemetry.example.org" {
		t.Errorf("the route's host: got %q", got)
	}
}

// The whole file is read to its end, whatever is wrong at its beginning.
func TestAllFaultsAreToldAtOnce(t *testing.T) {
	data, err := os.ReadFile("testdata/bad/71-all-at-once.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, r := Parse("claimproxy.yaml", data, world())
	sections := make(map[string]bool)
	last := 0
	for _, f := range r.Errors {
		sections[strings.FieldsFunc(f.Path, func(r rune) bool { return r == '.' || r == '[' })[0]] = true
		if f.At.Line < last {
			t.Errorf("%v stands behind a fault of line %d", f, last)
		}
		last = f.At.Line
	}
	for _, section := range []string{"public_url", "listen", "session", "providers", "upstreams", "policies", "routes"} {
		if !sections[section] {
			t.Errorf("no fault of %s is told", section)
		}
	}
}

func TestUnusedPoliciesAndUpstreamsAreWarnedAbout(t *testing.T) {
	c, r := parse(`
public_url: https://telemetry.example.org
providers:
  - {id: invent, issuer: "https://invent.example.org", client_id: abc}
policies:
  direct: groups contains a
  named: groups contains b
  through: policy named and groups contains c
  header: groups contains d
  block: groups contains e
  unused: groups contains f and policy only-by-unused
  only-by-unused: groups contains g
upstreams:
  app: {url: "http://127.0.0.1:8000"}
  old: {url: "http://127.0.0.1:8001"}
routes:
  - {path: /a, upstream: app, allow: direct}
  - {path: /b, upstream: app, allow: {any: [policy through, {not: policy block}]}}
  - {path: /c, upstream: app, allow: signed-in, identity_headers: {X-Role: {header: Admin}}}
`)
	if c == nil {
		t.Fatal(rendered(t, r))
	}
	var got []string
	for _, f := range r.Warnings {
		got = append(got, f.Path)
	}
	if want := "policies.unused policies.only-by-unused upstreams.old"; strings.Join(got, " ") != want {
		t.Errorf("got %q, expected %s", got, want)
	}
}

// What stands in a file cannot turn the terminal's text around, nor fill it.
func TestFaultsAreFitForATerminal(t *testing.T) {
	_, r := parse("public_url: http://\u202egro.example\u202c\nroutes: [" + strings.Repeat("x", 3_000_000) + "]\n")
	got := rendered(t, r)
	if strings.ContainsAny(got, "\u202e\u202c\u0007") {
		t.Errorf("marks that turn text around are shown: %q", got[:min(len(got), 500)])
	}
	if len(got) > 5000 {
		t.Errorf("%d bytes are shown", len(got))
	}
}
