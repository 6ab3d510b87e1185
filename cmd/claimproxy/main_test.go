package main

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// command runs a command line as main does.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), args, &out, &err)
	return code, out.String(), err.String()
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const smallConfig = `
public_url: https://app.example.org
providers:
  - {id: idp, issuer: https://idp.example.org, client_id: web, client_secret: {file: secret}}
routes:
  - {path: /, upstream: "http://127.0.0.1:8000", allow: groups contains teams/a}
`

func good(t *testing.T) string {
	t.Helper()
	path := write(t, "claimproxy.yaml", smallConfig)
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "secret"), []byte("s3cr3t-canary\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExitCodesTellWhoIsToBlame(t *testing.T) {
	bad := write(t, "bad.yaml", "public_url: https://app.example.org\nroute: []\n")
	for _, c := range []struct {
		name string
		args []string
		want int
		says string
	}{
		{"a good file", []string{"check", "-c", good(t)}, exitFine, ""},
		{"a faulty file", []string{"check", "-c", bad}, exitConfig, `unknown key "route"`},
		{"serving a faulty file", []string{"serve", "--config", bad}, exitConfig, `unknown key "route"`},
		{"a file that is not there", []string{"check", "-c", filepath.Join(t.TempDir(), "none.yaml")}, exitConfig, "cannot be read"},
		{"an unknown command", []string{"chekc"}, exitUsage, `unknown command "chekc" (did you mean check?)`},
		{"a command like no other", []string{"frobnicate"}, exitUsage, "unknown command \"frobnicate\"\nRun \"claimproxy --help\""},
		{"an unknown flag", []string{"check", "--jsn"}, exitUsage, "unknown flag: --jsn\nRun \"claimproxy check --help\""},
		{"a file without --config", []string{"check", "a.yaml"}, exitUsage, "--config a.yaml"},
		{"an argument too many", []string{"version", "please"}, exitUsage, `got "please"`},
		{"no command", nil, exitUsage, ""},
		{"the version", []string{"version"}, exitFine, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, _, stderr := command(t, c.args...)
			if code != c.want {
				t.Errorf("exit code: got %d, want %d\n%s", code, c.want, stderr)
			}
			if !strings.Contains(stderr, c.says) {
				t.Errorf("stderr: got %q, want it to say %q", stderr, c.says)
			}
		})
	}
}

func TestCheckListsTheRedirectURIs(t *testing.T) {
	_, stdout, _ := command(t, "check", "-c", good(t))
	if want := "https://app.example.org/.auth/callback/idp"; !strings.Contains(stdout, want) {
		t.Errorf("got\n%s\nwant it to list %s", stdout, want)
	}
}

func TestCheckTellsProgramsEverythingAtOnce(t *testing.T) {
	bad := write(t, "bad.yaml", "public_url: http://app.example.org\nroutes:\n  - {path: /, upstream: nowhere, allow: groups contain x}\n")
	code, stdout, stderr := command(t, "check", "--json", "-c", bad)
	if code != exitConfig || stderr != "" {
		t.Errorf("got exit code %d and stderr %q, want %d and nothing", code, stderr, exitConfig)
	}
	var got checkResult
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatalf("%v in\n%s", err, stdout)
	}
	if got.OK || len(got.Errors) < 3 {
		t.Errorf("got ok %v and %d errors, want the faults of public_url, upstream and allow", got.OK, len(got.Errors))
	}
	for _, f := range got.Errors {
		if f.Line == 0 || f.Message == "" {
			t.Errorf("a fault without line or message: %+v", f)
		}
	}
}

func TestCheckChangesNothing(t *testing.T) {
	path := good(t)
	command(t, "check", "-c", path)
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 2 {
		t.Errorf("got %d entries beside the configuration (%v), want it and its secret alone", len(entries), err)
	}
}

func TestASecretIsNeverPrinted(t *testing.T) {
	path := good(t)
	faulty := write(t, "faulty.yaml", strings.Replace(smallConfig, "{file: secret}", "plain-canary", 1)+"nonsense: 1\n")
	for _, args := range [][]string{{"check", "-c", path}, {"check", "--json", "-c", path}, {"check", "-c", faulty}, {"check", "--json", "-c", faulty}} {
		_, stdout, stderr := command(t, args...)
		if all := stdout + stderr; strings.Contains(all, "canary") {
			t.Errorf("%q prints the secret:\n%s", args, all)
		}
	}
}

func TestServeWritesWarningsIntoTheLogAndSaysWhichAddressIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := taken.Addr().String()
	path := write(t, "claimproxy.yaml", "listen: "+address+strings.Replace(smallConfig, "{file: secret}", "plain-canary", 1))
	code, _, stderr := command(t, "serve", "-c", path)
	if code != exitFailed {
		t.Errorf("exit code: got %d, want %d", code, exitFailed)
	}
	line, rest, _ := strings.Cut(stderr, "\n")
	var warning struct {
		Level, Msg, Key string
		Line            int
	}
	if err := json.Unmarshal([]byte(line), &warning); err != nil || warning.Level != "WARN" || warning.Line != 4 ||
		warning.Key != "providers[0].client_secret" || !strings.Contains(warning.Msg, "the secret stands in the configuration file") {
		t.Errorf("got %q (%v), want the warning about the secret as one line of JSON", line, err)
	}
	if want := "claimproxy: listening on " + address + ": address already in use\n"; rest != want {
		t.Errorf("got %q, want %q", rest, want)
	}
}

func TestTheConfigurationInTheReadmeIsGood(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "```yaml\n")
	text, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("README.md has no block of YAML")
	}
	if lines := strings.Count(text, "\n"); lines > 20 {
		t.Errorf("the block has %d lines, want at most 20", lines)
	}
	secret := write(t, "secret", "s3cr3t\n")
	text = strings.Replace(text, "/etc/claimproxy/client_secret", secret, 1)
	if code, _, stderr := command(t, "check", "-c", write(t, "readme.yaml", text)); code != exitFine {
		t.Errorf("check says %d:\n%s", code, stderr)
	}
}
