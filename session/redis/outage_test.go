package redis_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/redis"
)

// logged is a log to read.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// lasting is a server that has everything on the disk before it answers.
func lasting(t testing.TB) *server {
	return startServer(t, "--appendonly", "yes", "--appendfsync", "always")
}

func TestRedisThatIsKilledAndComesBack(t *testing.T) {
	s := lasting(t)
	log := new(logged)
	o := redis.Options{Addrs: []string{s.addr}, Prefix: prefix()}
	there := replica(t, open(t, o))
	o.Log = log.logger()
	here := replica(t, open(t, o))
	jane, john, ended := signIn(t, here, "jane"), signIn(t, here, "john"), signIn(t, here, "gone")
	wantPerson(t, here, jane, "jane")
	signOut(t, there, ended)
	s.kill()

	wantPerson(t, here, jane, "jane")                    // from memory
	want(t, there, john, session.ReasonStoreUnavailable) // nobody here has it in memory
	want(t, here, ended, session.ReasonStoreUnavailable) // and not "ended"
	w := httptest.NewRecorder()
	if err := here.Start(w, requestWith(""), person("late")); err == nil || len(w.Result().Cookies()) != 0 {
		t.Errorf("a login while Redis is down: got %v and %d cookies", err, len(w.Result().Cookies()))
	}
	begin := time.Now()
	if err := here.End(w, requestWith(jane)); err == nil || len(w.Result().Cookies()) != 0 {
		t.Errorf("a sign-out while Redis is down: got %v and %d cookies", err, len(w.Result().Cookies()))
	}
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("a server that refuses connections was waited for %s", took)
	}

	s.start(t)
	waitFor(t, "the sessions", func() bool { return outcome(there, john) == "" })
	waitFor(t, "the subscription", func() bool { return strings.Contains(log.String(), "are heard again") })
	wantPerson(t, here, jane, "jane")
	want(t, here, ended, session.ReasonSessionEnded)
	wantPerson(t, there, signIn(t, here, "late"), "late")
	signOut(t, there, jane)
	wantSoon(t, here, jane, session.ReasonSessionEnded)
	if text := log.String(); !strings.Contains(text, "are not heard") || strings.Count(text, "\n") > 20 {
		t.Errorf("the log tells too little, or too much:\n%s", text)
	}
}

// A Redis without persistence has forgotten the sessions, and nobody goes on from
// memory.
func TestRedisThatComesBackEmpty(t *testing.T) {
	s := startServer(t)
	b := open(t, redis.Options{Addrs: []string{s.addr}})
	store := replica(t, b)
	jane := signIn(t, store, "jane")
	wantPerson(t, store, jane, "jane")
	s.kill()
	s.start(t)
	waitFor(t, "the end", func() bool { return outcome(store, jane) == session.ReasonSessionEnded })
}

// A server that hangs is not noticed by its connections. Sessions in memory go on for
// ten seconds, then there is no answer; and it is given at once, however many ask.
func TestRedisThatHangs(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 15 seconds")
	}
	t.Parallel()
	s := lasting(t)
	b := open(t, redis.Options{Addrs: []string{s.addr}})
	store := replica(t, b)
	jane := signIn(t, store, "jane")
	wantPerson(t, store, jane, "jane")
	must(t, s.cmd.Process.Signal(syscall.SIGSTOP))
	begin := time.Now()
	wantPerson(t, store, jane, "jane")
	waitFor(t, "the end of trust", func() bool { return !b.Fresh() })
	if took := time.Since(begin); took < 6*time.Second || took > 11*time.Second {
		t.Errorf("sessions in memory were trusted for %s, want nearly 10s", took)
	}
	want(t, store, jane, session.ReasonStoreUnavailable)
	var wg sync.WaitGroup
	var slow atomic.Int64
	for range 200 {
		wg.Go(func() {
			begin := time.Now()
			if outcome(store, jane) != session.ReasonStoreUnavailable {
				t.Error("got another outcome")
			}
			if time.Since(begin) > time.Second {
				slow.Add(1)
			}
		})
	}
	wg.Wait()
	if slow.Load() > 20 {
		t.Errorf("%d of 200 requests waited for a server that is known to hang", slow.Load())
	}
	must(t, s.cmd.Process.Signal(syscall.SIGCONT))
	waitFor(t, "the session", func() bool { return outcome(store, jane) == "" })
	waitFor(t, "the subscription", b.Fresh)
}

