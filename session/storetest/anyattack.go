package storetest

import (
	"errors"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session"
)

// attackTests are the attacks on what the browser sends, and on how a session begins and
// ends, that no store gives way to.
var attackTests = []storeTest{
	{"fixation: a login never keeps what it finds", anyFixation},
	{"a login ends the session before it", anyLoginEndsOld},
	{"a copied cookie is dead after sign-out", anyCopied},
	{"a copied cookie is dead after sign-out even while it is being used", anyCopiedRace},
	{"useless cookies do not stop a login", anyUseless},
	{"a record without a person starts nothing", anyNoPerson},
	{"cookies do not repeat", anyNoRepeat},
	{"a tossed cookie before or after the good one does not hide it", anyTossed},
	{"thousands of tossed cookies do not hide the good one", anyThousands},
	{"a megabyte of cookie is nobody", anyMegabyte},
	{"one bit flipped anywhere is nobody", anyBitFlips},
	{"cut short at any length is nobody", anyTruncated},
	{"anything added is nobody", anyExtended},
	{"another spelling of the same bytes is nobody", anySpelling},
	{"garbage is nobody", anyGarbage},
	{"a cookie of another installation is nobody", anyForeign},
	{"cookies under other names are nobody", anyOtherNames},
	{"cookies of two people make no third", anyMixed},
	{"a good session that somebody else tosses is neither theirs nor its owner's", anyTossedSession},
}

func anyFixation(t *testing.T, m Maker) {
	h := newHouse(t, m)
	attacker := h.visitor()
	attacker.start(t, large("mallory"))
	victim := h.with(attacker.jar)
	victim.signIn(t, "jane")
	for name, value := range victim.jar {
		if attacker.jar[name] == value {
			t.Fatalf("the login kept the cookie %q that was planted before it", name)
		}
	}
	attacker.wantRejected(t, session.ReasonSessionEnded)
	victim.wantPerson(t, "jane")
}

func anyLoginEndsOld(t *testing.T, m Maker) {
	h := newHouse(t, m)
	jane := h.visitor()
	jane.signIn(t, "jane")
	jane.wantPerson(t, "jane")
	copied := h.with(jane.jar)
	jane.signIn(t, "jane")
	copied.wantRejected(t, session.ReasonSessionEnded)
	jane.wantPerson(t, "jane")
}

func anyCopied(t *testing.T, m Maker) {
	h := newHouse(t, m)
	jane := h.visitor()
	jane.start(t, large("jane"))
	copied := h.with(jane.jar)
	copied.wantPerson(t, "jane")
	jane.signOut(t)
	copied.wantRejected(t, session.ReasonSessionEnded)
}

// anyCopiedRace signs out while other requests are just bringing the session into
// memory: none of them may leave it there.
func anyCopiedRace(t *testing.T, m Maker) {
	h := newHouse(t, m)
	for range 20 {
		jane := h.visitor()
		jane.signIn(t, "jane")
		copied := jane.request()
		together(6, func(i int) {
			if i == 0 {
				if err := h.End(httptest.NewRecorder(), jane.request()); err != nil {
					t.Errorf("End: %v", err)
				}
				if id, err := h.Identify(jane.request()); id != nil {
					t.Errorf("after End returned: got somebody, %v", err)
				}
				return
			}
			for range 5 {
				_, _ = h.Identify(copied)
			}
		})
		jane.wantRejected(t, session.ReasonSessionEnded)
	}
}

func anyUseless(t *testing.T, m Maker) {
	h := newHouse(t, m)
	jane := h.visitor()
	jane.signIn(t, "jane")
	for _, useless := range []string{"garbage", strings.Repeat("x", 10000), alter(jane.jar[h.name()], 3), alter(jane.jar[h.name()], 30)} {
		fresh := h.with(map[string]string{h.name(): useless, h.name() + ".1": useless})
		fresh.signIn(t, "john")
		fresh.wantPerson(t, "john")
	}
	jane.wantPerson(t, "jane")
}

