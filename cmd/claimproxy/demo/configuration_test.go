package demo

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/policy"
)

// loadConfiguration loads the demo's configuration as claimproxy does.
func loadConfiguration(t *testing.T) *config.Config {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "claimproxy.yaml")
	if err := os.WriteFile(file, []byte(Configuration(testAddresses)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, secretFile), []byte("a secret of a test"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, report := config.Load(file, config.Env{})
	if !report.OK() || len(report.Warnings) > 0 {
		var text bytes.Buffer
		if err := report.Write(&text); err != nil {
			t.Fatal(err)
		}
		t.Fatalf("the demo's configuration has faults:\n%s", &text)
	}
	return c
}

// TestConfigurationFitsTheProvider: what is registered at the provider is what the
// configuration says.
func TestConfigurationFitsTheProvider(t *testing.T) {
	c := loadConfiguration(t)
	if got := c.PublicURL.String(); strings.TrimSuffix(got, "/") != testAddresses.URL() {
		t.Errorf("public_url %s, want %s", got, testAddresses.URL())
	}
	p := Provider(testAddresses, "a secret of a test")
	if got := c.Providers[0].Issuer; got != p.Issuer() {
		t.Errorf("issuer %s, want %s", got, p.Issuer())
	}
	want := []string{testAddresses.URL() + "/.auth/callback/dev"}
	if diff := cmp.Diff(want, c.RedirectURIs()); diff != "" {
		t.Errorf("redirect URIs (-registered +configured):\n%s", diff)
	}
	if got := c.Providers[0].Clients[0].ClientID; got != nativeClient || c.Providers[0].ClientID != webClient {
		t.Errorf("clients %s and %s, want %s and %s", c.Providers[0].ClientID, got, webClient, nativeClient)
	}
}

// TestGuideSaysWhatTheConfigurationAllows: the printed table is what the policies
// decide, row by row and person by person.
func TestGuideSaysWhatTheConfigurationAllows(t *testing.T) {
	c := loadConfiguration(t)
	set, faults := policy.Compile(c.Definitions())
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	callers := make([]policy.Caller, 0, 4)
	for _, person := range People() {
		groups := make([]any, len(person.Groups))
		for i, g := range person.Groups {
			groups[i] = g
		}
		callers = append(callers, policy.Caller{Claims: policy.Index(map[string]any{"groups": groups}), User: true})
	}
	callers = append(callers, policy.Caller{}) // nobody
	words := map[policy.Outcome]string{policy.Allow: "yes", policy.Deny: "no", policy.SignIn: "log in"}
	for _, row := range accessTable {
		path := row.Request[strings.Index(row.Request, "/"):]
		path = strings.TrimSuffix(strings.Fields(path)[0], "...")
		for method := range strings.FieldsFuncSeq(row.Request[:strings.Index(row.Request, "/")], func(r rune) bool { return r == ',' || r == ' ' }) {
			if method == "any" {
				method = "DELETE"
			}
			clause, err := allow(c, method, path)
			if err != nil {
				t.Error(err)
				continue
			}
			rule, faults := set.Rule(clause)
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			for i, caller := range callers {
				if got := words[rule.Decide(caller).Outcome]; got != row.May[i] {
					t.Errorf("%s %s for person %d: the table says %q, the configuration %q", method, path, i+1, row.May[i], got)
				}
			}
		}
	}
}

// allow finds what the configuration says about a method at a path: the first route
// whose path matches.
func allow(c *config.Config, method, path string) (policy.Clause, error) {
	for _, r := range c.Routes {
		if r.Path != path && !(strings.HasSuffix(r.Path, "/") && strings.HasPrefix(path, r.Path)) {
			continue
		}
		if len(r.Methods) > 0 && !slices.Contains(r.Methods, method) {
			return policy.Clause{}, fmt.Errorf("%s %s: the route allows %v", method, path, r.Methods)
		}
		if r.Allow != nil {
			return *r.Allow, nil
		}
		for _, rule := range r.Rules {
			if slices.Contains(rule.Methods, method) {
				return rule.Allow, nil
			}
		}
		return policy.Clause{}, fmt.Errorf("%s %s: no rule", method, path)
	}
	return policy.Clause{}, fmt.Errorf("%s %s: no route", method, path)
}
