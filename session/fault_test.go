package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/storetest"
)

// faulty is a backend whose methods fail when they are told to, and which counts
// what it is asked.
type faulty struct {
	session.Backend
	load, create, replace, touch, remove error
	asked                                atomic.Int64
}

func newFaulty() *faulty { return &faulty{Backend: session.NewMemory()} }

func (f *faulty) Load(ctx context.Context, k session.Key) (session.Entry, error) {
	f.asked.Add(1)
	if f.load != nil {
		return session.Entry{}, f.load
	}
	return f.Backend.Load(ctx, k)
}

func (f *faulty) Create(ctx context.Context, k session.Key, e session.Entry) error {
	f.asked.Add(1)
	if f.create != nil {
		return f.create
	}
	return f.Backend.Create(ctx, k, e)
}

func (f *faulty) Replace(ctx context.Context, k session.Key, e session.Entry) error {
	f.asked.Add(1)
	if f.replace != nil {
		return f.replace
	}
	return f.Backend.Replace(ctx, k, e)
}

func (f *faulty) Touch(ctx context.Context, k session.Key, head []byte, ends time.Time) error {
	f.asked.Add(1)
	if f.touch != nil {
		return f.touch
	}
	return f.Backend.Touch(ctx, k, head, ends)
}

func (f *faulty) Delete(ctx context.Context, k session.Key) error {
	f.asked.Add(1)
	if f.remove != nil {
		return f.remove
	}
	return f.Backend.Delete(ctx, k)
}

var errDown = errors.New("down")

func TestIdentifyAsksNobodyWhileNothingChanges(t *testing.T) {
	b := newFaulty()
	s := openStore(t, b)
	cookie := signIn(t, s, "jane")
	wantPerson(t, s, cookie, "jane")
	before := b.asked.Load()
	for range 100 {
		wantPerson(t, s, cookie, "jane")
	}
	if n := b.asked.Load() - before; n != 0 {
		t.Errorf("100 requests of a known session asked the backend %d times, want 0", n)
	}
	r := requestWith(cookie)
	if allocs := testing.AllocsPerRun(100, func() { _, _ = s.Identify(r) }); allocs != 0 {
		t.Errorf("a request of a known session makes %v allocations, want none", allocs)
	}
}

func TestIdentifyDoesNotChangeTheRequest(t *testing.T) {
	s := openStore(t, session.NewMemory())
	r := requestWith(signIn(t, s, "jane"))
	ctx := r.Context()
	if _, err := s.Identify(r); err != nil {
		t.Fatal(err)
	}
	if r.Context() != ctx {
		t.Error("Identify put a registry into the request")
	}
}

func TestStoreDownIsNeverNoCredentials(t *testing.T) {
	b := newFaulty()
	s := openStore(t, b)
	known, unknown := signIn(t, s, "jane"), signIn(t, s, "john")
	wantPerson(t, s, known, "jane")
	b.load = errDown

	wantPerson(t, s, known, "jane") // what is in memory goes on
	_, err := s.Identify(requestWith(unknown))
	wantReason(t, err, session.ReasonStoreUnavailable)
	if !errors.Is(err, errDown) {
		t.Errorf("got %v, want the cause for the log", err)
	}
	_, err = s.Record(requestWith(unknown))
	wantReason(t, err, session.ReasonStoreUnavailable)
	_, err = s.Get(requestWith(unknown), s.Cookies().Session)
	wantReason(t, err, session.ReasonStoreUnavailable)
	wantReason(t, s.Update(requestWith(unknown), storetest.Person("john")), session.ReasonStoreUnavailable)
	if _, err := s.Identify(requestWith("garbage")); !errors.Is(err, session.ErrNoCredentials) {
		t.Errorf("garbage while the store is down: got %v, want %v", err, session.ErrNoCredentials)
	}
	// Of several cookies, one that is known decides; else that it cannot be known.
	r := requestWith("")
	r.Header.Set("Cookie", "__Host-claimproxy="+unknown+"; __Host-claimproxy="+known)
	if id, err := s.Identify(r); err != nil || id.Subject != "jane" {
		t.Errorf("a known cookie beside an unknown one: got %v, want jane", err)
	}
	b.load = nil
	wantPerson(t, s, unknown, "john")
}