func anyNoPerson(t *testing.T, m Maker) {
	h := newHouse(t, m)
	for name, spoil := range map[string]func(*session.Record){
		"no identity":         func(r *session.Record) { r.Identity = nil },
		"no subject":          func(r *session.Record) { r.Identity.Subject = "" },
		"no issuer":           func(r *session.Record) { r.Identity.Issuer = "" },
		"no provider":         func(r *session.Record) { r.Identity.Provider = "" },
		"a client alone":      func(r *session.Record) { r.Identity.Auth = session.AuthClient },
		"a bearer":            func(r *session.Record) { r.Identity.Auth = session.AuthBearer },
		"over before it runs": func(r *session.Record) { r.Ends = base.Add(-1) },
		"signed in long ago":  func(r *session.Record) { r.Created = base.Add(-lifetime) },
	} {
		rec, out := Person("jane"), httptest.NewRecorder()
		spoil(rec)
		if err := h.Start(out, h.visitor().request(), rec); err == nil {
			t.Errorf("%s: got no error", name)
		}
		if len(out.Result().Cookies()) != 0 {
			t.Errorf("%s: a cookie was set", name)
		}
	}
	if err := h.Start(httptest.NewRecorder(), h.visitor().request(), nil); err == nil {
		t.Error("no record: got no error")
	}
}

func anyNoRepeat(t *testing.T, m Maker) {
	h := newHouse(t, m)
	seen := map[string]bool{}
	for range 100 {
		jane := h.visitor()
		jane.signIn(t, "jane")
		value := jane.jar[h.name()]
		for _, part := range []string{value, value[6:28], value[28:60]} {
			if seen[part] {
				t.Fatal("a cookie, or a part of one, came twice")
			}
			seen[part] = true
		}
	}
}

// alter returns a cookie's value in which one character stands for other bits.
func alter(value string, at int) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	i := strings.IndexByte(digits, value[at])
	return value[:at] + string(digits[(i^(1<<(at%6)))&63]) + value[at+1:]
}

// alterations are cookies that look much like a good one.
func alterations(value string) []string {
	list := []string{"", "garbage", "%%%", `"quoted"`, strings.Repeat("A", len(value)), strings.Repeat("x", 5000)}
	for _, at := range []int{0, 3, 7, 20, 40, len(value) / 2, len(value) - 2} {
		list = append(list, alter(value, at))
	}
	return list
}

func anyTossed(t *testing.T, m Maker) {
	h := newHouse(t, m)
	for _, rec := range []*session.Record{Person("jane"), large("jane")} {
		jane, other := h.visitor(), h.visitor()
		jane.start(t, rec)
		other.start(t, large("other"))
		ended := h.with(other.jar)
		other.signOut(t)
		good := header(jane.jar)
		for name, value := range jane.jar {
			for _, tossed := range append(alterations(value), ended.jar[name]) {
				bad := name + "=" + tossed
				for _, lines := range [][]string{{bad + "; " + good}, {good + "; " + bad}, {bad + ";" + bad + ";a=b;" + good + ";"}, {bad, good}, {good, bad}} {
					r := requestWith("")
					r.Header["Cookie"] = lines
					wantKnown(t, h, r, "jane")
				}
			}
		}
		// A whole session of somebody else that has ended, before the good one.
		wantKnown(t, h, requestWith(header(ended.jar)+"; "+good), "jane")
	}
}

func anyThousands(t *testing.T, m Maker) {
	h := newHouse(t, m)
	jane := h.visitor()
	jane.start(t, large("jane"))
	good, value := header(jane.jar), jane.jar[h.name()]
	for name, before := range map[string]string{
		"other names": strings.Repeat("c=d; ", 5000),
		"our name":    strings.Repeat(h.name()+"=garbage; "+h.name()+".1=garbage; ", 5000),
		"one value":   strings.Repeat(h.name()+"="+alter(value, 40)+"; ", 200),
		"empty pairs": strings.Repeat(";", 5000) + " ; =; = ;",
		"our parts":   strings.Repeat(h.name()+".1="+alter(value, 40)+"; ", 200),
	} {
		if id, err := h.Identify(requestWith(before + good)); err != nil || id.Subject != "jane" {
			t.Errorf("%s before the good one: got %v", name, err)
		}
	}
}

