package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAuditExplainSaysWhy about a request that was really made, by the id on its answer.
func TestAuditExplainSaysWhy(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.log")
	r := start(t, echo, "audit: {file: "+file+"}", routes)
	r.asked()
	r.stop()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	all := entries(t, string(data))
	for i, want := range []string{
		"GET localhost/open/a was let in.\n\n  why     public: anybody may: the route is public, or lets this network or these credentials of the application's own pass\n  who     nobody who is known, at 127.0.0.1\n",
		"GET localhost/closed was asked to sign in.\n\n  why     no-credentials: no session cookie",
		"GET localhost/closed was let in.\n\n  why     policy: the caller's claims fulfil the policy\n  policy  developers, which today is: groups contains teams/a\n  who     subject 1 at provider idp, by token, at 127.0.0.1\n",
	} {
		code, stdout, stderr := command(t, "audit", "explain", all[i].RequestID, "--config", r.file)
		if code != exitFine || !strings.HasPrefix(stdout, want) {
			t.Errorf("got %d %q\n%s\nwant it to begin with\n%s", code, stderr, stdout, want)
		}
	}
	if _, stdout, _ := command(t, "audit", "explain", all[2].RequestID, "--config", r.file); !strings.Contains(stdout, "shadow  groups contains teams/b would say deny\n") ||
		!strings.Contains(stdout, " from upstream app\n") {
		t.Errorf("got\n%s", stdout)
	}
	code, stdout, _ := command(t, "audit", "explain", all[0].RequestID, "--json", "--file", file)
	if code != exitFine || !strings.HasPrefix(string(data), stdout) || !json.Valid([]byte(stdout)) {
		t.Errorf("--json: got %d %s", code, stdout)
	}
}

// TestAuditExplainFindsWhatWasRotatedAway, and says so when there is nothing.
func TestAuditExplainFindsWhatWasRotatedAway(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "audit.log")
	line := func(id string) string {
		return `{"time":"2026-11-26T00:00:00Z","request_id":"` + id + `","decision":"deny","reason":"moon","path":"/\u001b[2J"}` + "\n"
	}
	put(t, file, line("new"))
	put(t, file+".1", line("older")+`{"request_id":"torn`+"\n"+line("torn"))
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write([]byte(line("oldest")))
	z.Close()
	put(t, file+"-20261125.gz", zipped.String())
	put(t, filepath.Join(dir, "audit.logger"), line("another"))
	for id, want := range map[string]int{"new": exitFine, "older": exitFine, "torn": exitFine, "oldest": exitFine, "another": exitFailed, `"`: exitFailed} {
		code, stdout, stderr := command(t, "audit", "explain", id, "--file", file, "--config", filepath.Join(dir, "none"))
		if code != want {
			t.Errorf("%s: got %d\n%s%s", id, code, stdout, stderr)
		}
		if strings.ContainsAny(stdout+stderr, "\x1b") {
			t.Errorf("%s: a terminal would obey %q", id, stdout+stderr)
		}
	}
	for _, args := range [][]string{{"audit", "explain"}, {"audit", "expalin", "x"}, {"audit", "explain", "x", "-c", good(t)}} {
		if code, _, _ := command(t, args...); code != exitUsage {
			t.Errorf("%q: got %d, want %d", args, code, exitUsage)
		}
	}
	if code, _, stderr := command(t, "audit", "explain", "x", "--file", filepath.Join(dir, "none.log")); code != exitFailed || !strings.Contains(stderr, "there is no file") {
		t.Errorf("got %d %s", code, stderr)
	}
}

// TestAFullDiskKeepsPeopleOutWhereThatIsWanted, and nobody else.
func TestAFullDiskKeepsPeopleOutWhereThatIsWanted(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full")
	}
	r := start(t, echo, adminKey+"\naudit: {file: /dev/full, on_failure: refuse}", routes)
	r.ask("GET", r.public+"/open/") // the first finds out
	eventually(t, "nobody is let in", func() bool { status, _ := r.ask("GET", r.public+"/open/"); return status == 503 })
	r.wantStatus("/closed", 401)
	r.wantReady(503, `"audit":{"ready":false,"why":"lines cannot be written, and nobody is let in without: write /dev/full: no space left on device"}`)
	if status, _ := r.ask("GET", r.public+"/.auth/providers"); status != 200 {
		t.Errorf("claimproxy's own pages: got %d", status)
	}
	r.stop()
}

// TestProfilesAreThereOnRequestAlone.
func TestProfilesAreThereOnRequestAlone(t *testing.T) {
	r := start(t, echo, "admin: {listen: 127.0.0.1:0, pprof: true}", "  - {path: /, upstream: app, allow: public}")
	for path, want := range map[string]int{"/debug/pprof/": 200, "/debug/pprof/heap": 200, "/debug/pprof/cmdline": 200, "/debug/pprof/none": 404, "/debug/pproof": 404} {
		if status, _ := r.ask("GET", r.admin+path); status != want {
			t.Errorf("%s: got %d, want %d", path, status, want)
		}
	}
	if _, body := r.ask("GET", r.public+"/debug/pprof/"); body != "the application: /debug/pprof/" {
		t.Errorf("the public listener answers %q", body)
	}
	r.stop()
}
