package storetest

import (
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

var lifetimeTests = []test{
	{"a used session does not", testIdleUsed},
	{"use that was flushed counts after a restart", testFlush},
	{"use counts although the session does not fit into memory", testNoCache},
	{"expired sessions are swept, others stay", testSweepSessions},
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
