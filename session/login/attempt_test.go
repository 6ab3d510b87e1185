package login

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/session"
)

// ask gives a callback's cookies to recall.
func (s *site) ask(state, providerID string, cookies ...*http.Cookie) (attempt, error) {
	r := httptest.NewRequest(http.MethodGet, "/.auth/callback/invent", nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	return s.recall(r, providerID, state)
}

func (s *site) sealed(a attempt) *http.Cookie {
	s.t.Helper()
	name := s.cookieOf(a.State)
	box, err := s.seal(name, a)
	if err != nil {
		s.t.Fatal(err)
	}
	return &http.Cookie{Name: name, Value: box}
}

// TestAnAlteredAttemptCookieIsNone: each byte and each length of it is covered.
func TestAnAlteredAttemptCookieIsNone(t *testing.T) {
	s := newSite(t)
	a := newAttempt("invent", "/wanted", s.clock.Now())
	good := s.sealed(a)
	if got, err := s.ask(a.State, "invent", good); err != nil || got != a {
		t.Fatalf("the cookie as it was: got %+v, %v", got, err)
	}
	bad := func(what, name, value string) {
		t.Helper()
		if _, err := s.ask(a.State, "invent", &http.Cookie{Name: name, Value: value}); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
	raw, err := base64.RawURLEncoding.DecodeString(good.Value)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		for _, bit := range []byte{0x01, 0x80} {
			raw[i] ^= bit
			bad(fmt.Sprintf("bit %#x of byte %d turned", bit, i), good.Name, base64.RawURLEncoding.EncodeToString(raw))
			raw[i] ^= bit
		}
	}
	for n := range good.Value {
		bad(fmt.Sprintf("cut to %d characters", n), good.Name, good.Value[:n])
	}
	bad("with a character more", good.Name, good.Value+"A")
	bad("with padding", good.Name, good.Value+"=")
	bad("in standard base64", good.Name, base64.StdEncoding.EncodeToString(raw))
	bad("in plain JSON", good.Name, base64.RawURLEncoding.EncodeToString([]byte(`{"p":"invent"}`)))
	bad("megabytes", good.Name, strings.Repeat("A", 1<<20))

	other := newAttempt("invent", "/", s.clock.Now())
	bad("another attempt's value", good.Name, s.sealed(other).Value)
	bad("under another attempt's name", s.cookieOf(other.State), good.Value)
	bad("under the session's name", s.Cookies.Session, good.Value)

	// The name belongs to the seal, so a renamed cookie is none even where the state
	// inside would fit.
	box := s.Sealer.SealText(attemptLabel, []byte(`{"p":"invent","s":"`+a.State+`","t":"2026-11-21T12:00:00Z"}`), []byte("another name"))
	bad("sealed under another name", good.Name, box)
	// Sealed for something else with the same key, or with another key.
	bad("sealed for another purpose", good.Name, s.Sealer.SealText("session head", raw, []byte(good.Name)))
	foreign, err := session.NewSealer([][]byte{[]byte(strings.Repeat("another secret ", 4))})
	if err != nil {
		t.Fatal(err)
	}
	bad("of a foreign key", good.Name, foreign.SealText(attemptLabel, []byte(`{"p":"invent","s":"`+a.State+`","t":"2026-11-21T12:00:00Z"}`), []byte(good.Name)))
	bad("sealed, but no JSON", good.Name, s.Sealer.SealText(attemptLabel, []byte("{"), []byte(good.Name)))
	bad("of another state", good.Name, s.Sealer.SealText(attemptLabel, []byte(`{"p":"invent","s":"","t":"2026-11-21T12:00:00Z"}`), []byte(good.Name)))

	if _, err := s.ask(a.State, "other", good); err == nil {
		t.Error("an attempt at another provider is accepted")
	}
	if _, err := s.ask("", "invent", s.sealed(attempt{Provider: "invent", Begun: s.clock.Now()})); err != nil {
		t.Errorf("an empty state is left to readResponse: %v", err)
	}
	// A bad cookie of the same name, tossed here by a sibling host, does not hide it.
	if _, err := s.ask(a.State, "invent", &http.Cookie{Name: good.Name, Value: "x"}, good); err != nil {
		t.Errorf("behind a bad cookie of the same name: %v", err)
	}
}

func TestAnAttemptLastsAQuarterOfAnHour(t *testing.T) {
	for _, test := range []struct {
		after time.Duration
		good  bool
	}{
		{0, true}, {attemptLife - time.Second, true}, {attemptLife, false}, {24 * time.Hour, false},
		{-59 * time.Second, true}, {-2 * time.Minute, false}, // sealed by a clock that is ahead
	} {
		t.Run(test.after.String(), func(t *testing.T) {
			s := newSite(t, func(set *setup) { set.idp.CodeLife = 48 * time.Hour })
			b := s.browser()
			back := b.visit("/wanted").String()
			s.clock.Advance(test.after)
			p := b.open(back)
			if test.good {
				p.wantTo(s, "/wanted")
				return
			}
			b.wantHelp(p, http.StatusBadRequest, "took too long")
			s.wantUntouched()
		})
	}
}

// TestAttemptsDoNotPileUp: a page that opens sign-in after sign-in must not fill the
// browser's cookie header, which servers refuse when it is long.
func TestAttemptsDoNotPileUp(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	for i := range 12 {
		b.leave(fmt.Sprintf("/%d", i))
		if got := len(b.attempts()); got > maxAttempts {
			t.Fatalf("after %d attempts the browser has %d cookies, want at most %d", i+1, got, maxAttempts)
		}
		s.clock.Advance(time.Second)
	}
	var left []string
	for _, c := range b.attempts() {
		a, err := s.open(c)
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, a.ReturnTo)
	}
	slices.Sort(left)
	if diff := cmp.Diff([]string{"/10", "/11", "/7", "/8", "/9"}, left); diff != "" {
		t.Errorf("the youngest attempts (-want +got):\n%s", diff)
	}

	// Long places make large cookies; together they stay within one header.
	long := "/" + strings.Repeat("&", maxReturnTo-1)
	for range 4 {
		p := b.leave(long)
		c := p.cookie(s.Cookies.AttemptPrefix)
		if size := len(c.Name) + len(c.Value); size > 4096-len("__Host-") {
			t.Errorf("an attempt's cookie has %d bytes; browsers drop it beyond 4096", size)
		}
		s.clock.Advance(time.Second)
		size := 0
		for _, c := range b.attempts() {
			size += len(c.Name) + len(c.Value)
		}
		if size > maxAttemptBytes {
			t.Errorf("the attempts have %d bytes, want at most %d", size, maxAttemptBytes)
		}
	}
	back := b.comeBack(b.leave(long))
	b.open(back.String()).wantTo(s, long)
}

