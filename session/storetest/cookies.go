package storetest

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// cookieTests are the attacks on a handle, beyond those on any cookie.
var cookieTests = []test{
	{"one bit flipped anywhere is nobody", testBitFlips},
	{"garbage is nobody", testGarbage},
	{"a cookie of another installation is nobody", testForeign},
	{"the id without the key opens and ends nothing", testIDWithoutKey},
	{"two sessions' halves make no third", testSwappedHalves},
	{"a cookie that holds only a sign-in attempt is no login", testAttemptCookie},
}

// flip returns a cookie value in which one bit of one byte was changed.
func flip(value string, at int) string {
	raw, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		panic(err)
	}
	raw[at] ^= 1 << (at % 8)
	return base64.RawURLEncoding.EncodeToString(raw)
}

func testBitFlips(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	jane.signIn(t, "jane")
	for at := range 49 {
		for _, cached := range []bool{false, true} {
			if cached {
				jane.wantPerson(t, "jane")
			}
			bad := w.with(flip(jane.value, at))
			if at >= 1 && at < 17 { // the id: a session that is not known here
				bad.wantRejected(t, session.ReasonSessionEnded)
			} else {
				bad.wantAnonymous(t)
			}
		}
	}
	for i := range len(jane.value) { // in the text too
		text := []byte(jane.value)
		text[i] ^= 1
		wantNobody(t, w, w.with(string(text)).request())
	}
	jane.wantPerson(t, "jane")
}

func testGarbage(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	for _, header := range []string{
		";", "=", ";;;;", "a=1; ; b", "=x", " = ", w.name(), w.name() + "=", "=" + w.name(), w.name() + "=%%%",
		w.name() + "=null", w.name() + "=../../etc/passwd", w.name() + "=" + strings.Repeat("\xff", 66),
		w.name() + "=\x00\r\n", w.name() + ".1=99999999", w.name() + "_chunks=99999999",
	} {
		r := w.browser().request()
		r.Header.Set("Cookie", header)
		if err := wantNobody(t, w, r); !errors.Is(err, session.ErrNoCredentials) {
			t.Errorf("Cookie %q: got %v, want %v", header, err, session.ErrNoCredentials)
		}
	}
}

func testForeign(t *testing.T, b session.Backend) {
	w, elsewhere := newWorld(t, b), newWorld(t, session.NewMemory())
	foreign := elsewhere.browser()
	foreign.signIn(t, "jane")
	w.with(foreign.value).wantRejected(t, session.ReasonSessionEnded)
}

func testIDWithoutKey(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	jane.signIn(t, "jane")
	for _, cached := range []bool{false, true} {
		if cached {
			jane.wantPerson(t, "jane")
		}
		thief := w.with(flip(jane.value, 30))
		thief.wantAnonymous(t)
		thief.signOut(t)
		w.with(flip(jane.value, 30)).signIn(t, "mallory")
		jane.wantPerson(t, "jane")
	}
	// Trying does not keep the session awake either.
	w.clock.Advance(idle - time.Minute)
	w.with(flip(jane.value, 30)).wantAnonymous(t)
	w.clock.Advance(time.Minute)
	jane.wantRejected(t, session.ReasonSessionExpired)
}

func testSwappedHalves(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane, john := w.browser(), w.browser()
	jane.signIn(t, "jane")
	john.signIn(t, "john")
	jane.wantPerson(t, "jane")
	decode := func(v string) []byte { raw, _ := base64.RawURLEncoding.DecodeString(v); return raw }
	mixed := append(decode(jane.value)[:17:17], decode(john.value)[17:]...)
	w.with(base64.RawURLEncoding.EncodeToString(mixed)).wantAnonymous(t)
}

func testAttemptCookie(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	jane.signIn(t, "jane")
	for _, name := range []string{w.Cookies().AttemptPrefix + "x", w.name() + ".1", "claimproxy", strings.ToUpper(w.name()), "x" + w.name()} {
		r := w.browser().request()
		r.Header.Set("Cookie", name+"="+jane.value)
		if err := wantNobody(t, w, r); !errors.Is(err, session.ErrNoCredentials) {
			t.Errorf("cookie %q: got %v, want %v", name, err, session.ErrNoCredentials)
		}
	}
}
