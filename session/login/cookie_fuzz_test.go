package login

import (
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// fuzzedAt is when everything that these tests seal is sealed, so that what one process
// has sealed opens in the next one too.
var fuzzedAt = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// sealing is a handler that seals and opens with a key that is always the same.
func sealing(f *testing.F) *Handler {
	sealer, err := session.NewSealer([][]byte{[]byte(strings.Repeat("fuzz secret ", 4))})
	if err != nil {
		f.Fatal(err)
	}
	names, err := session.NewCookieNames("claimproxy", true)
	if err != nil {
		f.Fatal(err)
	}
	return New(Config{
		PublicURL: &url.URL{Scheme: "https", Host: "telemetry.example.org"}, Endpoints: "/.auth", Origin: originsOf("https://telemetry.example.org", wikiHost),
		Sealer: sealer, Cookies: names, Now: func() time.Time { return fuzzedAt }, Log: slog.New(slog.DiscardHandler),
	})
}

// FuzzAttemptCookie: of what a browser sends back after signing in, only the cookie of
// this very attempt opens; no other costs more than it is long, and what is cleared away
// is ours.
func FuzzAttemptCookie(f *testing.F) {
	h := sealing(f)
	good := attempt{Provider: "invent", State: "STATEOFTHEATTEMPT", Nonce: "NONCE", Verifier: "VERIFIER", ReturnTo: "/wanted", Begun: fuzzedAt}
	other := good
	other.State = "STATEOFANOTHER"
	name, otherName := h.cookieOf(good.State), h.cookieOf(other.State)
	box, err := h.seal(name, good)
	if err != nil {
		f.Fatal(err)
	}
	otherBox, err := h.seal(otherName, other)
	if err != nil {
		f.Fatal(err)
	}
	for _, line := range []string{
		name + "=" + box, otherName + "=" + otherBox, name + "=" + otherBox, otherName + "=" + box, name + "=x; " + name + "=" + box, name + "=" + box[:len(box)-1], name + "=" + box + "A",
		name + "=" + strings.ToUpper(box), name + `="` + box + `"`, name + "=%%%", name + "=", name, "", ";", "=", "a=1; ; b", name + "_chunks=99999999", h.Cookies.Session + "=" + box,
		strings.Repeat("__Host-claimproxy-login-x=y; ", 40), name + "=" + base64.RawURLEncoding.EncodeToString([]byte(`{"p":"invent","s":"STATEOFTHEATTEMPT"}`)),
		name + "=" + h.Sealer.SealText(attemptLabel, []byte(`{"s":"STATEOFTHEATTEMPT"}`), []byte("another name")), name + "=" + h.Sealer.SealText(codeLabel, []byte("{}"), []byte(name)),
	} {
		f.Add(line, good.State, "invent")
		f.Add(line, other.State, "other")
	}
	f.Fuzz(func(t *testing.T, line, state, provider string) {
		r := httptest.NewRequest(http.MethodGet, "/.auth/callback/invent", nil)
		r.Header.Set("Cookie", line)
		a, err := h.recall(r, provider, state)
		switch {
		case err != nil && a != (attempt{}):
			t.Fatalf("%q: refused, and %+v", line, a)
		case err == nil && (a != good && a != other || a.State != state || a.Provider != provider):
			t.Fatalf("%q is the attempt %+v for %q at %q", line, a, state, provider)
		case err == nil && !strings.Contains(line, h.cookieOf(state)+"="):
			t.Fatalf("%q has no cookie of that attempt", line)
		}
		w := httptest.NewRecorder()
		h.tidy(w, r, 100)
		cleared := w.Result().Cookies()
		if len(cleared) > maxForgotten {
			t.Fatalf("%q: %d cookies are cleared away at once", line, len(cleared))
		}
		for _, c := range cleared {
			if !strings.HasPrefix(c.Name, h.Cookies.AttemptPrefix) || c.MaxAge >= 0 || c.Value != "" || !strings.Contains(line, c.Name) {
				t.Fatalf("%q: sets %v", line, c)
			}
		}
	})
}

// FuzzAcceptCode: whatever comes as the code that carries a session to another host, it
// opens only as it was made, for its host, with the secret of its attempt; and what is
// under the outer seal, should our key be known, opens with that secret alone.
func FuzzAcceptCode(f *testing.F) {
	h := sealing(f)
	// Always the same, as the other inputs are: only the sender's half of the key changes.
	private, err := kem().DeriveKeyPair([]byte(strings.Repeat("attempt ", 8)))
	if err != nil {
		f.Fatal(err)
	}
	raw, err := private.Bytes()
	if err != nil {
		f.Fatal(err)
	}
	secret, challenge := base64.RawURLEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(private.PublicKey().Bytes())
	const pass = "the session"
	// Five bits of a key of X25519 do not count (RFC 7748 section 5).
	same := func(key string) bool {
		raw, err := base64.RawURLEncoding.DecodeString(key)
		if err != nil {
			return false
		}
		other, err := kem().NewPrivateKey(raw)
		return err == nil && base64.RawURLEncoding.EncodeToString(other.PublicKey().Bytes()) == challenge
	}
	good, err := h.newCode(way{origin: wikiHost, path: "/x", challenge: challenge}, []byte(pass))
	if err != nil {
		f.Fatal(err)
	}
	forged := h.Sealer.SealText(codeLabel, []byte(`{"c":"`+challenge+`","u":`+"1795262430000"+`,"b":"AAAA"}`), []byte(wikiHost))
	for _, query := range []string{
		"code=" + good, "code=" + good + "&code=" + good, "code=" + good + "&x=y", "code=" + good[:len(good)-1], "code=" + good + "A", "code=" + good + "%3D", "code=" + strings.ToLower(good), "c%6fde=" + good,
		"code=" + forged, "code=", "code", "", "code=%zz", "code=x;code=" + good, "code=" + strings.Repeat("A", maxCode+1), "code=" + h.Sealer.SealText(attemptLabel, []byte("{}"), []byte(wikiHost)),
	} {
		f.Add(query, wikiHost, secret, []byte("box"))
	}
	f.Add("code="+good, docsHost, secret, []byte{})
	f.Add("code="+good, "https://WIKI.example.net", secret[:len(secret)-1], []byte(strings.Repeat("\x00", 60)))
	f.Add("code="+good, wikiHost, challenge, []byte(nil))
	f.Fuzz(func(t *testing.T, query, origin, key string, box []byte) {
		text, c, err := h.readCode(query, origin)
		if err != nil && err != errCodeOver && (text != "" || c.Box != nil) {
			t.Fatalf("%q: refused, and %q, %+v", query, text, c)
		}
		if err == nil {
			if q, err := url.ParseQuery(query); err != nil || len(q["code"]) != 1 || q.Get("code") != text || origin != wikiHost || c.Challenge != challenge {
				t.Fatalf("%q opens on %s as %+v", query, origin, c)
			}
			opened, err := c.pass(key, origin)
			if err == nil && (string(opened) != pass || !same(key)) {
				t.Fatalf("%q opens with the key %q as %q", query, key, opened)
			}
			if _, err := c.pass(secret, docsHost); err == nil {
				t.Fatalf("%q opens for another host", query)
			}
		}
		if opened, err := (code{Challenge: challenge, Box: box}).pass(key, origin); err == nil && (string(opened) != pass || !same(key) || origin != wikiHost) {
			t.Fatalf("the box %x opens on %s with %q as %q", box, origin, key, opened)
		}
		if isChallenge(key) {
			if raw, err := base64.RawURLEncoding.DecodeString(key); err != nil || base64.RawURLEncoding.EncodeToString(raw) != key || len(raw) != 32 {
				t.Fatalf("%q is a challenge, in a second spelling", key)
			}
		}
	})
}
