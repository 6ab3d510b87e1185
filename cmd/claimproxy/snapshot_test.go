package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// place is a directory with a configuration and what it names.
func place(t *testing.T) (dir string, taken *snapshot) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{"claimproxy.yaml": "main", "secret": "s", "conf.d/a.yaml": "a"} {
		put(t, filepath.Join(dir, name), text)
	}
	taken = newSnapshot()
	take := taken.env()
	take.ReadFile(filepath.Join(dir, "claimproxy.yaml"))
	take.ReadFile(filepath.Join(dir, "secret"))
	take.ReadFile(filepath.Join(dir, "missing"))
	take.Glob(filepath.Join(dir, "conf.d", "*.yaml"))
	take.ReadFile(filepath.Join(dir, "conf.d", "a.yaml"))
	return dir, taken
}

func put(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestWhatWasReadIsSeenToChange, and nothing else.
func TestWhatWasReadIsSeenToChange(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(t *testing.T, dir string)
		want bool
	}{
		"nothing":                     {func(*testing.T, string) {}, false},
		"the same text again":         {func(t *testing.T, dir string) { put(t, dir+"/claimproxy.yaml", "main") }, false},
		"another file":                {func(t *testing.T, dir string) { put(t, dir+"/sessions.db", "x") }, false},
		"a file no pattern matches":   {func(t *testing.T, dir string) { put(t, dir+"/conf.d/a.yaml~", "x") }, false},
		"the main file":               {func(t *testing.T, dir string) { put(t, dir+"/claimproxy.yaml", "Main") }, true},
		"a secret":                    {func(t *testing.T, dir string) { put(t, dir+"/secret", "t") }, true},
		"a secret that goes":          {func(t *testing.T, dir string) { os.Remove(dir + "/secret") }, true},
		"a file that was missing":     {func(t *testing.T, dir string) { put(t, dir+"/missing", "") }, true},
		"one more file in a pattern":  {func(t *testing.T, dir string) { put(t, dir+"/conf.d/b.yaml", "b") }, true},
		"one file less in a pattern":  {func(t *testing.T, dir string) { os.Remove(dir + "/conf.d/a.yaml") }, true},
		"the directory of a pattern":  {func(t *testing.T, dir string) { os.RemoveAll(dir + "/conf.d") }, true},
		"a file put in place at once": {func(t *testing.T, dir string) { put(t, dir+"/new", "x"); os.Rename(dir+"/new", dir+"/secret") }, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir, taken := place(t)
			test.do(t, dir)
			if got := taken.changed(); got != test.want {
				t.Errorf("changed: got %v, want %v", got, test.want)
			}
		})
	}
}

// TestDirectoriesOfLinksAreWatched: Kubernetes keeps a ConfigMap in a directory that a
// link names, and swaps the link.
func TestDirectoriesOfLinksAreWatched(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/mount/..2026_1/claimproxy.yaml", "1")
	put(t, dir+"/far/away/real.yaml", "1")
	for link, to := range map[string]string{"mount/..data": "..2026_1", "mount/claimproxy.yaml": "..data/claimproxy.yaml", "other.yaml": dir + "/far/away/real.yaml"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Skip(err)
		}
	}
	taken := newSnapshot()
	taken.readFile(dir + "/mount/claimproxy.yaml")
	taken.readFile(dir + "/other.yaml")
	got := taken.directories()
	for _, want := range []string{dir, dir + "/mount", dir + "/mount/..data", dir + "/far/away"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not among %q", want, got)
		}
	}
	put(t, dir+"/mount/..2026_2/claimproxy.yaml", "2")
	os.Symlink("..2026_2", dir+"/mount/..tmp")
	if err := os.Rename(dir+"/mount/..tmp", dir+"/mount/..data"); err != nil {
		t.Fatal(err)
	}
	if !taken.changed() {
		t.Error("a link that was swapped is not seen")
	}
}
