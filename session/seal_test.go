package session

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func secretOf(c string) []byte { return []byte(strings.Repeat(c, MinSecret)) }

func sealerOf(t testing.TB, secrets ...[]byte) *Sealer {
	t.Helper()
	s, err := NewSealer(secrets)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealOpens(t *testing.T) {
	s := sealerOf(t, secretOf("a"))
	for _, plain := range []string{"", "x", strings.Repeat("long ", 10000)} {
		got, err := s.Open("attempt", s.Seal("attempt", []byte(plain), []byte("name")), []byte("name"))
		if err != nil || string(got) != plain {
			t.Errorf("Open: got %d bytes, %v, want %d", len(got), err, len(plain))
		}
		got, err = s.OpenText("attempt", s.SealText("attempt", []byte(plain), nil), nil)
		if err != nil || string(got) != plain {
			t.Errorf("OpenText: got %d bytes, %v, want %d", len(got), err, len(plain))
		}
	}
}

func TestSealHidesAndNeverRepeats(t *testing.T) {
	s := sealerOf(t, secretOf("a"))
	plain := []byte("refresh-token refresh-token refresh-token")
	seen := make(map[string]bool)
	for range 200 {
		sealed := s.Seal("attempt", plain, nil)
		if bytes.Contains(sealed, []byte("refresh")) {
			t.Fatal("the plaintext shows")
		}
		body := string(sealed[keyIDSize:])
		if seen[body] || seen[body[:saltSize]] || seen[body[saltSize:]] {
			t.Fatal("the same was sealed the same way twice")
		}
		seen[body], seen[body[:saltSize]], seen[body[saltSize:]] = true, true, true
	}
}

func TestSealedForOnePurposeOpensForNoOther(t *testing.T) {
	s := sealerOf(t, secretOf("a"))
	sealed := s.Seal("attempt", []byte("state"), []byte("cookie-1"))
	for _, tt := range []struct{ label, aad string }{
		{"session", "cookie-1"}, {"attempt", "cookie-2"}, {"attempt", ""}, {"", "cookie-1"},
		{"attempt", "cookie-1 "}, {"attempt cookie-1", ""}, {"attemptcookie-1", ""}, {"attempt ", "cookie-1"},
	} {
		if got, err := s.Open(tt.label, sealed, []byte(tt.aad)); !errors.Is(err, ErrNotOpened) {
			t.Errorf("label %q, data %q: got %q, %v, want %v", tt.label, tt.aad, got, err, ErrNotOpened)
		}
	}
}

func TestSealedWithOneBitFlippedDoesNotOpen(t *testing.T) {
	s := sealerOf(t, secretOf("a"))
	sealed := s.Seal("attempt", []byte("state and nonce"), []byte("name"))
	for i := range sealed {
		for bit := range 8 {
			bad := bytes.Clone(sealed)
			bad[i] ^= 1 << bit
			if _, err := s.Open("attempt", bad, []byte("name")); !errors.Is(err, ErrNotOpened) {
				t.Fatalf("byte %d, bit %d: got %v, want %v", i, bit, err, ErrNotOpened)
			}
		}
	}
}

func TestSealedCutShortOrExtendedDoesNotOpen(t *testing.T) {
	s := sealerOf(t, secretOf("a"))
	sealed := s.Seal("attempt", []byte("state and nonce"), nil)
	text := s.SealText("attempt", []byte("state and nonce"), nil)
	for n := range len(sealed) {
		if _, err := s.Open("attempt", sealed[:n], nil); !errors.Is(err, ErrNotOpened) {
			t.Errorf("the first %d bytes: got %v, want %v", n, err, ErrNotOpened)
		}
	}
	for n := range len(text) {
		if _, err := s.OpenText("attempt", text[:n], nil); !errors.Is(err, ErrNotOpened) {
			t.Errorf("the first %d characters: got %v, want %v", n, err, ErrNotOpened)
		}
	}
	for _, bad := range []string{text + "A", text + "=", text + "\n", text[:9] + "\r\n" + text[9:], " " + text, text + text} {
		if _, err := s.OpenText("attempt", bad, nil); !errors.Is(err, ErrNotOpened) {
			t.Errorf("%q: got %v, want %v", bad, err, ErrNotOpened)
		}
	}
}

func TestSealRotation(t *testing.T) {
	first, second, foreign := secretOf("a"), secretOf("b"), secretOf("c")
	before := sealerOf(t, first)
	after := sealerOf(t, second, first)
	old := before.Seal("attempt", []byte("old"), nil)
	if got, err := after.Open("attempt", old, nil); err != nil || string(got) != "old" {
		t.Errorf("what the old secret sealed: got %q, %v", got, err)
	}
	fresh := after.Seal("attempt", []byte("new"), nil)
	if _, err := before.Open("attempt", fresh, nil); !errors.Is(err, ErrNotOpened) {
		t.Errorf("the first secret does not seal: the old one opened it, %v", err)
	}
	if got, err := after.Open("attempt", fresh, nil); err != nil || string(got) != "new" {
		t.Errorf("what the new secret sealed: got %q, %v", got, err)
	}
	for _, s := range []*Sealer{sealerOf(t, second), sealerOf(t, foreign), {}} {
		if _, err := s.Open("attempt", old, nil); !errors.Is(err, ErrNotOpened) {
			t.Errorf("without its secret: got %v, want %v", err, ErrNotOpened)
		}
	}
}

func TestSealKeyIDDoesNotTellTheSecret(t *testing.T) {
	secret := []byte("0123456789abcdefghijklmnopqrstuvwxyz")
	sealed := sealerOf(t, secret).Seal("attempt", nil, nil)
	if bytes.Contains(secret, sealed[:keyIDSize]) {
		t.Error("the key id is a part of the secret")
	}
}

func TestNewSealerRefuses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		secrets [][]byte
		want    string
	}{
		{"none", nil, "sealer: no secret"},
		{"an empty one", [][]byte{{}}, "sealer: secret 1 is 0 bytes long, expected at least 32"},
		{"a short second one", [][]byte{secretOf("a"), []byte("hunter2")}, "sealer: secret 2 is 7 bytes long, expected at least 32"},
	} {
		if _, err := NewSealer(tt.secrets); err == nil || err.Error() != tt.want {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestSealerKeepsItsOwnSecret(t *testing.T) {
	secret := secretOf("a")
	s := sealerOf(t, secret)
	sealed := s.Seal("attempt", []byte("x"), nil)
	clear(secret) // a caller that wipes what it has read
	if _, err := s.Open("attempt", sealed, nil); err != nil {
		t.Errorf("after the caller has wiped its copy: %v", err)
	}
}

func TestSealErrorsTellNothing(t *testing.T) {
	secret := secretOf("s3cr3t")
	s := sealerOf(t, secret)
	_, err := s.Open("attempt", []byte("hunter2-hunter2-hunter2-hunter2-hunter2-hunter2"), nil)
	if text := fmt.Sprint(err); strings.Contains(text, "hunter2") || strings.Contains(text, "s3cr3t") {
		t.Errorf("error %q quotes what it must not", text)
	}
}

func FuzzSealerOpenText(f *testing.F) {
	s := sealerOf(f, secretOf("a"))
	good := s.SealText("attempt", []byte("state"), []byte("name"))
	f.Add(good)
	f.Add(good[:20])
	f.Add("")
	f.Add(strings.Repeat("A", 80))
	f.Fuzz(func(t *testing.T, text string) {
		plain, err := s.OpenText("attempt", text, []byte("name"))
		if err != nil {
			return
		}
		// The seeds of other processes open too: they were sealed with the same secret.
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if string(plain) != "state" || err != nil || base64.RawURLEncoding.EncodeToString(raw) != text {
			t.Fatalf("%q opened as %q", text, plain)
		}
	})
}
