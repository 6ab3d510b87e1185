package certificates

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// fileBackend is what keeps sessions, in a file of its own.
func fileBackend(t *testing.T) session.Backend {
	t.Helper()
	b, err := session.OpenFile(session.FileOptions{Dir: t.TempDir(), MemoryBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func sealer(t *testing.T, secrets ...string) *session.Sealer {
	t.Helper()
	var all [][]byte
	for _, s := range secrets {
		all = append(all, bytes.Repeat([]byte(s), session.MinSecret))
	}
	s, err := session.NewSealer(all)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSharedStoreKeepsWhatItIsGiven(t *testing.T) {
	s, ctx := &Shared{fileBackend(t), sealer(t, "a")}, t.Context()
	if _, err := s.Get(ctx, "x.pem"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v for what is not there, want fs.ErrNotExist", err)
	}
	for _, text := range []string{"one", "another"} {
		if err := s.Put(ctx, "x.pem", []byte(text), time.Hour); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(ctx, "x.pem"); err != nil || string(got) != text {
			t.Errorf("got %q and %v, want %q", got, err, text)
		}
	}
	if err := s.Remove(ctx, "x.pem"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(ctx, "x.pem"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v for what was removed, want fs.ErrNotExist", err)
	}
	ran := false
	if err := s.Alone(ctx, "x", func(context.Context) error { ran = true; return nil }); err != nil || !ran {
		t.Errorf("Alone: ran %v, %v", ran, err)
	}
}

// The attack: reading the Redis for private keys.
func TestSharedStoreShowsNoKeyToWhoReadsTheBackend(t *testing.T) {
	b := fileBackend(t)
	s, ctx := &Shared{b, sealer(t, "a")}, t.Context()
	const secret = "-----BEGIN PRIVATE KEY-----"
	if err := s.Put(ctx, "x.example.org.pem", []byte(secret), time.Hour); err != nil {
		t.Fatal(err)
	}
	entry, err := b.Load(ctx, s.keys("x.example.org.pem")[0])
	if err != nil {
		t.Fatal(err)
	}
	if raw := string(entry.Box) + string(entry.Head); strings.Contains(raw, "PRIVATE") || strings.Contains(raw, "example") {
		t.Errorf("it can be read: %q", raw)
	}
	// Nor does what is sealed for one name open as another's.
	if err := b.Create(ctx, s.keys("y.example.org.pem")[0], entry); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(ctx, "y.example.org.pem"); err == nil {
		t.Errorf("what was kept for x is taken for y's: %q", got)
	}
}

func TestSharedStoreOutlivesAChangeOfSecrets(t *testing.T) {
	b, ctx := fileBackend(t), t.Context()
	if err := (&Shared{b, sealer(t, "a")}).Put(ctx, "x.pem", []byte("text"), time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, secrets := range [][]string{{"b", "a"}, {"b"}} {
		if got, err := (&Shared{b, sealer(t, secrets...)}).Get(ctx, "x.pem"); err != nil || string(got) != "text" {
			t.Errorf("with %v: got %q and %v", secrets, got, err)
		}
	}
}
