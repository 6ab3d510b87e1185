package storetest

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// cookieTests are the attacks on what the browser sends.
var cookieTests = []test{
	{"a tossed cookie before or after the good one does not hide it", testTossed},
	{"a thousand tossed cookies do not hide the good one", testThousand},
	{"a megabyte of cookie is nobody", testMegabyte},
	{"one bit flipped anywhere is nobody", testBitFlips},
	{"cut short at any length is nobody", testTruncated},
	{"anything added is nobody", testExtended},
	{"another spelling of the same bytes is nobody", testSpelling},
	{"garbage is nobody", testGarbage},
	{"a cookie of another installation is nobody", testForeign},
	{"the id without the key opens and ends nothing", testIDWithoutKey},
	{"two sessions' halves make no third", testSwappedHalves},
	{"a cookie that holds only a sign-in attempt is no login", testAttemptCookie},
}

func testTossed(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane, other := w.browser(), w.browser()
	jane.signIn(t, "jane")
	other.signIn(t, "other")
	ended := other.value
	other.signOut(t)
	unknown := base64.RawURLEncoding.EncodeToString(append([]byte{1}, make([]byte, 48)...))
	for _, tossed := range []string{"", "garbage", "%%%", `"quoted"`, strings.Repeat("A", 66), strings.Repeat("x", 5000), unknown, ended, flip(jane.value, 0), flip(jane.value, 5), flip(jane.value, 48)} {
		for _, header := range []string{
			w.name() + "=" + tossed + "; " + w.name() + "=" + jane.value,
			w.name() + "=" + jane.value + "; " + w.name() + "=" + tossed,
			w.name() + "=" + tossed + ";" + w.name() + "=" + tossed + ";a=b;" + w.name() + "=" + jane.value + ";",
		} {
			r := w.browser().request()
			r.Header.Set("Cookie", header)
			wantPerson(t, w, r, "jane")
		}
		r := w.browser().request()
		r.Header["Cookie"] = []string{w.name() + "=" + tossed, w.name() + "=" + jane.value}
		wantPerson(t, w, r, "jane")
	}
}

func testThousand(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	jane.signIn(t, "jane")
	good := w.name() + "=" + jane.value
	for name, header := range map[string]string{
		"other names": strings.Repeat("c=d; ", 5000) + good,
		"our name":    strings.Repeat(w.name()+"=garbage; ", 5000) + good,
		"one handle":  strings.Repeat(w.name()+"="+flip(jane.value, 40)+"; ", 1000) + good,
		"empty pairs": strings.Repeat(";", 5000) + " ; =; = ;" + good,
	} {
		r := w.browser().request()
		r.Header.Set("Cookie", header)
		if id, err := w.Identify(r); err != nil || id.Subject != "jane" {
			t.Errorf("%s before the good one: got %v", name, err)
		}
	}
}

func testMegabyte(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	for _, c := range []string{"A", "=", ";", "; ", w.name() + "=", w.name() + ";", "\x00", "é"} {
		r := w.browser().request()
		r.Header.Set("Cookie", w.name()+"="+strings.Repeat(c, 1<<20/len(c)))
		wantNobody(t, w, r)
	}
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

func testTruncated(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	jane.signIn(t, "jane")
	for n := range len(jane.value) {
		w.with(jane.value[:n]).wantAnonymous(t)
		w.with(jane.value[len(jane.value)-n:]).wantAnonymous(t)
	}
	jane.wantPerson(t, "jane")
}

func testExtended(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	jane.signIn(t, "jane")
	for _, extra := range []string{"A", "AAAA", "=", "==", ".", jane.value} {
		w.with(jane.value + extra).wantAnonymous(t)
		w.with(extra + jane.value).wantAnonymous(t)
	}
}

func testSpelling(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	jane.signIn(t, "jane")
	for _, spelling := range []string{
		jane.value + "==", `"` + jane.value + `"`, "%" + jane.value, jane.value[:20] + "\n" + jane.value[20:],
		strings.NewReplacer("-", "+", "_", "/").Replace(jane.value) + "+", strings.ToLower(jane.value) + "",
		jane.value[:65] + string(jane.value[65]+1), // 49 bytes leave four spare bits
	} {
		if spelling == jane.value {
			continue
		}
		wantNobody(t, w, w.with(spelling).request())
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