// TestStaleAttemptsAreCleanedAway: what is over, of another key or no attempt at
// all goes; what is live stays.
func TestStaleAttemptsAreCleanedAway(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	old := newAttempt("invent", "/", s.clock.Now().Add(-time.Hour))
	b.put(s.cookieOf(old.State), s.sealed(old).Value)
	for i := range 30 {
		b.put(fmt.Sprintf("%sgarbage%d", s.Cookies.AttemptPrefix, i), "x")
	}
	b.put("application", "keep")
	first := b.leave("/live")
	if got := len(first.cookies); got != maxForgotten+1 {
		t.Errorf("one response sets %d cookies, want %d", got, maxForgotten+1)
	}
	live := b.comeBack(first)
	b.leave("/")
	if got := len(b.attempts()); got != 2 {
		t.Errorf("got %d attempt cookies, want the 2 live ones", got)
	}
	if len(b.jar("application")) != 1 {
		t.Error("an application's cookie is gone")
	}
	b.open(live.String()).wantTo(s, "/live")
}

// TestACookieThatIsDeletedHasTheAttributesItWasSetWith, or browsers keep it.
func TestACookieThatIsDeletedHasTheAttributesItWasSetWith(t *testing.T) {
	for name, withTLS := range map[string]bool{"http": false, "https": true} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, func(set *setup) { set.tls = withTLS })
			b := s.browser()
			p := b.leave("/")
			set := p.cookie(s.Cookies.AttemptPrefix)
			p = b.open(b.comeBack(p).String())
			gone := p.cookie(s.Cookies.AttemptPrefix)
			if gone.Path != set.Path || gone.Domain != set.Domain || gone.Secure != set.Secure || gone.HttpOnly != set.HttpOnly || gone.SameSite != set.SameSite || gone.MaxAge >= 0 || gone.Value != "" {
				t.Errorf("got %s, want the attributes of the cookie that was set", gone.Raw)
			}
		})
	}
}
