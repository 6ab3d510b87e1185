package redis_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/redis"
	"github.com/claimproxy/claimproxy/session/storetest"
)

// replica is a store over a backend of its own, as each process has them.
func replica(t testing.TB, b session.Backend, change ...func(*session.StoreOptions)) *session.Store {
	t.Helper()
	sealer, err := session.NewSealer([][]byte{[]byte("the secret that all replicas have")})
	if err != nil {
		t.Fatal(err)
	}
	o := session.StoreOptions{
		Backend: b, Sealer: sealer, CookieName: "claimproxy", Secure: true,
		Idle: time.Hour, Lifetime: 8 * time.Hour, Log: slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&o)
	}
	s, err := session.NewStore(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func requestWith(cookie string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://telemetry.example.org/", nil)
	if cookie != "" {
		r.Header.Set("Cookie", "__Host-claimproxy="+cookie)
	}
	return r
}

// person is somebody who signs in now.
func person(subject string) *session.Record {
	rec := storetest.Person(subject)
	rec.AccessExpiry = time.Now().Add(2 * time.Hour)
	return rec
}

func signIn(t testing.TB, s *session.Store, subject string) (cookie string) {
	t.Helper()
	w := httptest.NewRecorder()
	if err := s.Start(w, requestWith(""), person(subject)); err != nil {
		t.Fatalf("Start: %v", err)
	}
	return w.Result().Cookies()[0].Value
}

// newRecorder takes an answer that nobody reads.
func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

func signOut(t testing.TB, s *session.Store, cookie string) {
	t.Helper()
	if err := s.End(httptest.NewRecorder(), requestWith(cookie)); err != nil {
		t.Fatalf("End: %v", err)
	}
}

func wantPerson(t testing.TB, s *session.Store, cookie, subject string) {
	t.Helper()
	if id, err := s.Identify(requestWith(cookie)); err != nil || id.Subject != subject {
		t.Fatalf("Identify: got error %v, want %q", err, subject)
	}
}

// outcome is the reason word of a request, "" for one that is let in.
func outcome(s *session.Store, cookie string) session.Reason {
	_, err := s.Identify(requestWith(cookie))
	var rejected *session.Rejected
	var unavailable *session.Unavailable
	switch {
	case err == nil:
		return ""
	case errors.As(err, &rejected):
		return rejected.Reason
	case errors.As(err, &unavailable):
		return unavailable.Reason
	}
	return session.Reason(err.Error())
}

func want(t testing.TB, s *session.Store, cookie string, reason session.Reason) {
	t.Helper()
	if got := outcome(s, cookie); got != reason {
		t.Fatalf("got %q, want %q", got, reason)
	}
}

// within is what people may rely on: ended here is ended there.
const within = time.Second

func wantSoon(t testing.TB, s *session.Store, cookie string, reason session.Reason) {
	t.Helper()
	waitAtMost(t, within, "the outcome "+string(reason), func() bool { return outcome(s, cookie) == reason })
}

func TestReplicasActAsOne(t *testing.T) {
	s := sharedServer(t)
	o := redis.Options{Addrs: []string{s.addr}, Prefix: prefix()}
	here, there := replica(t, open(t, o)), replica(t, open(t, o))
	jane := signIn(t, here, "jane")
	for range 2 { // the second time from memory
		wantPerson(t, there, jane, "jane")
		wantPerson(t, here, jane, "jane")
	}
	// Changed claims are everywhere at once, too.
	rec, err := there.Record(requestWith(jane))
	must(t, err)
	rec.Identity = storetest.Person("jane").Identity
	rec.Identity.Claims["groups"] = []any{"teams/emeritus"}
	must(t, there.Update(requestWith(jane), rec))
	waitAtMost(t, within, "the new claims", func() bool {
		id, err := here.Identify(requestWith(jane))
		return err == nil && len(id.Claims.Strings("groups")) == 1
	})
	signOut(t, there, jane)
	want(t, there, jane, session.ReasonSessionEnded)
	wantSoon(t, here, jane, session.ReasonSessionEnded)
}

// A copied cookie that is being used all the time at one replica is dead there when its
// owner has signed out at the other.
func TestCopiedCookieIsDeadOnEveryReplica(t *testing.T) {
	s := sharedServer(t)
	o := redis.Options{Addrs: []string{s.addr}, Prefix: prefix()}
	here, there := replica(t, open(t, o)), replica(t, open(t, o))
	for range 20 {
		jane := signIn(t, here, "jane")
		stop := make(chan struct{})
		var thief sync.WaitGroup
		thief.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = outcome(there, jane)
				}
			}
		})
		waitFor(t, "the thief", func() bool { return outcome(there, jane) == "" })
		signOut(t, here, jane)
		wantSoon(t, there, jane, session.ReasonSessionEnded)
		close(stop)
		thief.Wait()
		want(t, there, jane, session.ReasonSessionEnded)
	}
}

// counting is a provider that takes its time, and ends the whole grant when a refresh
// token comes twice, as oidc-provider does.
type counting struct {
	calls atomic.Int64
	mu    sync.Mutex
	used  map[string]bool
}

func (c *counting) Renew(_ context.Context, rec *session.Record, _ func(*session.Record)) (*session.Record, error) {
	c.calls.Add(1)
	time.Sleep(50 * time.Millisecond)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.used[rec.RefreshToken] {
		return nil, session.Reject(session.ReasonSessionEnded, "The grant was revoked.", nil)
	}
	if c.used == nil {
		c.used = make(map[string]bool)
	}
	c.used[rec.RefreshToken] = true
	rec.RefreshToken += "+"
	return rec, nil
}

func TestManyRequestsOnTwoReplicasMakeOneRefresh(t *testing.T) {
	s := sharedServer(t)
	o := redis.Options{Addrs: []string{s.addr}, Prefix: prefix()}
	renewer := new(counting)
	var ahead atomic.Int64
	with := func(o *session.StoreOptions) {
		o.Renewer, o.Recheck, o.Grace = renewer, 10*time.Minute, time.Hour
		o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	}
	stores := []*session.Store{replica(t, open(t, o), with), replica(t, open(t, o), with)}
	jane := signIn(t, stores[0], "jane")
	for round := range 3 {
		for _, s := range stores {
			wantPerson(t, s, jane, "jane")
		}
		ahead.Add(int64(15 * time.Minute))
		var failed atomic.Int64
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				if outcome(stores[i%2], jane) != "" {
					failed.Add(1)
				}
			})
		}
		wg.Wait()
		if failed.Load() != 0 || renewer.calls.Load() != int64(round+1) {
			t.Fatalf("round %d: %d of 50 requests failed, %d refreshes in all, want %d", round, failed.Load(), renewer.calls.Load(), round+1)
		}
	}
}
