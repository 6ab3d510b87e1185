package main

import (
	"strings"
	"testing"
)

// The tour is read, tested and asked in a fresh clone, where nothing is there that it
// names: no secrets, no certificates, no environment.
func TestTheExampleConfigurationCanBeAskedWithoutItsSecrets(t *testing.T) {
	const example = "../../config.example.yaml"
	for _, c := range []struct {
		name string
		args []string
		says []string
	}{
		{"check", []string{"check", "--without-secrets"}, []string{"is good", "tested decisions are as expected", "https://telemetry.example.org/oauth/return"}},
		{"check for programs", []string{"check", "--without-secrets", "--json"}, []string{`"ok": true`}},
		{"what is public", []string{"explain", "POST", "/receiver/submit/org.kde.kate"}, []string{"allow: public"}},
		{"nobody known", []string{"explain", "GET", "/"}, []string{"sign-in: no-credentials"}},
		{"somebody who may", []string{"explain", "GET", "/raw/", "--as", "admin"}, []string{"allow: policy", "policy  analysts"}},
		{"somebody who may not", []string{"explain", "GET", "/", "--as", "visitor"}, []string{"deny: not-allowed", "needs groups contains teams/kde-developers"}},
		{"who may", []string{"explain", "--who", "/raw/"}, []string{"PERSON", "admin"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := command(t, append(c.args, "-c", example)...)
			warned := strings.Contains(stderr, "pass_schemes[0]") && strings.HasSuffix(stderr, "\n1 warning\n")
			if code != exitFine || stderr != "" && !warned {
				t.Fatalf("got exit code %d and stderr\n%s\nwant %d and nothing, or one warning", code, stderr, exitFine)
			}
			for _, want := range c.says {
				if !strings.Contains(stdout, want) {
					t.Errorf("got\n%s\nwant it to say %q", stdout, want)
				}
			}
		})
	}
}

func TestServingNeedsItsSecrets(t *testing.T) {
	const faulty = "the secret cannot be read"
	path := write(t, "claimproxy.yaml", smallConfig)
	for _, args := range [][]string{{"serve", "-c", path}, {"check", "-c", path}} {
		if code, _, stderr := command(t, args...); code != exitConfig || !strings.Contains(stderr, faulty) {
			t.Errorf("%q: got exit code %d and %q, want %d and %q", args, code, stderr, exitConfig, faulty)
		}
	}
	if code, _, stderr := command(t, "serve", "--without-secrets", "-c", path); code != exitUsage {
		t.Errorf("serve --without-secrets: got exit code %d and %q, want %d", code, stderr, exitUsage)
	}
}
