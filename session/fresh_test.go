package session_test

import (
	"context"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/claimproxy/claimproxy/session"
)

// distant is a backend that others change too. While it is deaf its watchers hear of
// nothing, and it says so once stale is set, as one does whose patience is over.
type distant struct {
	*faulty
	deaf, stale atomic.Bool
	changed     func(session.Key)
}

func newDistant() *distant { return &distant{faulty: newFaulty()} }

func (d *distant) Fresh() bool { return !d.stale.Load() }

func (d *distant) Watch(changed func(session.Key)) func() {
	d.changed = changed
	return d.faulty.Watch(func(key session.Key) {
		if !d.deaf.Load() {
			changed(key)
		}
	})
}

func (d *distant) hearAgain() {
	d.changed(session.AnySession)
	d.deaf.Store(false)
	d.stale.Store(false)
}

func TestSessionInMemoryIsNotTrustedWhenItsEndWouldGoUnheard(t *testing.T) {
	d := newDistant()
	s, elsewhere := openStore(t, d), openStore(t, d.Backend)
	jane, john := signIn(t, s, "jane"), signIn(t, s, "john")
	wantPerson(t, s, jane, "jane")
	wantPerson(t, s, john, "john")

	d.deaf.Store(true)
	if err := elsewhere.End(httptest.NewRecorder(), requestWith(jane)); err != nil {
		t.Fatal(err)
	}
	wantPerson(t, s, jane, "jane") // for a moment: nobody here can know
	d.stale.Store(true)
	wantEnded(t, s, jane)
	for range 3 {
		before := d.asked.Load()
		wantPerson(t, s, john, "john")
		if d.asked.Load() == before {
			t.Error("a session was served from memory that may have ended")
		}
	}
	d.load = errDown
	_, err := s.Identify(requestWith(john))
	wantReason(t, err, session.ReasonStoreUnavailable)
	d.load = nil

	d.hearAgain()
	wantPerson(t, s, john, "john")
	before := d.asked.Load()
	wantPerson(t, s, john, "john")
	if d.asked.Load() != before {
		t.Error("a session was not served from memory although its end would be heard")
	}
	wantEnded(t, s, jane)
}

// What changed in silence is dropped although no time has passed.
func TestSilenceThatIsOverDropsWhatMayHaveBeenMissed(t *testing.T) {
	d := newDistant()
	s, elsewhere := openStore(t, d), openStore(t, d.Backend)
	jane := signIn(t, s, "jane")
	wantPerson(t, s, jane, "jane")
	d.deaf.Store(true)
	if err := elsewhere.End(httptest.NewRecorder(), requestWith(jane)); err != nil {
		t.Fatal(err)
	}
	d.hearAgain()
	wantEnded(t, s, jane)
}

// slow has one Load wait between reading and answering.
type slow struct {
	*distant
	read, answer chan struct{}
}

func (b *slow) Load(ctx context.Context, key session.Key) (session.Entry, error) {
	e, err := b.distant.Load(ctx, key)
	if b.read != nil {
		close(b.read)
		<-b.answer
	}
	return e, err
}

// A request that was reading the session all through the silence does not leave it in
// memory.
func TestWhatWasReadInSilenceIsNotKept(t *testing.T) {
	b := &slow{distant: newDistant()}
	s, elsewhere := openStore(t, b), openStore(t, b.Backend)
	jane := signIn(t, s, "jane")
	b.deaf.Store(true)
	b.read, b.answer = make(chan struct{}), make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = s.Identify(requestWith(jane))
	}()
	<-b.read
	if err := elsewhere.End(httptest.NewRecorder(), requestWith(jane)); err != nil {
		t.Fatal(err)
	}
	b.hearAgain()
	close(b.answer)
	<-done
	b.read = nil
	wantEnded(t, s, jane)
}

func TestAskingWhetherSessionsAreFreshAllocatesNothing(t *testing.T) {
	s := openStore(t, newDistant())
	r := requestWith(signIn(t, s, "jane"))
	if allocs := testing.AllocsPerRun(100, func() { _, _ = s.Identify(r) }); allocs != 0 {
		t.Errorf("got %v allocations, want none", allocs)
	}
}
