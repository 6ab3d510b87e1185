package storetest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// The lifetimes that the tests work with.
const (
	idle     = time.Hour
	lifetime = 8 * time.Hour
)

// Clock is a clock that stands still until it is told.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that shows a time with whole milliseconds.
func NewClock() *Clock { return &Clock{now: base} }

// Now returns the time on the clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock forward.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Person returns a record of somebody who has just signed in.
func Person(subject string) *session.Record {
	id := &session.Identity{
		Provider: "invent", Issuer: "https://invent.example.org", Subject: subject, ClientID: "web",
		Auth: session.AuthBrowser, User: subject, SignedIn: base,
		Claims: session.Claims{
			"sub": subject, "email": subject + "@example.org", "sid": "sid-of-" + subject,
			"groups": []any{"teams/kde-developers", "teams/" + subject},
		},
		Origins: map[string]session.Source{
			"sub": session.SourceIDToken, "sid": session.SourceIDToken,
			"email": session.SourceUserInfo, "groups": session.SourceUserInfo,
		},
	}
	id.SetVirtual()
	return &session.Record{
		Identity:    id,
		AccessToken: "access-token-of-" + subject, RefreshToken: "refresh-token-of-" + subject, IDToken: "id-token-of-" + subject,
		AccessExpiry: base.Add(2 * time.Hour),
	}
}

// world is a store with a clock over one backend.
type world struct {
	*session.Store
	clock   *Clock
	options session.StoreOptions
}

func newWorld(t *testing.T, b session.Backend, change ...func(*session.StoreOptions)) *world {
	t.Helper()
	sealer, err := session.NewSealer([][]byte{[]byte(strings.Repeat("state secret ", 4))})
	if err != nil {
		t.Fatal(err)
	}
	clock := NewClock()
	o := session.StoreOptions{
		Backend: b, Sealer: sealer, CookieName: "claimproxy", Secure: true,
		Idle: idle, Lifetime: lifetime, Now: clock.Now,
	}
	for _, f := range change {
		f(&o)
	}
	return &world{Store: openStore(t, o), clock: clock, options: o}
}

func openStore(t *testing.T, o session.StoreOptions) *session.Store {
	t.Helper()
	s, err := session.NewStore(o)
	if err != nil {
		t.Fatalf("NewStore: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// again is what a restart or a reload makes: a new store, with nothing in memory,
// over the same backend.
func (w *world) again(t *testing.T, change ...func(*session.StoreOptions)) *world {
	t.Helper()
	o := w.options
	for _, f := range change {
		f(&o)
	}
	return &world{Store: openStore(t, o), clock: w.clock, options: o}
}

// name is the session cookie's name.
func (w *world) name() string { return w.Cookies().Session }

// browser keeps one cookie, the session's.
type browser struct {
	world *world
	value string
}

func (w *world) browser() *browser { return &browser{world: w} }

// request is what the browser sends next.
func (b *browser) request() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://telemetry.example.org/", nil)
	if b.value != "" {
		r.Header.Set("Cookie", b.world.name()+"="+b.value)
	}
	return r
}

// receive takes the session cookie that an answer sets, if it does.
func (b *browser) receive(t *testing.T, w *httptest.ResponseRecorder) *http.Cookie {
	t.Helper()
	var found *http.Cookie
	// Not w.Result(), which keeps what the first call saw.
	for _, c := range (&http.Response{Header: w.Header()}).Cookies() {
		if c.Name != b.world.name() {
			t.Fatalf("cookie %q was set, want none but %q", c.Name, b.world.name())
		}
		if found != nil {
			t.Fatalf("cookie %q was set twice in one answer", c.Name)
		}
		found = c
	}
	if found != nil {
		b.value = found.Value
		if found.MaxAge < 0 {
			b.value = ""
		}
	}
	return found
}

// signIn starts a session; it must work.
func (b *browser) signIn(t *testing.T, subject string) *http.Cookie {
	t.Helper()
	w := httptest.NewRecorder()
	if err := b.world.Start(w, b.request(), Person(subject)); err != nil {
		t.Fatalf("Start: %v", err)
	}
	c := b.receive(t, w)
	if c == nil {
		t.Fatal("Start set no cookie")
	}
	return c
}

// signOut ends the session; it must work.
func (b *browser) signOut(t *testing.T) *http.Cookie {
	t.Helper()
	w := httptest.NewRecorder()
	if err := b.world.End(w, b.request()); err != nil {
		t.Fatalf("End: %v", err)
	}
	c := b.receive(t, w)
	if c == nil {
		t.Fatal("End deleted no cookie")
	}
	return c
}

// with is another browser that has got hold of a cookie.
func (w *world) with(value string) *browser { return &browser{world: w, value: value} }

func (b *browser) wantPerson(t *testing.T, subject string) *session.Identity {
	t.Helper()
	return wantPerson(t, b.world, b.request(), subject)
}

func wantPerson(t *testing.T, w *world, r *http.Request, subject string) *session.Identity {
	t.Helper()
	id, err := w.Identify(r)
	if err != nil {
		t.Fatalf("Identify: got error %v, want %q", err, subject)
	}
	if id.Subject != subject {
		t.Fatalf("Identify: got %q, want %q", id.Subject, subject)
	}
	rec, err := w.Record(r)
	if err != nil || rec.Identity.Subject != subject || rec.AccessToken != "access-token-of-"+subject {
		t.Fatalf("Record: got error %v, want the record of %q", err, subject)
	}
	return id
}

// wantNobody checks that neither way tells who it is, and returns the outcome.
func wantNobody(t *testing.T, w *world, r *http.Request) error {
	t.Helper()
	id, err := w.Identify(r)
	if id != nil || err == nil {
		t.Fatal("Identify: got somebody, want nobody")
	}
	rec, recErr := w.Record(r)
	if rec != nil || recErr == nil {
		t.Fatal("Record: got a record, want none")
	}
	if unavailable := (*session.Unavailable)(nil); errors.As(err, &unavailable) {
		t.Fatalf("Identify: got %v, want a cookie to never look like an outage", err)
	}
	return err
}

func (b *browser) wantAnonymous(t *testing.T) {
	t.Helper()
	if err := wantNobody(t, b.world, b.request()); !errors.Is(err, session.ErrNoCredentials) {
		t.Fatalf("Identify: got %v, want %v", err, session.ErrNoCredentials)
	}
}

func (b *browser) wantRejected(t *testing.T, reason session.Reason) {
	t.Helper()
	err := wantNobody(t, b.world, b.request())
	var rejected *session.Rejected
	if !errors.As(err, &rejected) || rejected.Reason != reason {
		t.Fatalf("Identify: got %v, want %s", err, reason)
	}
}
