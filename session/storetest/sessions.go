package storetest

import (
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
	{"an unused session expires", testIdle},
	{"a used session does not", testIdleUsed},
	{"use that was flushed counts after a restart", testFlush},
	{"use counts although the session does not fit into memory", testNoCache},
	{"a session expires at its lifetime however used", testLifetime},
	{"an earlier end is kept", testEarlierEnd},
	{"a shorter lifetime after a reload counts at once", testShorterLifetime},
	{"expired sessions are swept, others stay", testSweepSessions},
	{"two stores over one backend agree", testTwoStores},
	{"gorilla's functions work", testGorilla},
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

func testIdle(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	jane.signIn(t, "jane")
	w.clock.Advance(idle - time.Millisecond)
	jane.wantPerson(t, "jane")
	w.clock.Advance(idle)
	jane.wantRejected(t, session.ReasonSessionExpired)
	w.again(t).with(jane.value).wantRejected(t, session.ReasonSessionExpired)
}

func testIdleUsed(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	jane.signIn(t, "jane")
	for range 7 {
		w.clock.Advance(idle - time.Minute)
		jane.wantPerson(t, "jane")
		if _, err := w.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func testFlush(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	jane.signIn(t, "jane")
	w.clock.Advance(idle - time.Minute)
	jane.wantPerson(t, "jane")
	if err := w.Flush(t.Context()); err != nil {
		t.Fatalf("Flush: %v", err)
	}
	w.clock.Advance(idle - time.Minute)
	w.again(t).with(jane.value).wantPerson(t, "jane")
	rec, err := w.Record(jane.request())
	if err != nil {
		t.Fatal(err)
	}
	if want := base.Add(idle - time.Minute); !rec.Seen.Equal(want) {
		t.Errorf("Seen: got %v, want %v", rec.Seen, want)
	}
}

func testNoCache(t *testing.T, b session.Backend) {
	w := newWorld(t, b, func(o *session.StoreOptions) { o.CacheBytes = 1 })
	jane := w.browser()
	jane.signIn(t, "jane")
	for i := range 7 {
		w.clock.Advance(idle - time.Minute)
		jane.wantPerson(t, "jane")
		if i%2 == 0 {
			if err := w.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func testLifetime(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	jane.signIn(t, "jane")
	for range int(lifetime/(30*time.Minute)) - 1 {
		w.clock.Advance(30 * time.Minute)
		jane.wantPerson(t, "jane")
	}
	w.clock.Advance(30 * time.Minute)
	jane.wantRejected(t, session.ReasonSessionExpired)
}

func testEarlierEnd(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	rec := Person("jane")
	rec.Ends = base.Add(10 * time.Minute)
	jane, out := w.browser(), httptest.NewRecorder()
	if err := w.Start(out, jane.request(), rec); err != nil {
		t.Fatal(err)
	}
	if c := jane.receive(t, out); c.MaxAge != 600 {
		t.Errorf("max age: got %d, want 600", c.MaxAge)
	}
	if id := jane.wantPerson(t, "jane"); !id.Until.Equal(rec.Ends) {
		t.Errorf("Until: got %v, want %v", id.Until, rec.Ends)
	}
	w.clock.Advance(10 * time.Minute)
	jane.wantRejected(t, session.ReasonSessionExpired)
}

func testShorterLifetime(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	jane := w.browser()
	jane.signIn(t, "jane")
	w.clock.Advance(40 * time.Minute)
	shorter := w.again(t, func(o *session.StoreOptions) { o.Lifetime = 30 * time.Minute })
	shorter.with(jane.value).wantRejected(t, session.ReasonSessionExpired)
}

func testSweepSessions(t *testing.T, b session.Backend) {
	w := newWorld(t, b)
	old, young := w.browser(), w.browser()
	old.signIn(t, "jane")
	w.clock.Advance(2 * idle)
	young.signIn(t, "john")
	if n, err := w.Sweep(t.Context()); n != 0 || err != nil {
		t.Fatalf("Sweep while it is still to be called expired: got %d, %v", n, err)
	}
	old.wantRejected(t, session.ReasonSessionExpired)
	w.clock.Advance(idle - time.Minute)
	if n, err := w.Sweep(t.Context()); n != 1 || err != nil {
		t.Fatalf("Sweep: got %d, %v, want 1", n, err)
	}
	old.wantRejected(t, session.ReasonSessionEnded)
	young.wantPerson(t, "john")
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
