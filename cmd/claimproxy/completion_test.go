package main

import (
	"os/exec"
	"strings"
	"testing"
)

func TestCompletionHasAScriptForEachShell(t *testing.T) {
	// What checks a script without running it, where there is such a shell.
	checks := map[string][]string{"bash": {"bash", "-n"}, "zsh": {"zsh", "-n"}, "fish": {"fish", "--no-execute"}}
	for _, shell := range shells {
		t.Run(shell, func(t *testing.T) {
			code, stdout, stderr := command(t, "completion", shell)
			if code != exitFine || stderr != "" || !strings.Contains(stdout, "claimproxy") {
				t.Fatalf("got exit code %d, %q and a script of %d bytes", code, stderr, len(stdout))
			}
			check := checks[shell]
			if check == nil {
				return
			}
			if _, err := exec.LookPath(check[0]); err != nil {
				t.Skipf("there is no %s here", check[0])
			}
			cmd := exec.Command(check[0], append(check[1:], write(t, "script", stdout))...)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

func TestCompletionOfAnUnknownShellIsWrongUsage(t *testing.T) {
	for _, args := range [][]string{{"completion"}, {"completion", "tcsh"}, {"completion", "bash", "zsh"}} {
		code, _, stderr := command(t, args...)
		if want := "for which shell? say one of bash, zsh, fish, powershell"; code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%q: got exit code %d and %q, want %d and %q", args, code, stderr, exitUsage, want)
		}
	}
}

// What the scripts ask the program for, and what it answers: words, and on the last
// line what else the shell is to offer.
func TestWhatIsCompleted(t *testing.T) {
	const (
		fileNames  = ":0"
		noFiles    = ":4"
		byFileType = ":8"
	)
	for _, c := range []struct {
		name string
		line []string
		want string
	}{
		{"YAML files behind --config", []string{"serve", "--config", ""}, "yaml\nyml\n" + byFileType},
		{"YAML files behind -c", []string{"check", "-c", ""}, "yaml\nyml\n" + byFileType},
		{"YAML files behind --config of explain", []string{"explain", "--config", ""}, "yaml\nyml\n" + byFileType},
		{"any file behind --people", []string{"explain", "--people", ""}, fileNames},
		{"nothing behind a port", []string{"demo", "--port", ""}, noFiles},
		{"no file as an argument", []string{"check", ""}, noFiles},
		{"shells", []string{"completion", ""}, "bash\nzsh\nfish\npowershell\n" + noFiles},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, _ := command(t, append([]string{"__complete"}, c.line...)...)
			if code != exitFine || strings.TrimSpace(stdout) != c.want {
				t.Errorf("got exit code %d and\n%s\nwant\n%s", code, stdout, c.want)
			}
		})
	}
	if _, stdout, _ := command(t, "__complete", "sch"); !strings.HasPrefix(stdout, "schema\tPrint the JSON Schema") {
		t.Errorf("a command: got %q", stdout)
	}
}