func anyMegabyte(t *testing.T, m Maker) {
	h := newHouse(t, m)
	for _, c := range []string{"A", "=", ";", "; ", h.name() + "=", h.name() + ";", h.name() + ".1=A;", "\x00", "é"} {
		wantUnknown(t, h, requestWith(h.name()+"="+strings.Repeat(c, 1<<20/len(c))))
	}
}

func anyBitFlips(t *testing.T, m Maker) {
	h := newHouse(t, m)
	for _, rec := range []*session.Record{Person("jane"), large("jane")} {
		jane := h.visitor()
		jane.start(t, rec)
		for name, value := range jane.jar {
			step := max(1, len(value)/150)
			for at := 0; at < len(value); at += step {
				bad := h.with(jane.jar)
				bad.jar[name] = alter(value, at)
				bad.wantUnknown(t)
			}
		}
		jane.wantPerson(t, "jane")
	}
}

func anyTruncated(t *testing.T, m Maker) {
	h := newHouse(t, m)
	jane := h.visitor()
	jane.start(t, large("jane"))
	for name, value := range jane.jar {
		for n := 0; n < len(value); n += max(1, len(value)/60) {
			for _, short := range []string{value[:n], value[len(value)-n:]} {
				bad := h.with(jane.jar)
				bad.jar[name] = short
				bad.wantUnknown(t)
			}
		}
		missing := h.with(jane.jar)
		delete(missing.jar, name)
		missing.wantAnonymous(t)
	}
	jane.wantPerson(t, "jane")
}

func anyExtended(t *testing.T, m Maker) {
	h := newHouse(t, m)
	jane := h.visitor()
	jane.start(t, large("jane"))
	for name, value := range jane.jar {
		for _, extra := range []string{"A", "AAAA", "=", "==", ".", value} {
			for _, bad := range []string{value + extra, extra + value} {
				long := h.with(jane.jar)
				long.jar[name] = bad
				long.wantUnknown(t)
			}
		}
	}
	jane.wantPerson(t, "jane")
}

func anySpelling(t *testing.T, m Maker) {
	h := newHouse(t, m)
	jane := h.visitor()
	jane.signIn(t, "jane")
	value := jane.jar[h.name()]
	for _, spelling := range []string{
		value + "==", `"` + value + `"`, "%" + value, value[:20] + "\n" + value[20:],
		strings.NewReplacer("-", "+", "_", "/").Replace(value) + "+", strings.ToLower(value), strings.ToUpper(value),
	} {
		wantUnknown(t, h, requestWith(h.name()+"="+spelling))
	}
	jane.wantPerson(t, "jane")
}

func anyGarbage(t *testing.T, m Maker) {
	h := newHouse(t, m)
	n := h.name()
	for _, cookies := range []string{
		";", "=", ";;;;", "a=1; ; b", "=x", " = ", n, n + "=", "=" + n, n + "=%%%",
		n + "=null", n + "=../../etc/passwd", n + "=" + strings.Repeat("\xff", 66),
		n + "=\x00\r\n", n + ".1=99999999", n + "_chunks=99999999", n + ".0=x", n + ".4=x", n + ".01=x", n + ".99999999999999999999=x", n + ".-1=x",
	} {
		if err := wantUnknown(t, h, requestWith(cookies)); !errors.Is(err, session.ErrNoCredentials) {
			t.Errorf("Cookie %q: got %v, want %v", cookies, err, session.ErrNoCredentials)
		}
	}
}

func anyForeign(t *testing.T, m Maker) {
	h := newHouse(t, m)
	jane := h.visitor()
	jane.start(t, large("jane"))
	// Same shape, same time, another secret, and another place to keep it.
	elsewhere, err := session.NewSealer([][]byte{secret("foreign")})
	if err != nil {
		t.Fatal(err)
	}
	forged := map[string]string{}
	for name, value := range jane.jar {
		forged[name] = elsewhere.SealText("session cookie", make([]byte, len(value)/2), []byte(name))
	}
	h.with(forged).wantAnonymous(t)
	for name := range jane.jar {
		mixed := h.with(jane.jar)
		mixed.jar[name] = forged[name]
		mixed.wantUnknown(t)
	}
}

