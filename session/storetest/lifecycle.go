package storetest

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session"
)

// lifecycleTests are the attacks on how a session in a backend begins, changes and ends.
var lifecycleTests = []test{
	{"fixation: a login never keeps the id it finds", testFixation},
	{"fixation: a handle of the attacker's making is not adopted", testChosenHandle},
	{"a copied cookie is dead after sign-out", testCopiedCookie},
	{"a useless cookie does not stop a login", testUselessCookieLogin},
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
