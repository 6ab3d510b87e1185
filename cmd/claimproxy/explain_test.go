package main

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what explain says into testdata/explain")

// TestExplanations compares what people see, to the letter, with testdata/explain. The
// first line of each file is the command line.
func TestExplanations(t *testing.T) {
	files, err := filepath.Glob("testdata/explain/*.txt")
	if err != nil || len(files) < 12 {
		t.Fatalf("got %d files and %v, want at least 12", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			line, want, _ := strings.Cut(string(text), "\n")
			args := words(t, strings.TrimPrefix(line, "$ claimproxy "))
			code, stdout, stderr := command(t, append(args, "--config", "testdata/explain/claimproxy.yaml")...)
			got := stdout + stderr
			if code != exitFine {
				got += "exit code " + map[int]string{exitFailed: "1", exitUsage: "2", exitConfig: "78"}[code] + "\n"
			}
			if *update {
				if err := os.WriteFile(file, []byte(line+"\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", line, diff)
			}
		})
	}
}

// words cuts a command line as a shell does that knows single quotes alone.
func words(t *testing.T, line string) []string {
	t.Helper()
	var all []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			all = append(all, part)
		} else {
			all = append(all, strings.Fields(part)...)
		}
	}
	return all
}

// TestExplanationForPrograms has the keys that are promised, whatever the decision.
func TestExplanationForPrograms(t *testing.T) {
	for _, line := range []string{"GET /admin/ --as dev", "GET /", "GET /receiver/submit/", "GET /none --as dev", "GET https://other.example/", "GET /a//b"} {
		args := append([]string{"explain"}, words(t, line)...)
		code, stdout, stderr := command(t, append(args, "--json", "--config", "testdata/explain/claimproxy.yaml")...)
		if code != exitFine || stderr != "" {
			t.Errorf("%s: exit code %d, %s", line, code, stderr)
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(stdout), &got); err != nil {
			t.Fatalf("%s: %v in %s", line, err, stdout)
		}
		for _, key := range []string{"decision", "reason", "route", "policy", "needs"} {
			if got[key] == nil {
				t.Errorf("%s: no %s in %s", line, key, stdout)
			}
		}
	}
}

// TestAFailingTestRefusesTheFile: at check, at start, and for explain.
func TestAFailingTestRefusesTheFile(t *testing.T) {
	config := strings.Replace(smallConfig, ", client_secret: {file: secret}", "", 1)
	for name, c := range map[string]struct{ tests, says string }{
		"what is expected does not come": {
			"tests:\n  - {request: [GET /x, 'GET /y?z=1'], claims: {groups: [teams/b]}, auth: bearer, expect: allow}\n",
			`:8:16: tests[0].request[0]: GET /x with these claims (bearer): expected allow, got deny (not-allowed, groups contains teams/a): needs groups contains teams/a - you have groups: [teams/b]`,
		},
		"it comes for another reason": {
			"tests:\n  - {request: GET /x, claims: {groups: [teams/b]}, expect: deny, because: method}\n",
			`expected deny because method, got deny (not-allowed`,
		},
		"nobody is let in as somebody": {
			"tests:\n  - {request: GET /x, expect: allow}\n",
			`GET /x as nobody: expected allow, got sign-in (no-credentials, groups contains teams/a)`,
		},
		"both kinds of credentials are tried": {
			"people: {ann: {groups: teams/b}}\ntests:\n  - {request: GET /x, as: ann, expect: allow}\n",
			`GET /x as ann (browser): expected allow`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, "claimproxy.yaml", config+c.tests)
			for _, args := range [][]string{{"check"}, {"serve"}, {"explain", "GET", "/"}} {
				code, _, stderr := command(t, append(args, "--config", file)...)
				if code != exitConfig || !strings.Contains(stderr, c.says) {
					t.Errorf("%v: exit code %d, %s", args, code, stderr)
				}
			}
		})
	}
	good := write(t, "claimproxy.yaml", config+"tests:\n  - {request: GET /x, claims: {groups: [teams/a]}, expect: allow, because: groups contains teams/a}\n")
	if code, stdout, stderr := command(t, "check", "--config", good); code != exitFine || !strings.Contains(stdout, "; 2 tested decisions are as expected.") {
		t.Errorf("a file whose tests hold: exit code %d, %s%s", code, stdout, stderr)
	}
}
