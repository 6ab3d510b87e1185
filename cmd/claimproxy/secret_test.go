package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/session"
)

func TestSecretIsPrintedAndNothingElse(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		code, stdout, stderr := command(t, "secret")
		line, ok := strings.CutSuffix(stdout, "\n")
		if code != exitFine || stderr != "" || !ok || len(line) != 43 || seen[line] {
			t.Fatalf("got exit code %d, %q and %q, want another line of 43 characters", code, stdout, stderr)
		}
		seen[line] = true
		if secret, err := session.ParseSecret(stdout); err != nil || len(secret) != 32 {
			t.Fatalf("the secret is not taken: %v", err)
		}
	}
	if code, _, _ := command(t, "secret", "x"); code != exitUsage {
		t.Errorf("an argument: got exit code %d, want %d", code, exitUsage)
	}
}

// What the state directory's own secret has sealed opens when the configuration takes
// over, and what the configured one has sealed when it is followed by another.
func TestSealerGoesOnOpening(t *testing.T) {
	dir := t.TempDir()
	sealer := func(secrets ...string) *session.Sealer {
		t.Helper()
		cfg := &config.Config{StateDir: dir, Session: config.Session{Store: config.StoreFile}}
		for _, s := range secrets {
			cfg.Session.Secrets = append(cfg.Session.Secrets, config.NewSecret(s))
		}
		s, err := newSealer(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	fresh := func() string { _, out, _ := command(t, "secret"); return strings.TrimSpace(out) }
	opens := func(s *session.Sealer, sealed []byte) bool {
		_, err := s.Open("test", sealed, nil)
		return err == nil
	}
	generated := sealer().Seal("test", []byte("x"), nil)
	first, second := fresh(), fresh()
	one := sealer(first)
	configured := one.Seal("test", []byte("y"), nil)
	if !opens(one, generated) {
		t.Error("the configured secret locks out what the generated one has sealed")
	}
	both := sealer(second, first)
	if !opens(both, generated) || !opens(both, configured) || opens(one, both.Seal("test", nil, nil)) {
		t.Error("after a rotation not all opens, or not the first seals")
	}
	if err := os.Remove(filepath.Join(dir, generatedSecret)); err != nil {
		t.Fatal(err)
	}
	if s := sealer(second); opens(s, generated) || opens(s, configured) {
		t.Error("a secret that was taken away still opens")
	}
	if _, err := os.Stat(filepath.Join(dir, generatedSecret)); err == nil {
		t.Error("a secret was made although one is configured")
	}
}
