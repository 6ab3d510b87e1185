package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// The labels that boxes and heads are sealed under. Both are bound to the
// session's key too, so that one cannot be put in the place of another.
const (
	labelBox  = "session record"
	labelHead = "session head"
)

// Identify says who the request's session cookie belongs to. Of several cookies of
// the name, as a sibling domain may toss them here, the first good one counts; good
// ones of two people count as none, since nobody can tell whose browser it is.
//
// The errors are the three outcomes: ErrNoCredentials for no cookie, or one that
// was altered, cut short or never ours; *Rejected with session-expired or
// session-ended for a session that is over; *Unavailable with store-unavailable.
//
// A session that was used lately is answered from memory: no decryption, no
// backend, no allocation.
func (s *Store) Identify(r *http.Request) (*Identity, error) { return s.whose(r, true) }

// whose is Identify; use says whether the session is used by it.
func (s *Store) whose(r *http.Request, use bool) (*Identity, error) {
	var handles [maxHandles]handle
	n := s.carried(r, &handles)
	outcome := ErrNoCredentials
	now := s.now()
	var found *Identity
	for i := range handles[:n] {
		id, err := s.identify(r.Context(), &handles[i], now, use)
		switch {
		case err != nil:
			outcome = graver(outcome, err)
		case found == nil:
			found = id
		case !found.samePerson(id):
			return nil, ErrNoCredentials
		}
	}
	if found == nil {
		return nil, outcome
	}
	return found, nil
}

func (s *Store) identify(ctx context.Context, h *handle, now time.Time, use bool) (*Identity, error) {
	key := h.storeKey()
	if l := s.cache.get(key); l != nil && s.fresh() {
		if !h.sameKey(&l.key) {
			return nil, ErrNoCredentials
		}
		if s.verdict(now, l.created, l.ends, time.UnixMilli(l.seen.Load())) == nil && !s.renewals.due(now, l.checked) {
			if use {
				s.use(key, l, now)
			}
			return l.identity, nil
		}
		// The backend may know of a later use, at another replica.
		s.cache.drop(key)
	}
	return s.identifyAnew(ctx, *h, now, use)
}

// fresh says whether a session in memory is one still, for all that is known here.
// Otherwise each request asks the backend.
func (s *Store) fresh() bool { return s.fresher == nil || s.fresher.Fresh() }

// identifyAnew answers from the backend and remembers what it has opened. It takes
// a copy of the handle, so that a request answered from memory leaves none.
func (s *Store) identifyAnew(ctx context.Context, h handle, now time.Time, use bool) (*Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	key := h.storeKey()
	epoch, d, err := s.current(ctx, &h, now)
	if err != nil {
		return nil, err
	}
	rec := d.record
	l := &live{key: h.key, identity: rec.Identity, created: rec.Created, ends: rec.Ends, checked: rec.Checked, cost: d.cost}
	l.seen.Store(rec.Seen.UnixMilli())
	l.noted.Store(d.written.UnixMilli())
	if s.fresh() {
		l = s.cache.put(key, l, epoch)
	}
	if use {
		s.use(key, l, now)
	}
	return l.identity, nil
}

// current returns a session that is not over, brought up to date if that was due, and
// the cache's epoch from before it was read.
func (s *Store) current(ctx context.Context, h *handle, now time.Time) (epoch uint64, d *data, err error) {
	for renewed := false; ; renewed = true {
		epoch = s.cache.now()
		if d, err = s.load(ctx, h); err != nil {
			return 0, nil, err
		}
		rec := d.record
		if err = s.verdict(now, rec.Created, rec.Ends, rec.Seen); err != nil {
			return 0, nil, err
		}
		if renewed || !s.renewals.due(now, rec.Checked) {
			return epoch, d, nil
		}
		if err = s.renew(ctx, h, d, now); err != nil {
			return 0, nil, err
		}
	}
}

// use notes that the session was used now, and leaves it to be written down when
// that was not done for a while.
func (s *Store) use(key Key, l *live, now time.Time) {
	ms := now.UnixMilli()
	l.use(ms)
	noted := l.noted.Load()
	if ms-noted >= s.touchEvery().Milliseconds() && l.noted.CompareAndSwap(noted, ms) {
		s.notes.add(key, ms)
	}
}

