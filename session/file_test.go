package session_test

import (
	"testing"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/storetest"
)

func runChild() bool { return false }

func openFile(t testing.TB, dir string) *session.File {
	t.Helper()
	f, err := session.OpenFile(session.FileOptions{Dir: dir})
	if err != nil {
		t.Fatalf("OpenFile: %v", err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return f
}

func TestFileKeepsTheRules(t *testing.T) {
	storetest.RunTests(t, func(t *testing.T) session.Backend { return openFile(t, t.TempDir()) })
}

func TestMemoryKeepsTheRules(t *testing.T) {
	storetest.RunTests(t, func(t *testing.T) session.Backend { return session.NewMemory() })
}
