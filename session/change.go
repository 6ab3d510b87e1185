package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// create keeps a new session under a handle that nobody has seen before, and then
// ends those that the request carried. If that last cannot be done, there is no
// new session either: a login must not leave an old session behind.
func (s *Store) create(ctx context.Context, r *http.Request, d *data) error {
	rec, now := d.record, s.now()
	if rec.Created.IsZero() {
		rec.Created = now
	}
	rec.Seen, rec.Checked = now, now
	rec.Ends = earlier(rec.Ends, rec.Created.Add(s.lifetime))
	if !rec.Ends.After(now) {
		return fmt.Errorf("session store: the session would have ended at %s already", rec.Ends.Format(time.RFC3339))
	}
	h := newHandle()
	e, err := s.entry(&h, rec)
	if err != nil {
		return err
	}
	e.Tags = s.tagsOf(rec.Identity)
	if err := s.backend.Create(ctx, h.storeKey(), e); err != nil {
		return unavailable("You cannot be signed in right now, because sessions cannot be kept. Please try again in a moment.", err)
	}
	if err := s.endCarried(ctx, r, d.before); err != nil {
		if undo := s.backend.Delete(context.WithoutCancel(ctx), h.storeKey()); undo != nil {
			s.log.WarnContext(ctx, "a session that nobody has the cookie of stays until it expires", "session", h.storeKey(), "error", undo)
		}
		return err
	}
	d.handle, d.revision, d.written = h, 1, now
	return nil
}

// replace writes a changed record in its place. The session keeps its cookie and
// its absolute end.
func (s *Store) replace(ctx context.Context, d *data) error {
	rec := d.record
	rec.Seen = s.now()
	rec.Ends = earlier(rec.Ends, rec.Created.Add(s.lifetime))
	e, err := s.entry(&d.handle, rec)
	if err != nil {
		return err
	}
	e.Revision = d.revision
	err = s.backend.Replace(ctx, d.handle.storeKey(), e)
	switch {
	case errors.Is(err, ErrNotFound):
		return endedError()
	case errors.Is(err, ErrConflict):
		return fmt.Errorf("session store: %w", err)
	case err != nil:
		return unavailable("Your session cannot be kept up to date right now. Please try again in a moment.", err)
	}
	d.revision++
	d.written = rec.Seen
	return nil
}

// endCarried ends the sessions of all cookies that the request carries, and its
// own one, which may have been started while the request was being answered.
func (s *Store) endCarried(ctx context.Context, r *http.Request, own handle) error {
	var handles [maxHandles]handle
	n := s.carried(r, &handles)
	ending := handles[:n]
	if own != (handle{}) && !contains(ending, &own) {
		ending = append(ending, own)
	}
	var failed error
	for i := range ending {
		if err := s.endOne(ctx, &ending[i]); err != nil {
			failed = err
		}
	}
	return failed
}

// endOne deletes the session if the handle's key opens it: who knows only an id,
// which is in no cookie alone, ends nothing. What is not found is deleted again,
// because an earlier attempt may have got half way.
func (s *Store) endOne(ctx context.Context, h *handle) error {
	key := h.storeKey()
	e, err := s.backend.Load(ctx, key)
	if err == nil {
		if _, wrong := openUnder(h.key[:], labelBox, e.Box, 0, key[:]); wrong != nil {
			return nil
		}
	}
	if err == nil || errors.Is(err, ErrNotFound) {
		err = s.endKey(ctx, key)
	} else {
		s.cache.drop(key)
	}
	if err != nil {
		return unavailable("Your session cannot be ended for sure right now. Please try again in a moment.", err)
	}
	return nil
}

func wholeSeconds(d time.Duration) int {
	return int((d + time.Second - 1) / time.Second)
}
