package storetest

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/session"
)

var sessionTests = []test{
	{"everything in a record comes back", testRecord},
	{"500 groups make no larger cookie", testManyGroups},
	{"two stores over one backend agree", testTwoStores},
	{"a browser that goes away has signed out", testGoneBrowser},
	{"an updated record is seen by the next request everywhere", testUpdate},
	{"of two updates of one reading one wins", testUpdateConflict},
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
