package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// Renewer fetches what is known about a person again, so that lost rights are lost.
type Renewer interface {
	// Renew returns the record as it is now. It gets a copy and may change it, but for
	// who the person is and when the session began. A record that comes back beside an
	// error is kept all the same: the provider has rotated its tokens. keep writes such a
	// record down earlier, before the new tokens are used: there are providers that take
	// the old ones for lost only then, and so whoever dies in between has one of the two.
	//
	// The error is a *Rejected when the provider does not vouch for the person any
	// more: with session-ended for good, with session-expired because it cannot be
	// asked without the person. It is an *Unavailable when that cannot be known now,
	// wrapping ErrNoGrace when that is so for this person alone.
	Renew(ctx context.Context, rec *Record, keep func(rotated *Record)) (*Record, error)
}

// ErrNoGrace says that the provider fails for one person while it answers others: they
// may be blocked there, so that their session must not go on until it answers again.
var ErrNoGrace = errors.New("the provider fails for this person alone")

// Unchecked is the cause of a session-expired of a session that cannot be checked
// without the person: there is no token left to ask with. Where they are still signed
// in at the provider, signing in again takes no question.
type Unchecked struct {
	// Provider is the id of the provider to ask.
	Provider string
}

func (e *Unchecked) Error() string {
	return "there is no token to ask the provider " + e.Provider + " with"
}

const (
	// renewTimeout bounds all that one renewal does.
	renewTimeout = 15 * time.Second
	// retryRenewal is when a provider that did not answer is asked again, so that not
	// every request waits for one that is down.
	retryRenewal = 10 * time.Second
	// patience is how long a request waits for a provider that did not answer before.
	patience = time.Second
	// maxFailed is how many failures are remembered before those that do not count any
	// more are dropped.
	maxFailed = 1 << 12
	// maxUnsaved bounds the renewed records that wait for a store that refuses them.
	maxUnsaved = 1 << 14
)

// renewals is the work of keeping sessions up to date.
type renewals struct {
	renewer Renewer
	recheck time.Duration
	grace   time.Duration
	flights singleflight.Group

	mu sync.Mutex
	// failed are the sessions of which it could not be known lately, with the outcome,
	// until when it counts.
	failed map[Key]failedRenewal
	// unsaved are records whose tokens the provider has rotated and which the backend
	// could not keep: losing them would sign people out.
	unsaved map[Key]*data
}

type failedRenewal struct {
	err   error
	until time.Time
}

// due says whether a session's claims are to be fetched again.
func (n *renewals) due(now, checked time.Time) bool {
	return n.renewer != nil && now.Sub(checked) >= n.recheck
}

// lately returns how the last renewal failed, if it did.
func (n *renewals) lately(key Key) (failedRenewal, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f, ok := n.failed[key]
	return f, ok
}

func (n *renewals) fail(key Key, err error, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.failed == nil {
		n.failed = make(map[Key]failedRenewal)
	}
	if len(n.failed) >= maxFailed {
		for key, f := range n.failed {
			if now.After(f.until) {
				delete(n.failed, key)
			}
		}
	}
	n.failed[key] = failedRenewal{err, now.Add(retryRenewal)}
}

func (n *renewals) forget(key Key) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.failed, key)
	delete(n.unsaved, key)
}

// keep remembers a record that could not be saved.
func (n *renewals) keep(d *data) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.unsaved == nil {
		n.unsaved = make(map[Key]*data)
	}
	key := d.handle.storeKey()
	if _, there := n.unsaved[key]; there || len(n.unsaved) < maxUnsaved {
		n.unsaved[key] = d
	}
}

// kept returns the record that waits to be saved, nil if there is none.
func (n *renewals) kept(key Key) *Record {
	n.mu.Lock()
	defer n.mu.Unlock()
	if d := n.unsaved[key]; d != nil {
		return d.record
	}
	return nil
}

func (n *renewals) allUnsaved() []*data {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Collect(maps.Values(n.unsaved))
}

// saveKept writes the renewed records down that the backend could not keep before.
func (s *Store) saveKept(ctx context.Context) error {
	for _, d := range s.renewals.allUnsaved() {
		again := *d
		err := s.replace(ctx, &again)
		var u *Unavailable
		if errors.As(err, &u) {
			return err
		}
		// It is kept now, or somebody else has ended or changed the session.
		s.renewals.forget(d.handle.storeKey())
	}
	return nil
}

