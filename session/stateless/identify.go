package stateless

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// Identify says who the request's session cookies belong to. Of several that could be
// first, as a sibling domain may toss them here, the first good one counts; good ones of
// two people count as none, since nobody can tell whose browser it is.
//
// The errors are the three outcomes: ErrNoCredentials for no cookie, or one that was
// altered, cut short or never ours; *Rejected with session-expired or session-ended for
// a session that is over; *Unavailable when the provider must be asked and cannot.
//
// A session that was used lately is answered from memory, without an allocation.
func (s *Store) Identify(r *http.Request) (*session.Identity, error) { return s.whose(r, true) }

// Look is Identify for a request that was let in before and is under way still. It is no
// use of the session.
func (s *Store) Look(r *http.Request) (*session.Identity, error) { return s.whose(r, false) }

// Watch has changed called whenever a session was ended here, or its claims were fetched
// again, with the Proof of its identity. changed returns quickly and does not call the
// store. stop ends it.
func (s *Store) Watch(changed func(session.Key)) (stop func()) { return s.ended.watchers.Add(changed) }

func (s *Store) whose(r *http.Request, use bool) (*session.Identity, error) {
	e, err := s.find(r, use)
	if err != nil {
		return nil, err
	}
	return e.known.Load().Identity, nil
}

// find returns the session of Identify; use says whether it is used by that.
func (s *Store) find(r *http.Request, use bool) (*entry, error) {
	var from carried
	from.read(r.Header["Cookie"], s.placeOf(r), s.sealer)
	outcome := session.ErrNoCredentials
	now := s.now()
	var found *entry
	for _, first := range from.firsts() {
		e, err := s.opened(r.Context(), first, &from)
		if err == nil {
			err = s.judge(e, now)
		}
		if err == nil && s.due(e.known.Load().Record, now) {
			err = s.renew(r.Context(), e, now)
		}
		switch {
		case err != nil:
			outcome = session.Graver(outcome, err)
		case found == nil:
			found = e
		case !session.SamePerson(found.known.Load().Identity, e.known.Load().Identity):
			return nil, session.ErrNoCredentials
		}
	}
	if found == nil {
		return nil, outcome
	}
	if use {
		found.use(now)
	}
	return found, nil
}

// opened returns the session that begins with a chunk, from memory or from the cookies.
// It does not judge whether it is over.
func (s *Store) opened(ctx context.Context, first string, from *carried) (*entry, error) {
	if e := s.cache.get(from.name, first); e != nil {
		if !e.whole(from) {
			return nil, session.ErrNoCredentials
		}
		return e, nil
	}
	c, values, err := open(s.sealer, first, from)
	switch {
	case errors.Is(err, session.ErrNotOpened):
		return nil, session.ErrNoCredentials
	case err != nil: // it was sealed here, by another version
		s.log.WarnContext(ctx, "a session in a cookie cannot be used any more", "error", err)
		return nil, session.Ended()
	}
	if ends := c.record.Created.Add(s.lifetime); ends.Before(c.record.Ends) {
		c.record.Ends = ends // the lifetime may be shorter by now
	}
	c.record.Identity.Until, c.record.Identity.Proof = c.record.Ends, c.key()
	_, sealedFirst := s.sealer.Knows(first)
	e := newEntry(c, from.name, values, !sealedFirst)
	e.lacking = !c.marks.know(s.needs)
	return s.cache.put(e), nil
}

// judge says whether a session is over.
func (s *Store) judge(e *entry, now time.Time) error {
	if s.ended.has(e.id) {
		return session.Ended()
	}
	rec := e.known.Load()
	if err := session.Over(now, rec.Ends, time.UnixMilli(e.seen.Load()), s.idle); err != nil || !e.lacking {
		return err
	}
	return knowsTooLittle(rec.Identity)
}

// remember puts a session that was just sealed into memory.
func (s *Store) remember(name string, values []string, c *content) {
	s.cache.put(newEntry(c, name, values, false))
}
