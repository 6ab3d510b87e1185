package storetest

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// lifecycleTests are the attacks on how a session begins, changes and ends.
var lifecycleTests = []test{
	{"fixation: a login never keeps the id it finds", testFixation},
	{"fixation: a handle of the attacker's making is not adopted", testChosenHandle},
	{"a login ends the session before it", testLoginEndsOld},
	{"a copied cookie is dead after sign-out", testCopiedCookie},
	{"a copied cookie is dead after sign-out even while it is being used", testCopiedCookieRace},
	{"the deletion cookie has the attributes of the session cookie", testDeletionCookie},
	{"a useless cookie does not stop a login", testUselessCookieLogin},
	{"a record without a person starts nothing", testNoPerson},
	{"an update cannot give the session to somebody else", testUpdateOtherPerson},
	{"an update does not raise an ended session", testUpdateEnded},
	{"ids do not repeat", testNoRepeat},
}

func testFixation(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	attacker, victim := w.browser(), w.browser()
	attacker.signIn(t, "mallory")
	planted := attacker.value
	victim.value = planted
	victim.signIn(t, "jane")
	if victim.value == planted {
		t.Fatal("the login kept the cookie that was planted before it")
	}
	half := func(v string) string { return v[:22] } // the version and the id
	if half(victim.value) == half(planted) {
		t.Fatal("the login kept the id that was planted before it")
	}
	attacker.wantRejected(t, session.ReasonSessionEnded)
	victim.wantPerson(t, "jane")
}

func testChosenHandle(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	raw := make([]byte, 49)
	raw[0] = 1
	chosen := base64.RawURLEncoding.EncodeToString(raw)
	victim := w.with(chosen)
	victim.wantRejected(t, session.ReasonSessionEnded)
	victim.signIn(t, "jane")
	if victim.value == chosen {
		t.Fatal("the login adopted a handle that the browser sent")
	}
	w.with(chosen).wantRejected(t, session.ReasonSessionEnded)
	victim.wantPerson(t, "jane")
}

func testLoginEndsOld(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	jane.signIn(t, "jane")
	jane.wantPerson(t, "jane")
	copied := w.with(jane.value)
	jane.signIn(t, "jane")
	copied.wantRejected(t, session.ReasonSessionEnded)
	jane.wantPerson(t, "jane")
}

func testCopiedCookie(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	jane.signIn(t, "jane")
	copied := w.with(jane.value)
	copied.wantPerson(t, "jane")
	jane.signOut(t)
	copied.wantRejected(t, session.ReasonSessionEnded)
	w.again(t).with(copied.value).wantRejected(t, session.ReasonSessionEnded)
}

// testCopiedCookieRace signs out while other requests are just bringing the
// session into memory: none of them may leave it there.
func testCopiedCookieRace(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	for range 20 {
		jane := w.browser()
		jane.signIn(t, "jane")
		copied := jane.request()
		together(6, func(i int) {
			if i == 0 {
				if err := w.End(httptest.NewRecorder(), jane.request()); err != nil {
					t.Errorf("End: %v", err)
				}
				if id, err := w.Identify(jane.request()); id != nil {
					t.Errorf("after End returned: got somebody, %v", err)
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

func testDeletionCookie(t *testing.T, b session.Backend) {
	w := newWorld(t, b, func(o *session.StoreOptions) { o.SameSite = http.SameSiteStrictMode })
	jane := w.browser()
	set := jane.signIn(t, "jane")
	value := jane.value
	gone := jane.signOut(t)
	if gone.MaxAge >= 0 || gone.Value != "" {
		t.Errorf("deletion: got max age %d and %d bytes of value", gone.MaxAge, len(gone.Value))
	}
	if strings.Contains(gone.Raw, value) {
		t.Error("deletion repeats the value")
	}
	if set.Name != gone.Name || set.Path != gone.Path || set.Domain != gone.Domain ||
		set.Secure != gone.Secure || set.HttpOnly != gone.HttpOnly || set.SameSite != gone.SameSite {
		t.Errorf("deletion %q has not the attributes of %q", gone.Raw, set.Raw)
	}
}

func testUselessCookieLogin(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	jane.signIn(t, "jane")
	for _, useless := range []string{"garbage", strings.Repeat("x", 10000), flip(jane.value, 3), flip(jane.value, 30)} {
		fresh := w.with(useless)
		fresh.signIn(t, "john")
		fresh.wantPerson(t, "john")
	}
	jane.wantPerson(t, "jane")
}

func testNoPerson(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	for name, spoil := range map[string]func(*session.Record){
		"no identity":         func(r *session.Record) { r.Identity = nil },
		"no subject":          func(r *session.Record) { r.Identity.Subject = "" },
		"no issuer":           func(r *session.Record) { r.Identity.Issuer = "" },
		"no provider":         func(r *session.Record) { r.Identity.Provider = "" },
		"a client alone":      func(r *session.Record) { r.Identity.Auth = session.AuthClient },
		"a bearer":            func(r *session.Record) { r.Identity.Auth = session.AuthBearer },
		"over before it runs": func(r *session.Record) { r.Ends = base.Add(-time.Second) },
		"signed in long ago":  func(r *session.Record) { r.Created = base.Add(-lifetime) },
	} {
		rec, out := Person("jane"), httptest.NewRecorder()
		spoil(rec)
		if err := w.Start(out, w.browser().request(), rec); err == nil {
			t.Errorf("%s: got no error", name)
		}
		if len(out.Result().Cookies()) != 0 {
			t.Errorf("%s: a cookie was set", name)
		}
	}
	if err := w.Start(httptest.NewRecorder(), w.browser().request(), nil); err == nil {
		t.Error("no record: got no error")
	}
}

func testUpdateOtherPerson(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	jane.signIn(t, "jane")
	for _, rec := range []*session.Record{nil, {}, Person("mallory")} {
		if err := w.Update(jane.request(), rec); err == nil {
			t.Error("Update with another person's record: got no error")
		}
	}
	jane.wantPerson(t, "jane")
}

func testUpdateEnded(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	jane.signIn(t, "jane")
	copied := w.with(jane.value)
	r := jane.request()
	rec, err := w.Record(r)
	if err != nil {
		t.Fatal(err)
	}
	jane.signOut(t)
	var rejected *session.Rejected
	if err := w.Update(r, rec); !errors.As(err, &rejected) || rejected.Reason != session.ReasonSessionEnded {
		t.Errorf("Update after sign-out: got %v, want %s", err, session.ReasonSessionEnded)
	}
	copied.wantRejected(t, session.ReasonSessionEnded)
	if err := w.Update(w.browser().request(), rec); !errors.Is(err, session.ErrNoCredentials) {
		t.Errorf("Update without a cookie: got %v, want %v", err, session.ErrNoCredentials)
	}
}

func testNoRepeat(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	seen := make(map[string]bool)
	for range 100 {
		jane := w.browser()
		jane.signIn(t, "jane")
		raw, _ := base64.RawURLEncoding.DecodeString(jane.value)
		id, key := string(raw[1:17]), string(raw[17:])
		if seen[id] || seen[key] {
			t.Fatal("an id or a key came twice")
		}
		seen[id], seen[key] = true, true
	}
}
