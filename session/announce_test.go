package session_test

import (
	"testing"

	"github.com/claimproxy/claimproxy/session"
)

// TestAnAnnouncementIsHeardByOthersOfTheSecret, is about one person at one issuer, and
// leaves nothing behind.
func TestAnAnnouncementIsHeardByOthersOfTheSecret(t *testing.T) {
	b := session.NewMemory()
	here := openStore(t, b)
	there := openStore(t, b, func(o *session.StoreOptions) {
		sealer, err := session.NewSealer([][]byte{[]byte("a newer secret, of 32 bytes or more"), []byte("the secret of the state directory")})
		if err != nil {
			t.Fatal(err)
		}
		o.Sealer = sealer
	})
	var heard []session.Key
	defer there.Watch(func(key session.Key) { heard = append(heard, key) })()
	for range 2 { // once does not stand in the way of the next time
		heard = nil
		if err := here.Announce(t.Context(), "https://idp.example", "jane"); err != nil {
			t.Fatal(err)
		}
		if len(heard) != 1 {
			t.Fatalf("heard %d keys, want one", len(heard))
		}
		about, ok := there.Announced(heard[0])
		if !ok || !about("https://idp.example", "jane") || about("https://idp.example", "john") || about("https://other.example", "jane") {
			t.Error("the announcement is about somebody else")
		}
		if _, err := b.Load(t.Context(), heard[0]); err == nil {
			t.Error("the announcement is still there")
		}
	}
	heard = nil
	cookie := signIn(t, here, "jane")
	wantPerson(t, here, cookie, "jane")
	if _, err := here.EndAll(t.Context(), "https://idp.example", "jane"); err != nil {
		t.Fatal(err)
	}
	for _, key := range append(heard, session.AnySession) {
		if _, ok := there.Announced(key); ok {
			t.Error("the end of a session counts as an announcement")
		}
	}
}
