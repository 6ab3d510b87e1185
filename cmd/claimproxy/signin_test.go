package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
)

func TestSigningInIsToldWhere(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(t.TempDir(), "config")) // nobody is signed in anywhere
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"login", exitUsage, "the address of one application"},
		{"login a b", exitUsage, "the address of one application"},
		{"login --device --no-browser https://app.example.org", exitUsage, "leave out --no-browser"},
		{"login http://app.example.org", exitFailed, "not https"},
		{"login https://u:p@app.example.org", exitFailed, "without a user name"},
		{"token", exitUsage, "the address of one application"},
		{"token https://app.example.org", exitFailed, `run "claimproxy login https://app.example.org"`},
		{"logout https://app.example.org/x", exitFailed, "you are not signed in at https://app.example.org"},
		{"git-credential", exitUsage, "get, store or erase"},
		{"git-credential fill extra", exitUsage, "get, store or erase"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(context.Background(), strings.Fields(c.args), &stdout, &stderr)
		if code != c.code || !strings.Contains(stderr.String(), c.want) || stdout.Len() != 0 {
			t.Errorf("claimproxy %s: got %d, %q, %q, want %d and %q", c.args, code, &stdout, &stderr, c.code, c.want)
		}
	}
}

func TestCurlsOwnHelpIsNotInTheWay(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(context.Background(), []string{"curl", "--help"}, &stdout, &stderr); code != exitFine || !strings.Contains(stdout.String(), "The exit code is curl's.") {
		t.Errorf("got %d, %q, %q", code, &stdout, &stderr)
	}
}
