package session

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func modeOf(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestLoadSecretMakesOneAndKeepsIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "var", "state")
	first, err := LoadSecret(dir, "secret")
	if err != nil {
		t.Fatal(err)
	}
	if len(first) < MinSecret || bytes.Equal(first, make([]byte, len(first))) {
		t.Fatalf("got %d bytes, want at least %d random ones", len(first), MinSecret)
	}
	if got := modeOf(t, dir); got != 0o700 {
		t.Errorf("directory mode: got %#o, want 0700", got)
	}
	if got := modeOf(t, filepath.Join(dir, "secret")); got != 0o600 {
		t.Errorf("file mode: got %#o, want 0600", got)
	}
	second, err := LoadSecret(dir, "secret")
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("the second time: got another secret or %v", err)
	}
	other, err := LoadSecret(dir, "other")
	if err != nil || bytes.Equal(first, other) {
		t.Errorf("under another name: got the same secret or %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("the directory holds %v, want the two secrets and nothing left over", entries)
	}
}

func TestLoadSecretRacersGetOne(t *testing.T) {
	for range 10 {
		dir := filepath.Join(t.TempDir(), "state")
		secrets := make([][]byte, 8)
		var wg sync.WaitGroup
		for i := range secrets {
			wg.Go(func() {
				secret, err := LoadSecret(dir, "secret")
				if err != nil {
					t.Error(err)
				}
				secrets[i] = secret
			})
		}
		wg.Wait()
		for _, s := range secrets {
			if !bytes.Equal(s, secrets[0]) {
				t.Fatal("two that started at once got different secrets")
			}
		}
	}
}

func TestLoadSecretRefuses(t *testing.T) {
	good := "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n"
	write := func(text string, mode fs.FileMode) func(string) error {
		return func(path string) error {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				return err
			}
			return os.Chmod(path, mode)
		}
	}
	tests := []struct {
		name  string
		plant func(path string) error
		want  string
	}{
		{"a file that its group may read", write(good, 0o640), "mode is 0640, so others than its owner may use it; expected 0600"},
		{"a file that the world may read", write(good, 0o604), "mode is 0604"},
		{"a file that others may write", write(good, 0o622), "mode is 0622"},
		{"an empty file", write("", 0o600), "expected one line of base64url text for at least 32 bytes, got 0 bytes"},
		{"half a secret", write(good[:20], 0o600), "got 20 bytes"},
		{"two lines", write(good+good, 0o600), "got 88 bytes"},
		{"something else", write(strings.Repeat("correct horse ", 5), 0o600), "got 70 bytes"},
		{"a directory", func(p string) error { return os.Mkdir(p, 0o700) }, "expected a regular file, got d"},
		{"a link to elsewhere", func(p string) error { return os.Symlink("/dev/zero", p) }, "expected a regular file, got L"},
		{"a link to nowhere", func(p string) error { return os.Symlink("nowhere", p) }, "expected a regular file, got L"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "secret")
			if err := tt.plant(path); err != nil {
				t.Fatal(err)
			}
			got, err := LoadSecret(dir, "secret")
			if err == nil || got != nil {
				t.Fatalf("got a secret, want an error with %q", tt.want)
			}
			if text := err.Error(); !strings.Contains(text, tt.want) || !strings.Contains(text, path) {
				t.Errorf("got error %q, want one with %q and the path", text, tt.want)
			}
			if text := fmt.Sprint(err); strings.Contains(text, good[:10]) || strings.Contains(text, "horse") {
				t.Errorf("error %q quotes the file", text)
			}
		})
	}
}

func TestLoadSecretAcceptsOtherLineEnds(t *testing.T) {
	for _, end := range []string{"", "\n", "\r\n"} {
		dir := t.TempDir()
		text := "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" + end
		if err := os.WriteFile(filepath.Join(dir, "secret"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := LoadSecret(dir, "secret"); err != nil || len(got) != 32 || got[31] != 31 {
			t.Errorf("line end %q: got %d bytes, %v", end, len(got), err)
		}
	}
}

func TestLoadSecretRefusesADirectoryForEverybody(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for mode, refused := range map[fs.FileMode]bool{0o777: true, 0o1777: true, 0o770: false, 0o755: false, 0o700: false} {
		if err := os.Chmod(dir, mode&0o777|fs.ModeSticky*(mode>>9)); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadSecret(dir, "secret"); (err != nil) != refused {
			t.Errorf("mode %#o: got %v, want refused %t", mode, err, refused)
		}
	}
}

func TestLoadSecretRefusesPaths(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"", ".", "..", "../secret", "a/b", "/etc/secret"} {
		if _, err := LoadSecret(dir, name); err == nil {
			t.Errorf("name %q: got no error", name)
		}
	}
	if _, err := LoadSecret("", "secret"); err == nil {
		t.Error("no directory: got no error")
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSecret(filepath.Join(file, "below"), "secret"); err == nil {
		t.Error("a directory below a file: got no error")
	}
}

func TestGenerateSecretDoesNotRepeat(t *testing.T) {
	if a, b := GenerateSecret(), GenerateSecret(); len(a) != MinSecret || bytes.Equal(a, b) {
		t.Error("two secrets are the same, or of the wrong length")
	}
}
