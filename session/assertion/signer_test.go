package assertion

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/claimproxy/claimproxy/session"
)

func sealerOf(t testing.TB, first byte, more ...byte) *session.Sealer {
	t.Helper()
	var secrets [][]byte
	for _, b := range append([]byte{first}, more...) {
		secrets = append(secrets, []byte(strings.Repeat(string(rune(b)), session.MinSecret)))
	}
	s, err := session.NewSealer(secrets)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// clock is a time that a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func signerOf(t testing.TB, sealer *session.Sealer, c *clock) *Signer {
	t.Helper()
	s, err := New(Options{Issuer: "https://app.example.org", Sealer: sealer, NamedGroups: []string{"named"}, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// published reads the keys as an application does.
func published(t testing.TB, s *Signer) jose.JSONWebKeySet {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/.auth/jwks.json", nil))
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil || w.Code != 200 {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	for _, k := range set.Keys {
		if !k.IsPublic() || k.KeyID == "" || k.Use != "sig" || k.Algorithm != "ES256" {
			t.Errorf("the key %+v is published", k)
		}
	}
	if strings.Contains(w.Body.String(), `"d"`) {
		t.Fatal("a private key is published")
	}
	return set
}

// read checks an assertion as an application does.
func read(t testing.TB, token string, set jose.JSONWebKeySet) map[string]any {
	t.Helper()
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := parsed.Claims(set, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func jane() *session.Identity {
	return &session.Identity{
		Provider: "invent", Issuer: "https://invent.example.org", Subject: "42", ClientID: "web", Auth: session.AuthBrowser, User: "invent:jane",
		Claims: session.Claims{"name": "Jane", "preferred_username": "jane", "email": "jane@example.org", "groups": []any{"a", "b,c", 5}, "secret": "s"},
	}
}

func TestWhatAnAssertionSays(t *testing.T) {
	c := &clock{time.Unix(1_800_000_000, 0)}
	s := signerOf(t, sealerOf(t, 'a'), c)
	token, until, err := s.Assert(jane(), "https://wiki.example.org")
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, token, published(t, s))
	want := map[string]any{
		"iss": "https://app.example.org", "aud": "https://wiki.example.org", "sub": "42", "iat": 1.8e9, "nbf": 1.8e9 - 10, "exp": 1.8e9 + 300,
		"provider": "invent", "client_id": "web", "auth": "browser", "user": "invent:jane", "name": "Jane", "preferred_username": "jane",
		"email": "jane@example.org", "groups": []any{"a", "b,c"},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if want := c.at.Add(Fresh); !until.Equal(want) {
		t.Errorf("it may be used until %v, want %v", until, want)
	}
	unchecked := jane()
	unchecked.Claims["email_verified"] = false
	token, _, _ = s.Assert(unchecked, "x")
	if got := read(t, token, published(t, s)); got["email"] != nil {
		t.Errorf("an address that nobody has checked is asserted: %v", got["email"])
	}
}

// TestAProgramAloneIsNobody in an assertion.
func TestAProgramAloneIsNobody(t *testing.T) {
	s := signerOf(t, sealerOf(t, 'a'), &clock{time.Unix(1_800_000_000, 0)})
	id := jane()
	id.Auth = session.AuthClient
	token, _, err := s.Assert(id, "x")
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, token, published(t, s))
	for _, name := range []string{"sub", "user", "name", "preferred_username", "email"} {
		if got[name] != nil {
			t.Errorf("%s is %v", name, got[name])
		}
	}
	if got["auth"] != "client" || got["client_id"] != "web" {
		t.Errorf("got %v", got)
	}
}

func TestManyGroupsAreThoseThatPoliciesName(t *testing.T) {
	s := signerOf(t, sealerOf(t, 'a'), &clock{time.Unix(1_800_000_000, 0)})
	id := jane()
	many := []any{"named"}
	for i := range 1000 {
		many = append(many, fmt.Sprintf("teams/group-%d", i))
	}
	id.Claims["groups"] = many
	token, _, err := s.Assert(id, "x")
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, token, published(t, s))["groups"]; fmt.Sprint(got) != "[named]" {
		t.Errorf("got %v", got)
	}
}

// TestNothingIsAssertedForLongerThanItIsProved.
func TestNothingIsAssertedForLongerThanItIsProved(t *testing.T) {
	c := &clock{time.Unix(1_800_000_000, 0)}
	s := signerOf(t, sealerOf(t, 'a'), c)
	id := jane()
	id.Until = c.at.Add(time.Minute)
	token, until, err := s.Assert(id, "x")
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, token, published(t, s))["exp"]; got != 1.8e9+60 || until.After(id.Until) {
		t.Errorf("exp is %v, to be used until %v", got, until)
	}
}

// TestKeysRotate: each week another one signs, which was published before, and what it has
// signed can be checked after.
func TestKeysRotate(t *testing.T) {
	c := &clock{time.Unix(1_800_000_000, 0)}
	s := signerOf(t, sealerOf(t, 'a'), c)
	before := published(t, s)
	first, _, _ := s.Assert(jane(), "x")
	c.at = c.at.Add(rotation)
	second, _, _ := s.Assert(jane(), "x")
	read(t, second, before)
	read(t, first, published(t, s))
	kids := func(token string) string { return token[:strings.IndexByte(token, '.')] }
	if kids(first) == kids(second) {
		t.Error("the key is the same after a week")
	}
	c.at = c.at.Add(rotation)
	now := published(t, s)
	parsed, err := jwt.ParseSigned(first, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	if len(now.Key(parsed.Headers[0].KeyID)) != 0 {
		t.Error("a key is published two weeks after its own")
	}
}

// TestReplicasSignAlike: the same secrets give the same keys, and while a new one is rolled
// out each knows the other's.
func TestReplicasSignAlike(t *testing.T) {
	c := &clock{time.Unix(1_800_000_000, 0)}
	old, same, rolled := signerOf(t, sealerOf(t, 'a', 'b'), c), signerOf(t, sealerOf(t, 'a', 'b'), c), signerOf(t, sealerOf(t, 'b', 'a'), c)
	stranger := signerOf(t, sealerOf(t, 'c'), c)
	token, _, _ := old.Assert(jane(), "x")
	read(t, token, published(t, same))
	read(t, token, published(t, rolled))
	byNew, _, _ := rolled.Assert(jane(), "x")
	read(t, byNew, published(t, old))
	var ids []string
	for _, k := range published(t, old).Keys {
		ids = append(ids, k.KeyID)
	}
	for _, k := range published(t, stranger).Keys {
		if slices.Contains(ids, k.KeyID) {
			t.Error("another secret has the same key")
		}
	}
}

func TestKeysAreReadOnly(t *testing.T) {
	s := signerOf(t, sealerOf(t, 'a'), &clock{time.Unix(1_800_000_000, 0)})
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("POST", "/.auth/jwks.json", nil))
	if w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("got %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

func BenchmarkAssert(b *testing.B) {
	s := signerOf(b, sealerOf(b, 'a'), &clock{time.Unix(1_800_000_000, 0)})
	id := jane()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := s.Assert(id, "https://wiki.example.org"); err != nil {
			b.Fatal(err)
		}
	}
}
