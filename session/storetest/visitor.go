package storetest

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"github.com/claimproxy/claimproxy/session"
)

// Store is a store of browser sessions, whatever keeps them.
type Store interface {
	sessions.Store
	Identify(r *http.Request) (*session.Identity, error)
	Start(w http.ResponseWriter, r *http.Request, rec *session.Record) error
	End(w http.ResponseWriter, r *http.Request) error
	Record(r *http.Request) (*session.Record, error)
	Cookies() session.CookieNames
}

// refresher is a store whose cookies are set again from time to time.
type refresher interface {
	Refresh(h http.Header, r *http.Request)
}

// Options are what a store is to be made with.
type Options struct {
	Secrets        [][]byte
	Secure         bool
	SameSite       http.SameSite
	Idle, Lifetime time.Duration
	CacheBytes     int
	Now            func() time.Time
}

// Maker makes a store of one installation: each that it makes is another process of it,
// or the same one after a restart, with nothing in memory.
type Maker func(t *testing.T, o Options) Store

// house is a store with a clock, and what it was made with.
type house struct {
	Store
	clock   *Clock
	options Options
	make    Maker
}

func secret(text string) []byte { return []byte(strings.Repeat(text+" ", 32)[:32]) }

func newHouse(t *testing.T, m Maker, change ...func(*Options)) *house {
	t.Helper()
	clock := NewClock()
	o := Options{Secrets: [][]byte{secret("state")}, Secure: true, Idle: idle, Lifetime: lifetime, Now: clock.Now}
	for _, f := range change {
		f(&o)
	}
	return &house{m(t, o), clock, o, m}
}

// again is what a restart or a reload makes, and what another replica is.
func (h *house) again(t *testing.T, change ...func(*Options)) *house {
	t.Helper()
	o := h.options
	for _, f := range change {
		f(&o)
	}
	return &house{h.make(t, o), h.clock, o, h.make}
}

func (h *house) name() string { return h.Cookies().Session }

// visitor is a browser with the cookies of the session, by their names.
type visitor struct {
	house *house
	jar   map[string]string
}

func (h *house) visitor() *visitor { return &visitor{h, map[string]string{}} }

// with is another browser that has got hold of cookies.
func (h *house) with(jar map[string]string) *visitor { return &visitor{h, maps.Clone(jar)} }

// at goes on at another replica.
func (v *visitor) at(h *house) *visitor { return &visitor{h, v.jar} }

// header is the Cookie header that the browser sends.
func header(jar map[string]string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(jar)) {
		pairs = append(pairs, name+"="+jar[name])
	}
	return strings.Join(pairs, "; ")
}

func requestWith(cookies string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://telemetry.example.org/", nil)
	if cookies != "" {
		r.Header.Set("Cookie", cookies)
	}
	return r
}

func (v *visitor) request() *http.Request { return requestWith(header(v.jar)) }

// receive takes the cookies that an answer sets, and returns them.
func (v *visitor) receive(t *testing.T, h http.Header) []*http.Cookie {
	t.Helper()
	set := (&http.Response{Header: h}).Cookies()
	seen := map[string]bool{}
	for _, c := range set {
		if !v.house.Cookies().Own(c.Name) {
			t.Fatalf("cookie %q was set, want none but those of the session", c.Name)
		}
		if seen[c.Name] {
			t.Fatalf("cookie %q was set twice in one answer", c.Name)
		}
		if len(c.Name)+len(c.Value) > 4096 {
			t.Fatalf("cookie %q has %d bytes, more than browsers take", c.Name, len(c.Value))
		}
		seen[c.Name] = true
		v.jar[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(v.jar, c.Name)
		}
	}
	return set
}

func (v *visitor) start(t *testing.T, rec *session.Record) []*http.Cookie {
	t.Helper()
	w := httptest.NewRecorder()
	if err := v.house.Start(w, v.request(), rec); err != nil {
		t.Fatalf("Start: %v", err)
	}
	set := v.receive(t, w.Header())
	if len(set) == 0 {
		t.Fatal("Start set no cookie")
	}
	return set
}

func (v *visitor) signIn(t *testing.T, subject string) []*http.Cookie {
	t.Helper()
	return v.start(t, Person(subject))
}

func (v *visitor) signOut(t *testing.T) []*http.Cookie {
	t.Helper()
	w := httptest.NewRecorder()
	if err := v.house.End(w, v.request()); err != nil {
		t.Fatalf("End: %v", err)
	}
	set := v.receive(t, w.Header())
	if len(set) == 0 {
		t.Fatal("End deleted no cookie")
	}
	return set
}

// wantPerson opens a page: the browser is known, and gets the cookies that the answer
// sets.
func (v *visitor) wantPerson(t *testing.T, subject string) *session.Identity {
	t.Helper()
	r := v.request()
	id := wantKnown(t, v.house, r, subject)
	if f, ok := v.house.Store.(refresher); ok {
		h := http.Header{}
		f.Refresh(h, r)
		v.receive(t, h)
	}
	return id
}

// wantKnown asks without an answer that could set cookies.
func wantKnown(t *testing.T, h *house, r *http.Request, subject string) *session.Identity {
	t.Helper()
	id, err := h.Identify(r)
	if err != nil || id.Subject != subject {
		t.Fatalf("Identify: got %v and error %v, want %q", id, err, subject)
	}
	rec, err := h.Record(r)
	if err != nil || rec.Identity.Subject != subject {
		t.Fatalf("Record: got error %v, want the record of %q", err, subject)
	}
	return id
}

// wantUnknown checks that neither way tells who it is, and returns the outcome: a cookie
// never looks like an outage.
func wantUnknown(t *testing.T, h *house, r *http.Request) error {
	t.Helper()
	id, err := h.Identify(r)
	if id != nil || err == nil {
		t.Fatal("Identify: got somebody, want nobody")
	}
	if rec, recErr := h.Record(r); rec != nil || recErr == nil {
		t.Fatal("Record: got a record, want none")
	}
	if rejected := (*session.Rejected)(nil); !errors.Is(err, session.ErrNoCredentials) && !errors.As(err, &rejected) {
		t.Fatalf("Identify: got %v, want an outcome that is about the cookie", err)
	}
	if f, ok := h.Store.(refresher); ok {
		set := http.Header{}
		f.Refresh(set, r)
		for _, c := range (&http.Response{Header: set}).Cookies() {
			if c.MaxAge >= 0 {
				t.Fatalf("Refresh: nobody was given the cookie %q", c.Name)
			}
		}
	}
	return err
}

func (v *visitor) wantUnknown(t *testing.T) { t.Helper(); wantUnknown(t, v.house, v.request()) }

func (v *visitor) wantAnonymous(t *testing.T) {
	t.Helper()
	if err := wantUnknown(t, v.house, v.request()); !errors.Is(err, session.ErrNoCredentials) {
		t.Fatalf("Identify: got %v, want %v", err, session.ErrNoCredentials)
	}
}

func (v *visitor) wantRejected(t *testing.T, reason session.Reason) {
	t.Helper()
	err := wantUnknown(t, v.house, v.request())
	var rejected *session.Rejected
	if !errors.As(err, &rejected) || rejected.Reason != reason {
		t.Fatalf("Identify: got %v, want %s", err, reason)
	}
}
