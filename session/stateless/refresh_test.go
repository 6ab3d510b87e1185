package stateless_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/stateless"
	"github.com/claimproxy/claimproxy/session/storetest"
)

// renewer is a provider as the tests want it.
type renewer struct {
	calls atomic.Int32
	renew func(rec *session.Record) (*session.Record, error)
}

func (n *renewer) Renew(_ context.Context, rec *session.Record, _ func(*session.Record)) (*session.Record, error) {
	n.calls.Add(1)
	return n.renew(rec)
}

// in puts the person into other groups.
func in(groups ...any) func(rec *session.Record) (*session.Record, error) {
	return func(rec *session.Record) (*session.Record, error) {
		if rec.RefreshToken != "" || rec.FormerRefreshToken != "" || rec.IDToken != "" || rec.Nonce != "" {
			return nil, errors.New("something is kept that a cookie has no use for")
		}
		rec.Identity = storetest.Person(rec.Identity.Subject).Identity
		rec.Identity.Claims["groups"] = groups
		return rec, nil
	}
}

func down(*session.Record) (*session.Record, error) {
	return nil, &session.Unavailable{Reason: session.ReasonProviderUnavailable, Sentence: "down"}
}

const recheck, grace = 10 * time.Minute, time.Hour

// jar is a browser.
type jar map[string]string

func (j jar) request() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://telemetry.example.org/", nil)
	for name, value := range j {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

func (j jar) receive(h http.Header) (set int) {
	for _, c := range (&http.Response{Header: h}).Cookies() {
		j[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(j, c.Name)
		}
		set++
	}
	return set
}

func (j jar) refresh(s *stateless.Store) (set int) {
	h := http.Header{}
	s.Refresh(h, j.request())
	return j.receive(h)
}

func (j jar) signIn(t testing.TB, s *stateless.Store, rec *session.Record) {
	t.Helper()
	w := httptest.NewRecorder()
	if err := s.Start(w, j.request(), rec); err != nil {
		t.Fatal(err)
	}
	j.receive(w.Header())
}

type world struct {
	*stateless.Store
	clock    *storetest.Clock
	provider *renewer
	options  stateless.Options
}

func newWorld(t testing.TB, change ...func(*stateless.Options)) *world {
	clock, provider := storetest.NewClock(), &renewer{renew: in("teams/kde-developers")}
	o := stateless.Options{
		Sealer: sealer(t, []byte(strings.Repeat("a", 32))), CookieName: "claimproxy", Secure: true,
		Idle: 8 * time.Hour, Lifetime: 7 * 24 * time.Hour, Now: clock.Now,
		Renewer: provider, Recheck: recheck, Grace: grace,
	}
	for _, f := range change {
		f(&o)
	}
	return &world{open(t, o), clock, provider, o}
}

// again is another replica, or the same after a restart.
func (w *world) again(t testing.TB) *world {
	return &world{open(t, w.options), w.clock, w.provider, w.options}
}

func (w *world) groups(t *testing.T, j jar) string {
	t.Helper()
	id, err := w.Identify(j.request())
	if err != nil {
		t.Fatalf("Identify: %v", err)
	}
	return strings.Join(id.Claims.Strings("groups"), " ")
}

func wantRejected(t *testing.T, s *stateless.Store, j jar, reason session.Reason) *session.Rejected {
	t.Helper()
	id, err := s.Identify(j.request())
	var rejected *session.Rejected
	if !errors.As(err, &rejected) || rejected.Reason != reason {
		t.Fatalf("Identify: got %v and %v, want %s", id, err, reason)
	}
	return rejected
}

func TestNoTokenButTheAccessTokenIsKept(t *testing.T) {
	w := newWorld(t)
	j := jar{}
	j.signIn(t, w.Store, storetest.Person("jane"))
	rec, err := w.again(t).Record(j.request())
	if err != nil {
		t.Fatal(err)
	}
	if rec.RefreshToken+rec.FormerRefreshToken+rec.IDToken+rec.Nonce != "" || rec.AccessToken != "access-token-of-jane" {
		t.Error("other tokens are kept than the access token")
	}
	none := newWorld(t, func(o *stateless.Options) { o.Renewer = nil })
	j = jar{}
	j.signIn(t, none.Store, storetest.Person("jane"))
	if rec, err = none.Record(j.request()); err != nil || rec.AccessToken != "" {
		t.Errorf("an access token that nobody uses is kept, or %v", err)
	}
}

func TestLostRightsAreLostWithinRecheck(t *testing.T) {
	w := newWorld(t)
	j := jar{}
	j.signIn(t, w.Store, storetest.Person("jane"))
	w.provider.renew = in("teams/emeritus")
	w.clock.Advance(recheck - time.Second)
	if got := w.groups(t, j); got != "teams/kde-developers teams/jane" {
		t.Errorf("before recheck: got %s", got)
	}
	w.clock.Advance(time.Second)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if id, err := w.Identify(j.request()); err != nil || id.Claims.Strings("groups")[0] != "teams/emeritus" {
				t.Errorf("after recheck: got %v", err)
			}
		})
	}
	all.Wait()
	if n := w.provider.calls.Load(); n != 1 {
		t.Errorf("20 requests at once asked the provider %d times, want once", n)
	}
	// Another replica does not know it yet, and asks for itself, as does who keeps the old
	// cookie.
	old := maps.Clone(j)
	if got := w.again(t).groups(t, j); got != "teams/emeritus" || w.provider.calls.Load() != 2 {
		t.Errorf("at another replica: got %s", got)
	}
	// An answer to a page tells the browser, and thereby the other replicas.
	if j.refresh(w.Store) == 0 {
		t.Fatal("the cookie with old claims is not set again")
	}
	if got := w.again(t).groups(t, j); got != "teams/emeritus" || w.provider.calls.Load() != 2 {
		t.Errorf("at another replica with the new cookie: got %s after %d calls", got, w.provider.calls.Load())
	}
	if got := w.again(t).groups(t, old); got != "teams/emeritus" {
		t.Errorf("the old cookie at another replica: got %s", got)
	}
}