// Without a subscription, but with a Redis that answers, each request asks.
func TestSubscriptionThatIsLostAlone(t *testing.T) {
	s := startServer(t)
	c := s.client(t)
	o := redis.Options{Addrs: []string{s.addr}}
	b := open(t, o)
	here, there := replica(t, b), replica(t, open(t, o))
	jane := signIn(t, here, "jane")
	for range 5 {
		wantPerson(t, here, jane, "jane")
		must(t, c.Do(t.Context(), "CLIENT", "KILL", "TYPE", "pubsub").Err())
		next := signIn(t, there, "jane")
		signOut(t, there, jane) // perhaps unheard
		waitAtMost(t, 3*time.Second, "the end", func() bool { return outcome(here, jane) == session.ReasonSessionEnded })
		jane = next
	}
	waitFor(t, "the subscription", b.Fresh)
}

// A claimproxy that starts before its Redis serves as soon as that is there.
func TestStartWithoutRedis(t *testing.T) {
	s := startServer(t)
	s.kill()
	b := openNow(t, redis.Options{Addrs: []string{s.addr}})
	store := replica(t, b)
	if b.Fresh() {
		t.Error("nothing was heard yet, and it says fresh")
	}
	want(t, store, strings.Repeat("A", 66), "no credentials")
	if err := store.Start(httptest.NewRecorder(), requestWith(""), person("jane")); err == nil {
		t.Error("got no error")
	}
	s.start(t)
	waitFor(t, "a login", func() bool {
		return store.Start(httptest.NewRecorder(), requestWith(""), person("jane")) == nil
	})
	waitFor(t, "the subscription", b.Fresh)
}

func TestCloseWhileRedisIsAway(t *testing.T) {
	s := startServer(t)
	b := open(t, redis.Options{Addrs: []string{s.addr}})
	s.kill()
	time.Sleep(50 * time.Millisecond)
	begin := time.Now()
	must(t, b.Close())
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("Close took %s", took)
	}
}

// What has been confirmed is there after a crash, and what was ended is not.
func TestNothingConfirmedIsLostWhenRedisIsKilled(t *testing.T) {
	s := lasting(t)
	o := redis.Options{Addrs: []string{s.addr}}
	store := replica(t, open(t, o))
	for round := range 3 {
		var mu sync.Mutex
		var kept, ended []string
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for n := range 1000 {
					w := httptest.NewRecorder()
					if store.Start(w, requestWith(""), person(fmt.Sprint(i))) != nil {
						return
					}
					cookie, out := w.Result().Cookies()[0].Value, false
					if n%3 == 0 {
						if store.End(httptest.NewRecorder(), requestWith(cookie)) != nil {
							return
						}
						out = true
					}
					mu.Lock()
					if out {
						ended = append(ended, cookie)
					} else {
						kept = append(kept, cookie)
					}
					mu.Unlock()
				}
			})
		}
		time.Sleep(100 * time.Millisecond)
		waitFor(t, "sessions that are kept and ended", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(kept) > 0 && len(ended) > 0
		})
		s.kill()
		wg.Wait()
		s.start(t)
		fresh := replica(t, open(t, o))
		for _, c := range kept {
			want(t, fresh, c, "")
		}
		for _, c := range ended {
			want(t, fresh, c, session.ReasonSessionEnded)
		}
		if len(kept) == 0 || len(ended) == 0 {
			t.Errorf("round %d: %d kept and %d ended tell nothing", round, len(kept), len(ended))
		}
		waitFor(t, "a login", func() bool {
			return store.Start(httptest.NewRecorder(), requestWith(""), person("again")) == nil
		})
	}
}
