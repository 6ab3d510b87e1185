package session

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"
)

// Once returns nil the first time that it is called for a name, and ErrExists each later
// time, here and wherever the backend is shared, until then. When that cannot be known
// the error is an *Unavailable.
func (s *Store) Once(ctx context.Context, name string, until time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	err := s.backend.Create(ctx, onceKey(name), Entry{Box: []byte{0}, Ends: until})
	switch {
	case errors.Is(err, ErrExists):
		return ErrExists
	case err != nil:
		return unavailable("You cannot be signed in right now, because sessions cannot be kept. Please try again in a moment.", err)
	}
	return nil
}

// Used reports whether Once was called for a name, here or wherever the backend is shared.
// It may say so for longer than until then. When it cannot be known the error is an
// *Unavailable.
func (s *Store) Used(ctx context.Context, name string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	_, err := s.backend.Load(ctx, onceKey(name))
	switch {
	case errors.Is(err, ErrNotFound):
		return false, nil
	case err != nil:
		return false, unavailable("This cannot be looked up right now. Please try again in a moment.", err)
	}
	return true, nil
}

// onceKey is what the backend knows a name by. Nobody can make an id in a cookie that has
// this hash, and what is kept under it opens with no key.
func onceKey(name string) Key { return sha256.Sum256([]byte("once: " + name)) }