// find returns the session of Identify.
func (s *Store) find(r *http.Request) (*data, error) {
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	var handles [maxHandles]handle
	n := s.carried(r, &handles)
	outcome := ErrNoCredentials
	var found *data
	for i := range handles[:n] {
		d, err := s.load(ctx, &handles[i])
		if err == nil {
			err = s.verdict(s.now(), d.record.Created, d.record.Ends, d.record.Seen)
		}
		switch {
		case err != nil:
			outcome = graver(outcome, err)
		case found == nil:
			found = d
		case !found.record.Identity.samePerson(d.record.Identity):
			return nil, ErrNoCredentials
		}
	}
	if found == nil {
		return nil, outcome
	}
	return found, nil
}

// load reads a session from the backend and opens it with the key in the handle.
// It does not judge whether the session is over.
func (s *Store) load(ctx context.Context, h *handle) (*data, error) {
	key := h.storeKey()
	e, err := s.backend.Load(ctx, key)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, endedError()
	case err != nil:
		return nil, unavailable("Sessions cannot be looked up right now. Please try again in a moment.", err)
	}
	plain, err := openUnder(h.key[:], labelBox, e.Box, 0, key[:])
	if err != nil {
		return nil, ErrNoCredentials // the right id with the wrong key: nobody's cookie
	}
	rec, err := decodeRecord(plain)
	var head wireHead
	if err == nil {
		head, err = s.openHead(key, e.Head)
	}
	if err != nil {
		s.log.WarnContext(ctx, "session cannot be used any more", "session", key, "error", err)
		return nil, endedError()
	}
	rec.Checked = later(rec.Created, rec.Checked) // a record of before there were checks
	written := fromMillis(head.Seen)
	rec.Seen = later(written, s.notes.get(key))
	rec.Ends = earlier(rec.Ends, rec.Created.Add(s.lifetime)) // the lifetime may be shorter by now
	rec.Address, rec.Browser = head.Address, head.Browser
	rec.Identity.Until, rec.Identity.Proof = rec.Ends, key
	if kept := s.renewals.kept(key); kept != nil && !kept.Checked.Before(rec.Checked) {
		// What the backend could not keep.
		renewed := *kept
		renewed.Seen, renewed.Ends = rec.Seen, rec.Ends
		rec = &renewed
	}
	claims := len(plain) - len(rec.AccessToken) - len(rec.RefreshToken) - len(rec.IDToken)
	return &data{record: rec, handle: *h, revision: e.Revision, written: written, cost: liveCost + claimsCost*claims}, nil
}

func (s *Store) openHead(key Key, sealed []byte) (wireHead, error) {
	plain, err := s.sealer.Open(labelHead, sealed, key[:])
	if err != nil {
		return wireHead{}, fmt.Errorf("session head: %w", err)
	}
	return decodeHead(plain)
}

func (s *Store) sealHead(key Key, h wireHead) ([]byte, error) {
	plain, err := compactJSON(h)
	if err != nil {
		return nil, fmt.Errorf("session head: %w", err)
	}
	return s.sealer.Seal(labelHead, plain, key[:]), nil
}

// entry seals a record for the backend under the key in its handle.
func (s *Store) entry(h *handle, rec *Record) (Entry, error) {
	plain, err := encodeRecord(rec)
	if err != nil {
		return Entry{}, err
	}
	key := h.storeKey()
	head := rec.head()
	sealedHead, err := s.sealHead(key, head)
	if err != nil {
		return Entry{}, err
	}
	return Entry{
		Head: sealedHead,
		Box:  sealUnder(nil, h.key[:], labelBox, plain, key[:]),
		Ends: s.sweepAfter(head),
	}, nil
}

// graver returns the outcome that says more about a request with several
// cookies: that it cannot be known, that a session is over, that there is none.
func graver(a, b error) error {
	weight := func(err error) int {
		switch e := err.(type) {
		case *Unavailable:
			return 3
		case *Rejected:
			if e.Reason == ReasonSessionExpired {
				return 2
			}
			return 1
		}
		return 0
	}
	if weight(b) > weight(a) {
		return b
	}
	return a
}

func endedError() error { return Ended() }

func unavailable(sentence string, cause error) error {
	return &Unavailable{Reason: ReasonStoreUnavailable, Sentence: sentence, Cause: cause}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
