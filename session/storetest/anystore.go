package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/sessions"

	"github.com/claimproxy/claimproxy/session"
)

// storeTests are what every store of browser sessions does.
var storeTests = []storeTest{
	{"a person signs in, is known, signs out", anyWalk},
	{"nobody without a cookie", anyNoCookie},
	{"claims come back as they were, numbers with their digits", anyClaims},
	{"the cookies have their attributes", anyAttributes},
	{"on loopback the cookies go without prefix", anyLoopback},
	{"deletions have the attributes of the cookies", anyDeletion},
	{"a session goes on after a restart", anyRestart},
	{"what was decoded once is shared", anyShared},
	{"gorilla's functions work", anyGorilla},
	{"one answer starts and ends sessions", anyOneAnswer},
	{"a browser that goes away has signed out", anyGoneBrowser},
	{"an unused session expires", anyIdle},
	{"a session expires at its lifetime however used", anyLifetime},
	{"an earlier end is kept", anyEarlierEnd},
	{"a shorter lifetime after a reload counts at once", anyShorterLifetime},
	{"a used session lives on although it does not fit into memory", anyNoCache},
	{"another secret is added in front, and nobody is lost", anyRotation},
	{"secrets are rotated under load, and nobody is lost", anyRotationUnderLoad},
}