func TestASessionEndsWithItsAccessToken(t *testing.T) {
	w := newWorld(t)
	j := jar{}
	rec := storetest.Person("jane") // whose access token lives for two hours
	j.signIn(t, w.Store, rec)
	w.provider.renew = func(rec *session.Record) (*session.Record, error) {
		if w.clock.Now().Before(rec.AccessExpiry) {
			return in("teams/kde-developers")(rec)
		}
		return nil, session.Reject(session.ReasonSessionExpired, "again", &session.Unchecked{Provider: "invent"})
	}
	for range 11 {
		w.clock.Advance(10 * time.Minute)
		w.groups(t, j)
	}
	w.clock.Advance(10*time.Minute - time.Second)
	w.groups(t, j)
	w.clock.Advance(time.Second)
	for _, s := range []*stateless.Store{w.Store, w.again(t).Store} {
		var unchecked *session.Unchecked
		if err := wantRejected(t, s, j, session.ReasonSessionExpired); !errors.As(err, &unchecked) || unchecked.Provider != "invent" {
			t.Errorf("got the cause %v, want one that lets a browser try without a question", err.Cause)
		}
	}
}

func TestGraceWhileTheProviderIsDown(t *testing.T) {
	w := newWorld(t)
	j := jar{}
	j.signIn(t, w.Store, storetest.Person("jane"))
	w.provider.renew = down
	w.clock.Advance(recheck + grace - time.Second)
	w.groups(t, j)
	w.groups(t, j)
	if n := w.provider.calls.Load(); n != 1 {
		t.Errorf("a provider that is down was asked %d times at once", n)
	}
	w.clock.Advance(time.Second)
	var u *session.Unavailable
	if _, err := w.Identify(j.request()); !errors.As(err, &u) {
		t.Errorf("after the grace: got %v, want that it cannot be known", err)
	}
	w.clock.Advance(time.Minute)
	w.provider.renew = in("teams/back")
	if got := w.groups(t, j); got != "teams/back" {
		t.Errorf("after the outage: got %s", got)
	}
}