func anyOtherNames(t *testing.T, m Maker) {
	h := newHouse(t, m)
	jane := h.visitor()
	jane.start(t, large("jane"))
	n := h.name()
	for _, name := range []string{h.Cookies().AttemptPrefix + "x", n + ".1", n + ".2", "claimproxy", strings.ToUpper(n), "x" + n} {
		if err := wantUnknown(t, h, requestWith(name+"="+jane.jar[n])); !errors.Is(err, session.ErrNoCredentials) {
			t.Errorf("cookie %q: got %v, want %v", name, err, session.ErrNoCredentials)
		}
	}
	// In another order of numbers.
	for a := range jane.jar {
		for b := range jane.jar {
			if a != b {
				swapped := h.with(jane.jar)
				swapped.jar[a], swapped.jar[b] = swapped.jar[b], swapped.jar[a]
				swapped.wantUnknown(t)
			}
		}
	}
}

// anyMixed puts every part of one session in the place of the same part of another one,
// of the same person and of somebody else.
func anyMixed(t *testing.T, m Maker) {
	h := newHouse(t, m)
	jane, again, john := h.visitor(), h.visitor(), h.visitor()
	jane.start(t, large("jane"))
	again.start(t, large("jane"))
	john.start(t, large("john"))
	owner := map[*visitor]string{jane: "jane", again: "jane", john: "john"}
	for a := range owner {
		for b := range owner {
			for name := range a.jar {
				mixed := maps.Clone(a.jar)
				mixed[name] = b.jar[name]
				r := requestWith(header(mixed))
				id, err := h.Identify(r)
				whole := maps.Equal(mixed, a.jar) || maps.Equal(mixed, b.jar)
				if whole && (err != nil || id.Subject != owner[a] && id.Subject != owner[b]) || !whole && id != nil {
					t.Errorf("%s of %s in a session of %s: got %v, %v", name, owner[b], owner[a], id, err)
				}
			}
			// Both at once: the first whole, where that is the same person.
			r := requestWith(header(a.jar) + "; " + header(b.jar))
			if owner[a] != owner[b] {
				wantUnknown(t, h, r)
				continue
			}
			id, err := h.Identify(r)
			if err != nil || id.Subject != owner[a] || len(id.Claims.Strings("groups")) != 200 ||
				slices.ContainsFunc(id.Claims.Strings("groups"), func(g string) bool { return !strings.HasSuffix(g, "-of-"+owner[a]) }) {
				t.Errorf("%s before %s: got %v, want the first, whole", owner[a], owner[b], err)
			}
		}
	}
}

// anyTossedSession: somebody who runs a sibling host, and has a session of their own, sets
// its cookie for others, who would work in it without noticing. Of two good sessions nobody
// can tell whose browser it is, so it is nobody's; and signing in ends both.
func anyTossedSession(t *testing.T, m Maker) {
	h := newHouse(t, m)
	for _, rec := range []func(string) *session.Record{Person, large} {
		jane, mallory := h.visitor(), h.visitor()
		jane.start(t, rec("jane"))
		mallory.start(t, rec("mallory"))
		for _, here := range []*house{h, h.again(t)} {
			for _, lines := range [][]string{{header(mallory.jar), header(jane.jar)}, {header(jane.jar) + "; " + header(mallory.jar)}} {
				r := requestWith("")
				r.Header["Cookie"] = lines
				if err := wantUnknown(t, here, r); !errors.Is(err, session.ErrNoCredentials) {
					t.Errorf("got %v, want %v", err, session.ErrNoCredentials)
				}
			}
			jane.at(here).wantPerson(t, "jane")
		}
		// Jane signs in once more, with mallory's cookie there still.
		r := requestWith(header(mallory.jar) + "; " + header(jane.jar))
		w := httptest.NewRecorder()
		if err := h.Start(w, r, rec("jane")); err != nil {
			t.Fatal(err)
		}
		jane.receive(t, w.Header())
		wantKnown(t, h, requestWith(header(mallory.jar)+"; "+header(jane.jar)), "jane")
	}
}
