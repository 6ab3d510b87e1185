package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/sessions"

	"github.com/claimproxy/claimproxy/session"
)

var sessionTests = []test{
	{"a person signs in, is known, signs out", testWalk},
	{"everything in a record comes back", testRecord},
	{"numbers keep their digits", testNumbers},
	{"500 groups make no larger cookie", testManyGroups},
	{"nobody without a cookie", testNoCookie},
	{"the cookie has its attributes", testAttributes},
	{"on loopback the cookie goes without prefix", testLoopback},
	{"a session goes on after a restart", testRestart},
	{"what was decoded once is shared", testShared},
	{"two stores over one backend agree", testTwoStores},
	{"gorilla's functions work", testGorilla},
	{"one answer starts and ends a session", testOneAnswer},
	{"a browser that goes away has signed out", testGoneBrowser},
	{"an updated record is seen by the next request everywhere", testUpdate},
	{"of two updates of one reading one wins", testUpdateConflict},
}

func testWalk(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane, john := w.browser(), w.browser()
	jane.signIn(t, "jane")
	john.signIn(t, "john")
	jane.wantPerson(t, "jane")
	john.wantPerson(t, "john")
	jane.signOut(t)
	jane.wantAnonymous(t)
	john.wantPerson(t, "john")
	jane.signIn(t, "jane")
	jane.wantPerson(t, "jane")
}

func testRecord(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	jane.signIn(t, "jane")
	want := Person("jane")
	got, err := w.Record(jane.request())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Identity.Claims, got.Identity.Claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.Identity.Origins, got.Identity.Origins); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
	ends := base.Add(lifetime)
	type plain struct {
		Provider, Issuer, Subject, ClientID, User string
		Auth                                      session.Auth
		SignedIn, Until                           time.Time
		Access, Refresh, ID                       string
		Expiry, Created, Seen, Ends               time.Time
	}
	flat := func(r *session.Record) plain {
		id := r.Identity
		return plain{id.Provider, id.Issuer, id.Subject, id.ClientID, id.User, id.Auth, id.SignedIn, id.Until,
			r.AccessToken, r.RefreshToken, r.IDToken, r.AccessExpiry, r.Created, r.Seen, r.Ends}
	}
	want.Created, want.Seen, want.Ends, want.Identity.Until = base, base, ends, ends
	if diff := cmp.Diff(flat(want), flat(got)); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

func testNumbers(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	rec := Person("jane")
	rec.Identity.Claims["id"] = json.Number("9007199254740993")
	rec.Identity.Claims["nested"] = map[string]any{"ids": []any{json.Number("9007199254740992"), json.Number("1.0")}}
	out := httptest.NewRecorder()
	jane := w.browser()
	if err := w.Start(out, jane.request(), rec); err != nil {
		t.Fatal(err)
	}
	jane.receive(t, out)
	id, err := w.Identify(jane.request())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rec.Identity.Claims, id.Claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
}

func testManyGroups(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	few, many := w.browser(), w.browser()
	few.signIn(t, "jane")
	rec := Person("john")
	groups := make([]any, 500)
	for i := range groups {
		groups[i] = fmt.Sprintf("organisation/department-%d/team-with-a-long-name-%d", i/10, i)
	}
	rec.Identity.Claims["groups"] = groups
	out := httptest.NewRecorder()
	if err := w.Start(out, many.request(), rec); err != nil {
		t.Fatal(err)
	}
	many.receive(t, out)
	if id := many.wantPerson(t, "john"); len(id.Claims["groups"].([]any)) != 500 {
		t.Errorf("got %d groups, want 500", len(id.Claims["groups"].([]any)))
	}
	if len(few.value) != len(many.value) {
		t.Errorf("cookie is %d bytes with few groups and %d with many, want a constant size", len(few.value), len(many.value))
	}
}

func testNoCookie(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	w.browser().wantAnonymous(t)
}

func testAttributes(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	got := w.browser().signIn(t, "jane")
	want := &http.Cookie{
		Name: "__Host-claimproxy", Value: got.Value, Path: "/", MaxAge: int(lifetime / time.Second),
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, Raw: got.Raw,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("session cookie (-want +got):\n%s", diff)
	}
}

func testLoopback(t *testing.T, b session.Backend) {
	w := newWorld(t, b, func(o *session.StoreOptions) { o.Secure = false; o.SameSite = http.SameSiteStrictMode })
	jane := w.browser()
	got := jane.signIn(t, "jane")
	if got.Name != "claimproxy" || got.Secure || !got.HttpOnly || got.SameSite != http.SameSiteStrictMode {
		t.Errorf("got cookie %q, secure %t, http only %t, same site %d", got.Name, got.Secure, got.HttpOnly, got.SameSite)
	}
	jane.wantPerson(t, "jane")
	gone := jane.signOut(t)
	if gone.Name != "claimproxy" || gone.Secure || gone.MaxAge >= 0 {
		t.Errorf("deletion: got cookie %q, secure %t, max age %d", gone.Name, gone.Secure, gone.MaxAge)
	}
}

func testRestart(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	jane.signIn(t, "jane")
	w.again(t).with(jane.value).wantPerson(t, "jane")
}

func testShared(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	jane.signIn(t, "jane")
	first, second := jane.wantPerson(t, "jane"), jane.wantPerson(t, "jane")
	if first != second {
		t.Error("two requests of one session got two identities, want one that was made once")
	}
}