func TestFailureForOnePersonHasNoGrace(t *testing.T) {
	w := newWorld(t)
	j := jar{}
	j.signIn(t, w.Store, storetest.Person("jane"))
	w.provider.renew = func(*session.Record) (*session.Record, error) {
		return nil, &session.Unavailable{Reason: session.ReasonProviderUnavailable, Cause: session.ErrNoGrace}
	}
	w.clock.Advance(recheck)
	for range 2 {
		if id, err := w.Identify(j.request()); id != nil || !errors.Is(err, session.ErrNoGrace) {
			t.Errorf("got %v, %v", id, err)
		}
	}
}

func TestARefusalOfTheProviderEndsTheSession(t *testing.T) {
	w := newWorld(t)
	j := jar{}
	j.signIn(t, w.Store, storetest.Person("jane"))
	w.provider.renew = func(*session.Record) (*session.Record, error) { return nil, session.Ended() }
	w.clock.Advance(recheck)
	wantRejected(t, w.Store, j, session.ReasonSessionEnded)
	w.provider.renew = in("teams/back")
	w.clock.Advance(time.Hour)
	wantRejected(t, w.Store, j, session.ReasonSessionEnded)
	if j.refresh(w.Store) != 0 {
		t.Error("a session that has ended was given a cookie")
	}
}

func TestARenewerCannotMakeSomebodyElseNorPanic(t *testing.T) {
	w := newWorld(t)
	for name, renew := range map[string]func(*session.Record) (*session.Record, error){
		"somebody else": func(*session.Record) (*session.Record, error) { return storetest.Person("mallory"), nil },
		"nobody":        func(*session.Record) (*session.Record, error) { return &session.Record{}, nil },
		"nothing":       func(*session.Record) (*session.Record, error) { return nil, nil },
		"a panic":       func(*session.Record) (*session.Record, error) { panic("oops") },
	} {
		j := jar{}
		j.signIn(t, w.Store, storetest.Person("jane"))
		w.provider.renew = renew
		w.clock.Advance(recheck + grace)
		var u *session.Unavailable
		if id, err := w.Identify(j.request()); id != nil || !errors.As(err, &u) {
			t.Errorf("%s: got %v, %v", name, id, err)
		}
	}
}

func TestIdleIsRightWithinAnEighth(t *testing.T) {
	w := newWorld(t, func(o *stateless.Options) { o.Renewer = nil })
	j := jar{}
	j.signIn(t, w.Store, storetest.Person("jane"))
	set := 0
	for range 8 * 6 { // two days, at replicas that remember nothing
		w.clock.Advance(time.Hour)
		here := w.again(t)
		w.groups(t, j)
		set += j.refresh(here.Store)
	}
	if set != 8*6 {
		t.Errorf("the cookie was set %d times", set)
	}
	w.clock.Advance(time.Hour - time.Second)
	if j.refresh(w.Store) != 0 {
		t.Error("the cookie is set again before an eighth of idle")
	}
	w.clock.Advance(7*time.Hour + time.Second)
	wantRejected(t, w.again(t).Store, j, session.ReasonSessionExpired)
}

func TestAnswersAtOnceGetTheSameCookies(t *testing.T) {
	w := newWorld(t)
	j := jar{}
	j.signIn(t, w.Store, withGroups(200))
	w.clock.Advance(2 * time.Hour)
	var mu sync.Mutex
	different := map[string]bool{}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			h := http.Header{}
			w.Refresh(h, j.request())
			mu.Lock()
			defer mu.Unlock()
			different[strings.Join(h["Set-Cookie"], "\n")] = true
		})
	}
	all.Wait()
	if len(different) != 1 {
		t.Errorf("%d different answers, so that a browser could be left with parts of two sessions", len(different))
	}
}

