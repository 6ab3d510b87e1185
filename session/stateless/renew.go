package stateless

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

const (
	// renewTimeout bounds all that one renewal does.
	renewTimeout = 15 * time.Second
	// retryRenewal is when a provider that did not answer is asked again, so that not
	// every request waits for one that is down.
	retryRenewal = 10 * time.Second
	// patience is how long a request waits for a provider that did not answer before.
	patience = time.Second
)

// due says whether a session's claims are to be fetched again: they have become old, or
// the access token has ended, with which they could be.
func (s *Store) due(rec *session.Record, now time.Time) bool {
	if s.renewer == nil {
		return false
	}
	return now.Sub(rec.Checked) >= s.recheck || !rec.AccessExpiry.IsZero() && !now.Before(rec.AccessExpiry)
}

// renew fetches the claims of a session again. However many requests come with it, the
// provider is asked once, and the others wait. It returns nil when the session may go
// on, as it now is or, within its grace, as it was.
func (s *Store) renew(ctx context.Context, e *entry, now time.Time) error {
	e.mu.Lock()
	err, until := e.failed, e.failedUntil
	e.mu.Unlock()
	if err == nil || !now.Before(until) {
		if err != nil && !errors.Is(err, session.ErrNoGrace) {
			// The provider did not answer a moment ago. It is asked again, and nobody
			// who may go on anyway waits long for that.
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, patience)
			defer cancel()
		}
		err = s.renewTogether(ctx, e)
	}
	var u *session.Unavailable
	if errors.As(err, &u) && !errors.Is(err, session.ErrNoGrace) && now.Before(e.known.Load().Checked.Add(s.recheck+s.grace)) {
		return nil
	}
	return err
}

func (s *Store) renewTogether(ctx context.Context, e *entry) error {
	result := s.flights.DoChan(string(e.id[:]), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewTimeout)
		defer cancel()
		return e, s.renewOnce(ctx, e)
	})
	select {
	case <-ctx.Done():
		return cannotCheck(ctx.Err())
	case r := <-result:
		if other := r.Val.(*entry); other != e && r.Err == nil {
			// Another cookie of the same session, a moment older or younger.
			e.known.Store(other.known.Load())
		}
		return r.Err
	}
}

func (s *Store) renewOnce(ctx context.Context, e *entry) (err error) {
	defer func() {
		// No request's goroutine: nobody else would keep a panic from ending the process.
		if p := recover(); p != nil {
			s.log.Error("panic while renewing a session", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = cannotCheck(fmt.Errorf("panic: %v", p))
		}
		e.mu.Lock()
		e.failed, e.failedUntil = err, s.now().Add(retryRenewal)
		e.mu.Unlock()
	}()
	before := e.known.Load()
	old := before.Record
	if !s.due(old, s.now()) {
		return nil // somebody else has been quicker
	}
	given := *old
	fresh, err := s.renewer.Renew(ctx, &given, func(*session.Record) {})
	var rejected *session.Rejected
	switch {
	case errors.As(err, &rejected) && rejected.Reason == session.ReasonSessionEnded:
		s.end(&content{id: e.id, record: old})
		return err
	case err != nil:
		return err
	case fresh == nil:
		return cannotCheck(errors.New("the renewer returned nothing"))
	case fresh.Identity == nil || !session.SamePerson(fresh.Identity, old.Identity):
		return cannotCheck(errors.New("the renewer returned somebody else"))
	}
	kept, marks := s.keep.record(fresh, before.marks)
	kept.Created, kept.Ends, kept.Checked = old.Created, old.Ends, s.now()
	kept.Identity.Until, kept.Identity.Proof = old.Ends, old.Identity.Proof
	e.known.Store(&known{kept, marks})
	s.ended.watchers.Tell(kept.Identity.Proof)
	return nil
}

func cannotCheck(cause error) error {
	return &session.Unavailable{
		Reason: session.ReasonStoreUnavailable, Cause: cause,
		Sentence: "Your session cannot be checked right now. Please try again in a moment.",
	}
}