func wantNoCookie(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	if lines := w.Header()["Set-Cookie"]; len(lines) != 0 {
		t.Errorf("the answer sets %d cookies, want none", len(lines))
	}
}

func TestStartWhenNothingCanBeKept(t *testing.T) {
	b := newFaulty()
	s := openStore(t, b)
	jane := signIn(t, s, "jane")
	b.create = errDown
	w := httptest.NewRecorder()
	err := s.Start(w, requestWith(jane), storetest.Person("jane"))
	wantReason(t, err, session.ReasonStoreUnavailable)
	wantNoCookie(t, w)
	wantPerson(t, s, jane, "jane") // the session before goes on
}

// A login that cannot end the session before it leaves no second one behind.
func TestStartWhenTheOldSessionCannotBeEnded(t *testing.T) {
	b := newFaulty()
	s := openStore(t, b)
	jane := signIn(t, s, "jane")
	b.remove = errDown
	w := httptest.NewRecorder()
	err := s.Start(w, requestWith(jane), storetest.Person("jane"))
	wantReason(t, err, session.ReasonStoreUnavailable)
	wantNoCookie(t, w)
}

func TestEndThatIsNotSureKeepsTheCookie(t *testing.T) {
	b := newFaulty()
	s := openStore(t, b)
	jane := signIn(t, s, "jane")
	wantPerson(t, s, jane, "jane")
	for _, fault := range []*error{&b.remove, &b.load} {
		*fault = errDown
		w := httptest.NewRecorder()
		wantReason(t, s.End(w, requestWith(jane)), session.ReasonStoreUnavailable)
		wantNoCookie(t, w)
		*fault = nil
	}
	if err := s.End(httptest.NewRecorder(), requestWith(jane)); err != nil {
		t.Fatalf("the second try: %v", err)
	}
	wantEnded(t, s, jane)
}

func TestUpdateWhenNothingCanBeKept(t *testing.T) {
	b := newFaulty()
	s := openStore(t, b)
	jane := signIn(t, s, "jane")
	r := requestWith(jane)
	rec, err := s.Record(r)
	if err != nil {
		t.Fatal(err)
	}
	b.replace = errDown
	rec.RefreshToken = "rotated"
	wantReason(t, s.Update(r, rec), session.ReasonStoreUnavailable)
	if rec, err := s.Record(r); err != nil || rec.RefreshToken != "refresh-token-of-jane" {
		t.Errorf("after a failed update: got %v, want the record that is kept", err)
	}
	b.replace = nil
	if err := s.Update(r, rec); err != nil {
		t.Fatalf("the second try: %v", err)
	}
}

// A session whose use could not be written looks unused: nobody sweeps meanwhile.
func TestSweepWaitsForTheFlush(t *testing.T) {
	b, clock := newFaulty(), storetest.NewClock()
	s := openStore(t, b, func(o *session.StoreOptions) { o.Now = clock.Now })
	jane := signIn(t, s, "jane")
	b.touch = errDown
	for range 5 {
		clock.Advance(50 * time.Minute)
		wantPerson(t, s, jane, "jane")
		if n, err := s.Sweep(t.Context()); !errors.Is(err, errDown) || n != 0 {
			t.Fatalf("Sweep: got %d, %v, want %v", n, err, errDown)
		}
	}
	b.touch = nil
	if n, err := s.Sweep(t.Context()); err != nil || n != 0 {
		t.Fatalf("Sweep: got %d, %v, want nothing to remove", n, err)
	}
	wantPerson(t, openStore(t, b, func(o *session.StoreOptions) { o.Now = clock.Now }), jane, "jane")
}