func testTwoStores(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	other := w.again(t)
	jane := w.browser()
	jane.signIn(t, "jane")
	copied := other.with(jane.value)
	copied.wantPerson(t, "jane")
	jane.wantPerson(t, "jane")
	jane.signOut(t)
	copied.wantRejected(t, session.ReasonSessionEnded)
}

// testGorilla uses the store as any program that knows gorilla/sessions would.
func testGorilla(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	r := jane.request()
	var store sessions.Store = w.Store
	fresh, err := store.Get(r, w.name())
	if err != nil || !fresh.IsNew || fresh.ID != "" {
		t.Fatalf("Get without a cookie: got %v, new %t, want a new session", err, fresh.IsNew)
	}
	if err := sessions.Save(r, httptest.NewRecorder()); err == nil {
		t.Error("Save of a session without a record: got no error")
	}
	jane.signIn(t, "jane")
	r = jane.request()
	got, err := store.Get(r, w.name())
	if err != nil || got.IsNew || got.ID == "" || len(got.Values) != 1 {
		t.Fatalf("Get: got %v, new %t, %d values, want a known session with one value", err, got.IsNew, len(got.Values))
	}
	if again, _ := store.Get(r, w.name()); again != got {
		t.Error("a second Get in one request returned another session")
	}
	if _, err := store.Get(r, "other"); err == nil {
		t.Error("Get of another name: got no error")
	}
	out := httptest.NewRecorder()
	got.Options.MaxAge = -1
	if err := got.Save(r, out); err != nil {
		t.Fatal(err)
	}
	copied := w.with(jane.value)
	jane.receive(t, out)
	jane.wantAnonymous(t)
	copied.wantRejected(t, session.ReasonSessionEnded)
}

func testUpdate(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	jane.signIn(t, "jane")
	jane.wantPerson(t, "jane")
	other := w.again(t).with(jane.value)
	other.wantPerson(t, "jane")
	w.clock.Advance(time.Minute)
	r := jane.request()
	rec, err := w.Record(r)
	if err != nil {
		t.Fatal(err)
	}
	rec.RefreshToken = "rotated"
	rec.Identity = Person("jane").Identity
	rec.Identity.Claims["groups"] = []any{"teams/emeritus"}
	if err := w.Update(r, rec); err != nil {
		t.Fatalf("Update: %v", err)
	}
	rec.RefreshToken = "rotated again"
	if err := w.Update(r, rec); err != nil {
		t.Fatalf("second Update in one request: %v", err)
	}
	for _, who := range []*browser{jane, other} {
		id := who.wantPerson(t, "jane")
		if diff := cmp.Diff([]string{"teams/emeritus"}, id.Claims.Strings("groups")); diff != "" {
			t.Errorf("groups after the update (-want +got):\n%s", diff)
		}
		rec, err := who.world.Record(who.request())
		if err != nil || rec.RefreshToken != "rotated again" || !rec.Created.Equal(base) || !rec.Ends.Equal(base.Add(lifetime)) {
			t.Errorf("record after the update: %v, %v", rec, err)
		}
	}
}

func testUpdateConflict(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	jane.signIn(t, "jane")
	r1, r2 := jane.request(), jane.request()
	rec1, err1 := w.Record(r1)
	rec2, err2 := w.Record(r2)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	rec1.RefreshToken, rec2.RefreshToken = "first", "second"
	if err := w.Update(r1, rec1); err != nil {
		t.Fatal(err)
	}
	wantError(t, "Update from an old reading", w.Update(r2, rec2), session.ErrConflict)
	rec, err := w.Record(jane.request())
	if err != nil || rec.RefreshToken != "first" {
		t.Errorf("after both: got %v, want the first", err)
	}
}

// testOneAnswer starts, starts again and ends within one request.
func testOneAnswer(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	r, out := jane.request(), httptest.NewRecorder()
	if err := w.Start(out, r, Person("jane")); err != nil {
		t.Fatal(err)
	}
	first := jane.receive(t, out).Value
	if rec, err := w.Record(r); err != nil || rec.Identity.Subject != "jane" {
		t.Errorf("Record after Start in one request: got %v", err)
	}
	if err := w.Start(out, r, Person("john")); err != nil {
		t.Fatal(err)
	}
	second := jane.receive(t, out).Value // fails when there are two cookies
	if first == second {
		t.Error("two logins in one request made one session")
	}
	w.with(first).wantRejected(t, session.ReasonSessionEnded)
	w.with(second).wantPerson(t, "john")
	if err := w.End(out, r); err != nil {
		t.Fatal(err)
	}
	if c := jane.receive(t, out); c.MaxAge >= 0 {
		t.Error("End after Start in one request deletes no cookie")
	}
	w.with(second).wantRejected(t, session.ReasonSessionEnded)
	if _, err := w.Record(r); err == nil {
		t.Error("Record after End in one request: got a record")
	}
}

func testGoneBrowser(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	jane.signIn(t, "jane")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.End(httptest.NewRecorder(), jane.request().WithContext(ctx)); err != nil {
		t.Fatalf("End: %v", err)
	}
	jane.wantRejected(t, session.ReasonSessionEnded)
	w.again(t).with(jane.value).wantRejected(t, session.ReasonSessionEnded)
}
