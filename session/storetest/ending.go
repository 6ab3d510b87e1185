package storetest

import (
	"encoding/base64"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

const issuer = "https://invent.example.org" // of Person

var endingTests = []test{
	{"a person's sessions are ended wherever their cookies were copied to", testEndAll},
	{"a session that was ended from elsewhere is dead even while it is being used", testEndAllRace},
	{"ended from elsewhere is ended after a restart, and at another replica", testEndAllElsewhere},
	{"all but one of a person's sessions", testEndAllBut},
	{"somebody else's session is not ended by its id", testEndOne},
	{"one login ends, at its own issuer alone", testEndLogin},
	{"a session without a login's name ends with its person's", testEndLoginWithoutName},
	{"sessions that another secret has tagged are found", testEndAfterRotation},
	{"an update does not hide a session from its list", testListAfterUpdate},
	{"a list says when and from where, and nothing that opens a session", testList},
	{"a list has no sessions that are over", testListOver},
	{"what is shown is short and can be printed", testListHostile},
}

// signInAs starts a session of a record that was changed.
func (b *browser) signInAs(t *testing.T, subject string, change func(*session.Record)) {
	t.Helper()
	rec, w := Person(subject), httptest.NewRecorder()
	change(rec)
	if err := b.world.Start(w, b.request(), rec); err != nil {
		t.Fatalf("Start: %v", err)
	}
	b.receive(t, w)
}

func (w *world) current(t *testing.T, b *browser) string {
	t.Helper()
	id, err := w.Current(b.request())
	if err != nil {
		t.Fatalf("Current: %v", err)
	}
	return id
}

func wantEnded(t *testing.T, ended []session.Summary, err error, n int) {
	t.Helper()
	if err != nil || len(ended) != n {
		t.Errorf("got %d ended and error %v, want %d", len(ended), err, n)
	}
}

func testEndAll(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	laptop, phone, john := w.browser(), w.browser(), w.browser()
	laptop.signIn(t, "jane")
	phone.signIn(t, "jane")
	john.signIn(t, "john")
	copied := w.with(laptop.value)
	copied.wantPerson(t, "jane")
	phone.wantPerson(t, "jane")

	ended, err := w.EndAll(t.Context(), issuer, "jan")
	wantEnded(t, ended, err, 0)
	ended, err = w.EndAll(t.Context(), issuer+"/", "jane")
	wantEnded(t, ended, err, 0)
	copied.wantPerson(t, "jane")

	ended, err = w.EndAll(t.Context(), issuer, "jane")
	wantEnded(t, ended, err, 2)
	for _, s := range ended {
		if s.Issuer != issuer || s.Subject != "jane" || s.Provider != "invent" {
			t.Errorf("ended %+v, want a session of jane", s)
		}
	}
	for _, dead := range []*browser{laptop, phone, copied} {
		dead.wantRejected(t, session.ReasonSessionEnded)
	}
	john.wantPerson(t, "john")
	ended, err = w.EndAll(t.Context(), issuer, "jane")
	wantEnded(t, ended, err, 0)
	laptop.signIn(t, "jane") // she may come again
	laptop.wantPerson(t, "jane")
}

func testEndAllRace(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	for range 20 {
		jane := w.browser()
		jane.signIn(t, "jane")
		copied := jane.request()
		together(6, func(i int) {
			if i == 0 {
				if _, err := w.EndAll(t.Context(), issuer, "jane"); err != nil {
					t.Errorf("EndAll: %v", err)
				}
				if id, err := w.Identify(jane.request()); id != nil {
					t.Errorf("after EndAll returned: got somebody, %v", err)
				}
				return
			}
			for range 5 {
				_, _ = w.Identify(copied)
			}
		})
		w.with(jane.value).wantRejected(t, session.ReasonSessionEnded)
	}
}

func testEndAllElsewhere(t *testing.T, b session.Backend) {
	here := newWorld(t, b)
	there := here.again(t)
	jane := here.browser()
	jane.signIn(t, "jane")
	jane.wantPerson(t, "jane")
	there.with(jane.value).wantPerson(t, "jane")
	after := here.again(t) // has nothing in memory
	ended, err := after.EndAll(t.Context(), issuer, "jane")
	wantEnded(t, ended, err, 1)
	jane.wantRejected(t, session.ReasonSessionEnded)
	there.with(jane.value).wantRejected(t, session.ReasonSessionEnded)
	here.again(t).with(jane.value).wantRejected(t, session.ReasonSessionEnded)
}

func testEndAllBut(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	laptop, phone, tablet := w.browser(), w.browser(), w.browser()
	for _, each := range []*browser{laptop, phone, tablet} {
		each.signIn(t, "jane")
	}
	ended, err := w.EndAll(t.Context(), issuer, "jane", w.current(t, phone))
	wantEnded(t, ended, err, 2)
	laptop.wantRejected(t, session.ReasonSessionEnded)
	tablet.wantRejected(t, session.ReasonSessionEnded)
	phone.wantPerson(t, "jane")
}

func testEndOne(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane, mallory := w.browser(), w.browser()
	jane.signIn(t, "jane")
	mallory.signIn(t, "mallory")
	id := w.current(t, jane)
	for _, as := range [][2]string{{issuer, "mallory"}, {"https://other.example.org", "jane"}, {issuer, ""}, {"", "jane"}} {
		ended, err := w.EndOne(t.Context(), as[0], as[1], id)
		wantEnded(t, ended, err, 0)
	}
	for _, other := range []string{"", id + "a", strings.ToUpper(id), id[:len(id)-1]} {
		ended, err := w.EndOne(t.Context(), issuer, "jane", other)
		wantEnded(t, ended, err, 0)
	}
	jane.wantPerson(t, "jane")
	ended, err := w.EndOne(t.Context(), issuer, "jane", id)
	wantEnded(t, ended, err, 1)
	jane.wantRejected(t, session.ReasonSessionEnded)
	mallory.wantPerson(t, "mallory")
}

func testEndLogin(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	here, other, elsewhere := w.browser(), w.browser(), w.browser()
	sid := func(sid string) func(*session.Record) {
		return func(r *session.Record) { r.Identity.Claims["sid"] = sid }
	}
	here.signInAs(t, "jane", sid("one"))
	other.signInAs(t, "jane", sid("two"))
	elsewhere.signInAs(t, "jane", func(r *session.Record) {
		r.Identity.Issuer = "https://other.example.org"
		r.Identity.Claims["sid"] = "one"
	})
	// A sid is no subject, and a subject no sid.
	for _, name := range []string{"jane", "", "three", "ONE"} {
		ended, err := w.EndLogin(t.Context(), issuer, name, "")
		wantEnded(t, ended, err, 0)
	}
	ended, err := w.EndLogin(t.Context(), issuer, "one", "jane")
	wantEnded(t, ended, err, 1)
	here.wantRejected(t, session.ReasonSessionEnded)
	other.wantPerson(t, "jane")
	elsewhere.wantPerson(t, "jane")
}

func testEndLoginWithoutName(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	nameless, john := w.browser(), w.browser()
	without := func(r *session.Record) { delete(r.Identity.Claims, "sid") }
	nameless.signInAs(t, "jane", without)
	john.signInAs(t, "john", without)
	ended, err := w.EndLogin(t.Context(), issuer, "some sid", "")
	wantEnded(t, ended, err, 0)
	nameless.wantPerson(t, "jane")
	ended, err = w.EndLogin(t.Context(), issuer, "some sid", "jane")
	wantEnded(t, ended, err, 1)
	nameless.wantRejected(t, session.ReasonSessionEnded)
	john.wantPerson(t, "john")
}

func testEndAfterRotation(t *testing.T, b session.Backend) {
	before := newWorld(t, b)
	jane := before.browser()
	jane.signIn(t, "jane")
	secrets := [][]byte{[]byte(strings.Repeat("a new secret", 4)), []byte(strings.Repeat("state secret ", 4))}
	sealer, err := session.NewSealer(secrets)
	if err != nil {
		t.Fatal(err)
	}
	w := before.again(t, func(o *session.StoreOptions) { o.Sealer = sealer })
	phone := w.browser()
	phone.signIn(t, "jane")
	list, err := w.List(t.Context(), issuer, "jane")
	if err != nil || len(list) != 2 {
		t.Errorf("List: got %d and error %v, want the sessions of both secrets", len(list), err)
	}
	ended, err := w.EndAll(t.Context(), issuer, "jane")
	wantEnded(t, ended, err, 2)
	w.with(jane.value).wantRejected(t, session.ReasonSessionEnded)
	phone.wantRejected(t, session.ReasonSessionEnded)
}

func testListAfterUpdate(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	jane.signInAs(t, "jane", func(r *session.Record) { r.Address, r.Browser = "192.0.2.7", "Firefox on Linux" })
	r := jane.request()
	rec, err := w.Record(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Update(r, rec); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(idle / 2)
	jane.wantPerson(t, "jane")
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := w.again(t).List(t.Context(), issuer, "jane")
	if err != nil || len(list) != 1 || list[0].Browser != "Firefox on Linux" || list[0].Address != "192.0.2.7" || !list[0].Seen.Equal(w.clock.Now()) {
		t.Errorf("List: got %+v and error %v", list, err)
	}
}

func testList(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	laptop, phone := w.browser(), w.browser()
	laptop.signInAs(t, "jane", func(r *session.Record) { r.Address, r.Browser = "192.0.2.7", "Firefox on Linux" })
	w.clock.Advance(10 * time.Minute)
	phone.signIn(t, "jane")
	w.browser().signIn(t, "john")
	w.clock.Advance(10 * time.Minute)
	laptop.wantPerson(t, "jane")
	list, err := w.List(t.Context(), issuer, "jane")
	if err != nil || len(list) != 2 {
		t.Fatalf("List: got %d and error %v, want 2", len(list), err)
	}
	first := list[0] // used last
	if first.ID != w.current(t, laptop) || first.Address != "192.0.2.7" || first.Browser != "Firefox on Linux" ||
		!first.Created.Equal(base) || !first.Seen.Equal(w.clock.Now()) || !first.Ends.Equal(base.Add(lifetime)) {
		t.Errorf("List: got %+v", first)
	}
	if list[1].ID != w.current(t, phone) || list[1].ID == first.ID {
		t.Errorf("List: got the id %q, want that of the other session", list[1].ID)
	}
	raw, err := base64.RawURLEncoding.DecodeString(laptop.value)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{laptop.value, string(raw[1:17]), string(raw[17:])} {
		if strings.Contains(first.ID, secret) {
			t.Error("the id has a part of the cookie")
		}
	}
	w.with(first.ID).wantAnonymous(t)
	if _, err := w.Current(w.browser().request()); !errors.Is(err, session.ErrNoCredentials) {
		t.Errorf("Current without a cookie: got %v, want %v", err, session.ErrNoCredentials)
	}
}

func testListOver(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	w.browser().signIn(t, "jane")
	w.clock.Advance(idle)
	list, err := w.List(t.Context(), issuer, "jane")
	if err != nil || len(list) != 0 {
		t.Errorf("List: got %d and error %v, want none of a session that is over", len(list), err)
	}
	ended, err := w.EndAll(t.Context(), issuer, "jane") // which may still end it
	if err != nil || len(ended) > 1 {
		t.Errorf("EndAll: got %d and error %v", len(ended), err)
	}
}

func testListHostile(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	hostile := []string{strings.Repeat("x", 65), "a\nb", "\x1b[2J", "a\x00", "\xff\xfe", "a\u202eb"}
	for _, text := range hostile {
		w.browser().signInAs(t, "jane", func(r *session.Record) { r.Address, r.Browser = text, text })
	}
	list, err := w.List(t.Context(), issuer, "jane")
	if err != nil || len(list) != len(hostile) {
		t.Fatalf("List: got %d and error %v, want %d", len(list), err, len(hostile))
	}
	if i := slices.IndexFunc(list, func(s session.Summary) bool { return s.Address != "" || s.Browser != "" }); i >= 0 {
		t.Errorf("List: got %q and %q, want them left out", list[i].Address, list[i].Browser)
	}
}
