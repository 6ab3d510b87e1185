package storetest

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

var lifetimeTests = []test{
	{"an unused session expires", testIdle},
	{"a used session does not", testIdleUsed},
	{"use that was flushed counts after a restart", testFlush},
	{"use counts although the session does not fit into memory", testNoCache},
	{"a session expires at its lifetime however used", testLifetime},
	{"an earlier end is kept", testEarlierEnd},
	{"a shorter lifetime after a reload counts at once", testShorterLifetime},
	{"expired sessions are swept, others stay", testSweepSessions},
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