// renew brings a session up to date if that is due. However many requests come with
// it, here or at other replicas, the provider is asked once; the others wait and
// adopt the result. It returns nil when the session may go on, as it now is or,
// within its grace, as it was.
func (s *Store) renew(ctx context.Context, h *handle, d *data, now time.Time) error {
	n, key := &s.renewals, h.storeKey()
	if !n.due(now, d.record.Checked) {
		return nil
	}
	before, failed := n.lately(key)
	err := before.err
	if !failed || !now.Before(before.until) {
		if failed && !errors.Is(err, ErrNoGrace) {
			// The provider did not answer a moment ago. It is asked again, and nobody who
			// may go on anyway waits long for that.
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, patience)
			defer cancel()
		}
		err = s.renewTogether(ctx, *h)
	}
	var u *Unavailable
	if errors.As(err, &u) && !errors.Is(err, ErrNoGrace) && now.Before(d.record.Checked.Add(n.recheck+n.grace)) {
		return nil
	}
	return err
}

// renewTogether waits for the one renewal of the session that is under way.
func (s *Store) renewTogether(ctx context.Context, h handle) error {
	key := h.storeKey()
	result := s.renewals.flights.DoChan(string(key[:]), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewTimeout)
		defer cancel()
		return nil, s.renewOnce(ctx, &h)
	})
	select {
	case <-ctx.Done():
		return cannotCheck(ctx.Err())
	case r := <-result:
		return r.Err
	}
}

func cannotCheck(cause error) error {
	return unavailable("Your session cannot be checked right now. Please try again in a moment.", cause)
}

// renewOnce renews a session while nobody else does, wherever.
func (s *Store) renewOnce(ctx context.Context, h *handle) (err error) {
	n, key := &s.renewals, h.storeKey()
	defer func() {
		// No request's goroutine: nobody else would keep a panic from ending the process.
		if p := recover(); p != nil {
			s.log.Error("panic while renewing a session", "session", key, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = cannotCheck(fmt.Errorf("panic: %v", p))
		}
		if err != nil {
			n.fail(key, err, s.now())
		}
	}()
	outcome := s.backend.Exclusive(ctx, key, func(ctx context.Context) error {
		d, failed := s.load(ctx, h)
		if failed != nil {
			err = failed
			return nil
		}
		if n.due(s.now(), d.record.Checked) { // nobody else has been quicker
			err = s.renewRecord(ctx, d)
		}
		return nil
	})
	if outcome != nil && err == nil {
		return cannotCheck(outcome)
	}
	return err
}

// renewRecord asks the renewer and keeps what it says.
func (s *Store) renewRecord(ctx context.Context, d *data) error {
	n, key := &s.renewals, d.handle.storeKey()
	old, kept := d.record, *d
	given := *old
	fresh, err := n.renewer.Renew(ctx, &given, func(rotated *Record) {
		step, rec := kept, *rotated
		rec.Identity, rec.Created, rec.Ends, rec.Checked = old.Identity, old.Created, old.Ends, old.Checked
		step.record = &rec
		// Where that fails, it is tried again with what comes of the renewal.
		if s.replace(ctx, &step) == nil {
			kept.revision, kept.written = step.revision, step.written
		}
	})
	var rejected *Rejected
	switch {
	case errors.As(err, &rejected) && rejected.Reason == ReasonSessionEnded:
		if gone := s.endOne(ctx, &d.handle); gone != nil {
			s.log.WarnContext(ctx, "a session that the provider has ended could not be deleted", "session", key, "error", gone)
		}
		return err
	case fresh == nil && err == nil:
		return cannotCheck(errors.New("the renewer returned nothing"))
	case fresh == nil:
		return err
	case fresh.Identity == nil || !fresh.Identity.samePerson(old.Identity):
		return cannotCheck(errors.New("the renewer returned somebody else"))
	}
	fresh.Created, fresh.Ends, fresh.Seen = old.Created, old.Ends, old.Seen
	if fresh.Identity != old.Identity {
		fresh.Identity.Proof = key
	}
	if err == nil {
		fresh.Checked = s.now()
	}
	changed := kept
	changed.record = fresh
	failed := s.replace(ctx, &changed)
	switch {
	case failed == nil:
		n.forget(key)
	case errors.As(failed, &rejected):
		return failed // it was ended meanwhile
	default:
		// The tokens of before are worth nothing any more, so the new ones must not be
		// lost because a disk is full.
		s.log.WarnContext(ctx, "a renewed session cannot be kept, and lives in memory until it can", "session", key, "error", failed)
		n.keep(&changed)
		s.cache.drop(key)
	}
	return err
}
