package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const routes = `
  - {path: /open/, upstream: app, allow: public}
  - {path: /, upstream: app, allow: developers, shadow: groups contains teams/b}`

// asked sends four requests: one to a public route, one of nobody and one of a
// developer to another, and one for a page of claimproxy's own.
func (r *running) asked() {
	r.ask("GET", r.public+"/open/a?secret=s3cr3t")
	r.ask("GET", r.public+"/closed")
	r.ask("GET", r.public+"/.auth/providers")
	r.signIn("ada")
	r.ask("GET", r.public+"/closed")
}

func TestDecisionsAreAudited(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.log")
	r := start(t, echo, "audit: {file: "+file+"}", routes)
	r.asked()
	r.stop()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := entries(t, string(data))
	for i := range got {
		if len(got[i].RequestID) != 16 {
			t.Errorf("request id %q", got[i].RequestID)
		}
		got[i].RequestID = ""
	}
	want := []entry{
		{Route: "localhost/open/", Path: "/open/a", Decision: "allow", Reason: "public", Status: 200},
		{Route: "localhost/", Path: "/closed", Decision: "sign-in", Reason: "no-credentials", Policy: "developers", Status: 401,
			Shadow: "sign-in", ShadowPolicy: "groups contains teams/b"},
		{Route: "localhost/", Path: "/closed", Decision: "allow", Reason: "policy", Policy: "developers", Auth: "bearer", Sub: "1", Status: 200,
			Shadow: "deny", ShadowPolicy: "groups contains teams/b"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if strings.Contains(string(data), "s3cr3t") || strings.Contains(string(data), r.token) {
		t.Errorf("a query or a token is in\n%s", data)
	}
	if r.stdout.String() != "" {
		t.Errorf("standard output has %q", r.stdout.String())
	}
}

// TestTheOptionGoesBeforeTheFile, in both directions.
func TestTheOptionGoesBeforeTheFile(t *testing.T) {
	dir := t.TempDir()
	named, other := filepath.Join(dir, "named.log"), filepath.Join(dir, "other.log")
	for _, test := range []struct {
		name, key string
		options   []string
		want      string // a file, or "-"
	}{
		{"standard output in the file", "audit: {stdout: true}", nil, "-"},
		{"standard output instead", "audit: {file: " + named + "}", []string{"--audit", "-"}, "-"},
		{"another file instead", "audit: {file: " + named + "}", []string{"--audit", other}, other},
		{"the option alone", "", []string{"--audit=-"}, "-"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := start(t, echo, test.key, routes, test.options...)
			r.asked()
			r.stop()
			text := r.stdout.String()
			if test.want != "-" {
				data, err := os.ReadFile(test.want)
				if err != nil {
					t.Fatal(err)
				}
				text = string(data)
			}
			if got := entries(t, text); len(got) != 3 {
				t.Errorf("got %+v, want three entries", got)
			}
			if _, err := os.Stat(named); err == nil {
				t.Error("the file of the configuration was made")
			}
		})
	}
	if code, _, stderr := command(t, "serve", "-c", good(t), "--audit", ""); code != exitUsage || !strings.Contains(stderr, "--audit names no file") {
		t.Errorf("an empty name: got %d %q", code, stderr)
	}
}

// TestAnAuditFileThatCannotBeWrittenIsSaidAtOnce: by serve, which does not start
// without it; check looks at the configuration alone and makes nothing.
func TestAnAuditFileThatCannotBeWrittenIsSaidAtOnce(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "nowhere", "audit.log")
	path := write(t, "claimproxy.yaml", "listen: 127.0.0.1:0\naudit: {file: "+file+"}"+strings.Replace(smallConfig, ", client_secret: {file: secret}", "", 1))
	code, _, stderr := command(t, "serve", "-c", path)
	if want := "claimproxy: audit: open " + file + ": no such file or directory\n"; code != exitFailed || stderr != want {
		t.Errorf("serve: got %d %q, want %d %q", code, stderr, exitFailed, want)
	}
	if code, _, stderr := command(t, "check", "-c", path); code != exitFine {
		t.Errorf("check: got %d %q", code, stderr)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("check made %v (%v)", entries, err)
	}
}

// TestLostLinesAreCounted: the disk is full, requests go on.
func TestLostLinesAreCounted(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full")
	}
	r := start(t, echo, adminKey+"\naudit: {file: /dev/full}", routes)
	if status, _ := r.ask("GET", r.public+"/open/a"); status != 200 {
		t.Errorf("got %d", status)
	}
	eventually(t, "the lost line is counted", func() bool {
		_, metrics := r.ask("GET", r.admin+"/metrics")
		return strings.Contains(metrics, "\nclaimproxy_audit_lost_total 1\n")
	})
	r.wantReady(200, `"audit":{"ready":true,"why":"lines are lost, and requests go on without: `)
	r.stop()
	if log := r.stderr.String(); !strings.Contains(log, `"msg":"audit lines were lost","lost":1`) || !strings.Contains(log, "no space left on device") {
		t.Errorf("the log does not say so:\n%s", log)
	}
}