func TestUseIsWrittenCoarsely(t *testing.T) {
	b, clock := newFaulty(), storetest.NewClock()
	s := openStore(t, b, func(o *session.StoreOptions) { o.Now = clock.Now })
	jane := signIn(t, s, "jane")
	wantPerson(t, s, jane, "jane")
	before := b.asked.Load()
	for range 60 {
		clock.Advance(time.Second)
		wantPerson(t, s, jane, "jane")
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.asked.Load() - before; n != 0 {
		t.Errorf("60 requests in a minute asked the backend %d times, want 0", n)
	}
	clock.Advance(5 * time.Minute)
	wantPerson(t, s, jane, "jane")
	for range 2 {
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.asked.Load() - before; n != 2 { // one Load, one Touch
		t.Errorf("after five minutes the backend was asked %d times, want 2", n)
	}
}

func TestRunWritesSweepsAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFaulty()
		s := openStore(t, b)
		jane, john := signIn(t, s, "jane"), signIn(t, s, "john")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.Run(ctx)
		}()
		for range 6 { // three hours: john is over and swept
			time.Sleep(30 * time.Minute)
			wantPerson(t, s, jane, "jane")
		}
		wantEnded(t, s, john)
		again := openStore(t, b)
		wantPerson(t, again, jane, "jane")
		time.Sleep(55 * time.Minute)
		wantPerson(t, s, jane, "jane")
		cancel() // the last use is written on the way out
		<-done
		time.Sleep(30 * time.Minute)
		wantPerson(t, openStore(t, b), jane, "jane")
	})
}

func TestManyUsesWakeRun(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 10,000 sessions")
	}
	synctest.Test(t, func(t *testing.T) {
		b := newFaulty()
		s := openStore(t, b)
		cookies := make([]string, 10000)
		for i := range cookies {
			cookies[i] = signIn(t, s, "jane")
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		time.Sleep(10 * time.Minute)
		go s.Run(ctx)
		synctest.Wait()
		before := b.asked.Load()
		for _, c := range cookies {
			wantPerson(t, s, c, "jane")
		}
		synctest.Wait() // no time has passed, so no ticker has fired
		if n := b.asked.Load() - before - int64(len(cookies)); n < 10000 {
			t.Errorf("Run made %d calls, want it to have begun writing", n)
		}
		cancel()
		synctest.Wait()
	})
}

func TestAnotherStateSecretEndsSessions(t *testing.T) {
	b := session.NewMemory()
	jane := signIn(t, openStore(t, b), "jane")
	sealer := func(secrets ...string) func(*session.StoreOptions) {
		return func(o *session.StoreOptions) {
			var all [][]byte
			for _, s := range secrets {
				all = append(all, []byte(s))
			}
			sealer, err := session.NewSealer(all)
			if err != nil {
				t.Fatal(err)
			}
			o.Sealer = sealer
		}
	}
	const other = "quite another secret, 32 bytes or more"
	wantEnded(t, openStore(t, b, sealer(other)), jane)
	wantPerson(t, openStore(t, b, sealer(other, "the secret of the state directory")), jane, "jane")
}

func TestNewStoreRefuses(t *testing.T) {
	sealer, err := session.NewSealer([][]byte{make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	good := func() session.StoreOptions {
		return session.StoreOptions{Backend: session.NewMemory(), Sealer: sealer, CookieName: "cp", Secure: true, Idle: time.Hour, Lifetime: time.Hour}
	}
	s, err := session.NewStore(good())
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	for name, spoil := range map[string]func(*session.StoreOptions){
		"no backend":                func(o *session.StoreOptions) { o.Backend = nil },
		"no sealer":                 func(o *session.StoreOptions) { o.Sealer = nil },
		"no cookie name":            func(o *session.StoreOptions) { o.CookieName = "" },
		"a bad cookie name":         func(o *session.StoreOptions) { o.CookieName = "a b" },
		"no idle":                   func(o *session.StoreOptions) { o.Idle = 0 },
		"a negative lifetime":       func(o *session.StoreOptions) { o.Lifetime = -1 },
		"SameSite None, not Secure": func(o *session.StoreOptions) { o.Secure = false; o.SameSite = http.SameSiteNoneMode },
	} {
		o := good()
		spoil(&o)
		if _, err := session.NewStore(o); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}