func TestUselessPartsAreDeleted(t *testing.T) {
	w := newWorld(t)
	j := jar{}
	j.signIn(t, w.Store, withGroups(200))
	parts := len(j)
	j.signIn(t, w.Store, storetest.Person("jane"))
	if parts < 2 || len(j) != 1 {
		t.Errorf("a smaller session after one of %d cookies leaves %d", parts, len(j))
	}
	j["__Host-claimproxy.2"] = "left by an earlier version"
	if j.refresh(w.Store) != 1 || len(j) != 1 {
		t.Errorf("useless parts stay: %d cookies", len(j))
	}
	if j.refresh(w.Store) != 0 {
		t.Error("without need a cookie is set")
	}
}

// A page that takes long is answered after its person has signed out: the answer must
// not bring the session back.
func TestALateAnswerDoesNotUndoASignOut(t *testing.T) {
	w := newWorld(t)
	j := jar{}
	j.signIn(t, w.Store, storetest.Person("jane"))
	w.clock.Advance(2 * time.Hour)
	late := j.request()
	out := httptest.NewRecorder()
	if err := w.End(out, j.request()); err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	w.Refresh(h, late)
	if len(h) != 0 {
		t.Errorf("got %q", h)
	}
}

// What is not promised: the other replica does not know that a session was ended.
func TestASignOutIsKnownToItsProcessAlone(t *testing.T) {
	ended := new(stateless.Ended)
	w := newWorld(t, func(o *stateless.Options) { o.Ended = ended })
	j := jar{}
	j.signIn(t, w.Store, storetest.Person("jane"))
	copied := maps.Clone(j)
	if err := w.End(httptest.NewRecorder(), j.request()); err != nil {
		t.Fatal(err)
	}
	wantRejected(t, w.Store, copied, session.ReasonSessionEnded)
	wantRejected(t, w.again(t).Store, copied, session.ReasonSessionEnded) // which was handed what is remembered
	w.options.Ended = nil
	w.again(t).groups(t, copied)
}

// TestWhoWatchesHearsOfEndsAndChecks, also at a store that shares what is remembered: a
// configuration that has taken the place of another.
func TestWhoWatchesHearsOfEndsAndChecks(t *testing.T) {
	w := newWorld(t, func(o *stateless.Options) { o.Ended = new(stateless.Ended) })
	j := jar{}
	j.signIn(t, w.Store, storetest.Person("jane"))
	id, err := w.Identify(j.request())
	if err != nil || id.Proof == (session.Key{}) {
		t.Fatalf("got %v and the proof %v", err, id.Proof)
	}
	for _, here := range []*world{w, w.again(t)} {
		if other, err := here.Look(j.request()); err != nil || other.Proof != id.Proof {
			t.Errorf("got %v, want the same proof everywhere", err)
		}
	}
	heard := 0
	stop := w.again(t).Watch(func(k session.Key) {
		if k != id.Proof {
			t.Errorf("heard of %v", k)
		}
		heard++
	})
	w.clock.Advance(recheck)
	w.groups(t, j)
	if again, err := w.Look(j.request()); heard != 1 || err != nil || again.Proof != id.Proof {
		t.Errorf("a check was heard of %d times, %v", heard, err)
	}
	if err := w.End(httptest.NewRecorder(), j.request()); err != nil || heard < 2 {
		t.Errorf("the end was heard of %d times, %v", heard-1, err)
	}
	stop()
}

// TestAPageThatStaysOpenIsNoUse, and an older cookie of a session in use is not idle.
func TestAPageThatStaysOpenIsNoUse(t *testing.T) {
	w := newWorld(t, func(o *stateless.Options) { o.Renewer = nil })
	left, used := jar{}, jar{}
	left.signIn(t, w.Store, storetest.Person("jane"))
	used.signIn(t, w.Store, storetest.Person("john"))
	opened := maps.Clone(used)
	for range 7 {
		w.clock.Advance(time.Hour)
		if _, err := w.Look(left.request()); err != nil {
			t.Fatal(err)
		}
		w.groups(t, used)
		used.refresh(w.Store)
	}
	w.clock.Advance(time.Hour)
	if id, err := w.Look(left.request()); err == nil {
		t.Errorf("a page that stays open keeps the session of %s alive", id.Subject)
	}
	if _, err := w.Look(opened.request()); err != nil {
		t.Errorf("a stream that began with an older cookie: %v", err)
	}
}