func anyWalk(t *testing.T, m Maker) {
	h := newHouse(t, m)
	jane, john := h.visitor(), h.visitor()
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

func anyNoCookie(t *testing.T, m Maker) {
	newHouse(t, m).visitor().wantAnonymous(t)
}

func anyClaims(t *testing.T, m Maker) {
	h := newHouse(t, m)
	rec := Person("jane")
	rec.Identity.Claims["id"] = json.Number("9007199254740993")
	rec.Identity.Claims["nested"] = map[string]any{"ids": []any{json.Number("9007199254740992"), json.Number("1.0")}}
	want := rec.Identity
	jane := h.visitor()
	jane.start(t, rec)
	for _, here := range []*house{h, h.again(t)} {
		id := jane.at(here).wantPerson(t, "jane")
		if diff := cmp.Diff(want.Claims, id.Claims); diff != "" {
			t.Errorf("claims (-want +got):\n%s", diff)
		}
		if id.Provider != want.Provider || id.Issuer != want.Issuer || id.ClientID != want.ClientID || id.User != want.User ||
			id.Auth != want.Auth || !id.SignedIn.Equal(want.SignedIn) || !id.Until.Equal(base.Add(lifetime)) {
			t.Errorf("got another identity than the one that signed in: %+v", id)
		}
	}
}

// large is somebody whose session takes several cookies, where it is in cookies.
func large(subject string) *session.Record {
	rec := Person(subject)
	groups := make([]any, 200)
	for i := range groups {
		groups[i] = fmt.Sprintf("organisation/department-%d/team-%d-of-%s", i/10, i, subject)
	}
	rec.Identity.Claims["groups"] = groups
	return rec
}

func anyAttributes(t *testing.T, m Maker) {
	h := newHouse(t, m)
	for _, rec := range []*session.Record{Person("jane"), large("jane")} {
		for i, got := range h.visitor().start(t, rec) {
			name := "__Host-claimproxy"
			if i > 0 {
				name += fmt.Sprintf(".%d", i)
			}
			want := &http.Cookie{
				Name: name, Value: got.Value, Path: "/", MaxAge: int(lifetime / time.Second),
				Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, Raw: got.Raw,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("session cookie (-want +got):\n%s", diff)
			}
		}
	}
}

func anyLoopback(t *testing.T, m Maker) {
	h := newHouse(t, m, func(o *Options) { o.Secure = false; o.SameSite = http.SameSiteStrictMode })
	jane := h.visitor()
	for _, c := range append(jane.start(t, large("jane")), jane.signOut(t)...) {
		if !strings.HasPrefix(c.Name, "claimproxy") || c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode {
			t.Errorf("got cookie %q, secure %t, http only %t, same site %d", c.Name, c.Secure, c.HttpOnly, c.SameSite)
		}
	}
}

func anyDeletion(t *testing.T, m Maker) {
	h := newHouse(t, m, func(o *Options) { o.SameSite = http.SameSiteStrictMode })
	jane := h.visitor()
	set := jane.start(t, large("jane"))
	gone := jane.signOut(t)
	if len(gone) != len(set) || len(jane.jar) != 0 {
		t.Fatalf("%d cookies were set and %d deleted", len(set), len(gone))
	}
	for i, c := range gone {
		if c.MaxAge >= 0 || c.Value != "" || strings.Contains(c.Raw, set[i].Value) {
			t.Errorf("deletion: got max age %d and %d bytes of value", c.MaxAge, len(c.Value))
		}
		if a := set[i]; a.Name != c.Name || a.Path != c.Path || a.Domain != c.Domain || a.Secure != c.Secure || a.HttpOnly != c.HttpOnly || a.SameSite != c.SameSite {
			t.Errorf("deletion %q has not the attributes of %q", c.Raw, a.Raw)
		}
	}
}

func anyRestart(t *testing.T, m Maker) {
	h := newHouse(t, m)
	for _, rec := range []*session.Record{Person("jane"), large("jane")} {
		jane := h.visitor()
		jane.start(t, rec)
		jane.at(h.again(t)).wantPerson(t, "jane")
	}
}

func anyShared(t *testing.T, m Maker) {
	jane := newHouse(t, m).visitor()
	jane.signIn(t, "jane")
	if first, second := jane.wantPerson(t, "jane"), jane.wantPerson(t, "jane"); first != second {
		t.Error("two requests of one session got two identities, want one that was made once")
	}
}

// anyGorilla uses the store as any program that knows gorilla/sessions would.
func anyGorilla(t *testing.T, m Maker) {
	h := newHouse(t, m)
	jane := h.visitor()
	r := jane.request()
	var store sessions.Store = h.Store
	fresh, err := store.Get(r, h.name())
	if err != nil || !fresh.IsNew || fresh.ID != "" {
		t.Fatalf("Get without a cookie: got %v, new %t, want a new session", err, fresh.IsNew)
	}
	if err := sessions.Save(r, httptest.NewRecorder()); err == nil {
		t.Error("Save of a session without a record: got no error")
	}
	jane.signIn(t, "jane")
	r = jane.request()
	got, err := store.Get(r, h.name())
	if err != nil || got.IsNew || got.ID == "" || len(got.Values) != 1 {
		t.Fatalf("Get: got %v, new %t, %d values, want a known session with one value", err, got.IsNew, len(got.Values))
	}
	if again, _ := store.Get(r, h.name()); again != got {
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
	copied := h.with(jane.jar)
	jane.receive(t, out.Header())
	jane.wantAnonymous(t)
	copied.wantRejected(t, session.ReasonSessionEnded)
}

// anyOneAnswer starts, starts again and ends within one request.
func anyOneAnswer(t *testing.T, m Maker) {
	h := newHouse(t, m)
	jane := h.visitor()
	r, out := jane.request(), httptest.NewRecorder()
	start := func(rec *session.Record) *visitor {
		t.Helper()
		if err := h.Start(out, r, rec); err != nil {
			t.Fatal(err)
		}
		jane.receive(t, out.Header()) // fails when there are two cookies of a name
		return h.with(jane.jar)
	}
	first := start(large("jane"))
	if rec, err := h.Record(r); err != nil || rec.Identity.Subject != "jane" {
		t.Errorf("Record after Start in one request: got %v", err)
	}
	second := start(Person("john"))
	first.wantRejected(t, session.ReasonSessionEnded)
	second.wantPerson(t, "john")
	if err := h.End(out, r); err != nil {
		t.Fatal(err)
	}
	if jane.receive(t, out.Header()); len(jane.jar) != 0 {
		t.Error("End after Start in one request leaves cookies")
	}
	second.wantRejected(t, session.ReasonSessionEnded)
	if _, err := h.Record(r); err == nil {
		t.Error("Record after End in one request: got a record")
	}
}

func anyGoneBrowser(t *testing.T, m Maker) {
	h := newHouse(t, m)
	jane := h.visitor()
	jane.signIn(t, "jane")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.End(httptest.NewRecorder(), jane.request().WithContext(ctx)); err != nil {
		t.Fatalf("End: %v", err)
	}
	jane.wantRejected(t, session.ReasonSessionEnded)
}

func anyIdle(t *testing.T, m Maker) {
	h := newHouse(t, m)
	jane := h.visitor()
	jane.signIn(t, "jane")
	h.clock.Advance(idle - time.Millisecond)
	jane.wantPerson(t, "jane")
	h.clock.Advance(idle - time.Millisecond)
	jane.wantPerson(t, "jane")
	// A look at it without its owner is none.
	_, _ = h.Identify(requestWith("a=b"))
	h.clock.Advance(idle)
	jane.wantRejected(t, session.ReasonSessionExpired)
	jane.at(h.again(t)).wantRejected(t, session.ReasonSessionExpired)
}

func anyLifetime(t *testing.T, m Maker) {
	h := newHouse(t, m)
	jane := h.visitor()
	jane.signIn(t, "jane")
	for range int(lifetime/(30*time.Minute)) - 1 {
		h.clock.Advance(30 * time.Minute)
		jane.wantPerson(t, "jane")
	}
	h.clock.Advance(30 * time.Minute)
	jane.wantRejected(t, session.ReasonSessionExpired)
}

func anyEarlierEnd(t *testing.T, m Maker) {
	h := newHouse(t, m)
	rec := Person("jane")
	rec.Ends = base.Add(10 * time.Minute)
	jane := h.visitor()
	if c := jane.start(t, rec)[0]; c.MaxAge != 600 {
		t.Errorf("max age: got %d, want 600", c.MaxAge)
	}
	if id := jane.wantPerson(t, "jane"); !id.Until.Equal(rec.Ends) {
		t.Errorf("Until: got %v, want %v", id.Until, rec.Ends)
	}
	h.clock.Advance(10 * time.Minute)
	jane.wantRejected(t, session.ReasonSessionExpired)
}

func anyShorterLifetime(t *testing.T, m Maker) {
	h := newHouse(t, m)
	jane := h.visitor()
	jane.signIn(t, "jane")
	h.clock.Advance(40 * time.Minute)
	jane.at(h.again(t, func(o *Options) { o.Lifetime = 30 * time.Minute })).wantRejected(t, session.ReasonSessionExpired)
}

func anyNoCache(t *testing.T, m Maker) {
	h := newHouse(t, m, func(o *Options) { o.CacheBytes = 1 })
	jane := h.visitor()
	jane.signIn(t, "jane")
	for range 7 {
		h.clock.Advance(idle - time.Minute)
		jane.wantPerson(t, "jane")
	}
}

// anyRotation is what a person does who changes the secret: the new one in front, the
// old one away when all that it sealed is over.
func anyRotation(t *testing.T, m Maker) {
	h := newHouse(t, m)
	jane, john, away := h.visitor(), h.visitor(), h.visitor()
	jane.signIn(t, "jane")
	john.start(t, large("john"))
	away.signIn(t, "away")
	both := h.again(t, func(o *Options) { o.Secrets = [][]byte{secret("new"), secret("state")} })
	jane, john = jane.at(both), john.at(both)
	for range 6 {
		jane.wantPerson(t, "jane")
		john.wantPerson(t, "john")
		h.clock.Advance(idle / 4)
		flush(t, both.Store)
	}
	fresh := both.visitor()
	fresh.signIn(t, "fresh")
	// Whoever was there meanwhile is not lost with the old secret, nor who came new.
	left := both.again(t, func(o *Options) { o.Secrets = [][]byte{secret("new")} })
	jane.at(left).wantPerson(t, "jane")
	john.at(left).wantPerson(t, "john")
	fresh.at(left).wantPerson(t, "fresh")
	away.at(left).wantUnknown(t)
	// A secret that was never ours opens nothing.
	jane.at(both.again(t, func(o *Options) { o.Secrets = [][]byte{secret("foreign")} })).wantUnknown(t)
}

// flush has a store that keeps uses in memory write them down.
func flush(t *testing.T, s Store) {
	t.Helper()
	if f, ok := s.(interface{ Flush(context.Context) error }); ok {
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func anyRotationUnderLoad(t *testing.T, m Maker) {
	h := newHouse(t, m)
	const people, rounds = 16, 6
	visitors := make([]*visitor, people)
	for i := range visitors {
		visitors[i] = h.visitor()
		if i%4 == 0 {
			visitors[i].start(t, large(fmt.Sprint("person-", i)))
		} else {
			visitors[i].signIn(t, fmt.Sprint("person-", i))
		}
	}
	// Replicas are changed one after the other: first all open the new secret, then all
	// seal with it. Requests go to any of them.
	secrets := [][][]byte{
		{secret("state")},
		{secret("state"), secret("new")},
		{secret("new"), secret("state")},
	}
	houses := make([]*house, len(secrets))
	for i := range houses {
		houses[i] = h.again(t, func(o *Options) { o.Secrets = secrets[i] })
	}
	together(people, func(i int) {
		for n := range rounds * 8 {
			stage := min(n/8, 2)
			if n >= 8 && n < 16 {
				stage = n % 2
			} else if n >= 16 && n < 24 {
				stage = 1 + n%2
			}
			v := visitors[i].at(houses[stage])
			id, err := v.house.Identify(v.request())
			if want := fmt.Sprint("person-", i); err != nil || id.Subject != want {
				t.Errorf("request %d: got %v, want %s", n, err, want)
				return
			}
			if f, ok := v.house.Store.(refresher); ok {
				set := http.Header{}
				f.Refresh(set, v.request())
				v.receive(t, set)
			}
		}
	})
}
