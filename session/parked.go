package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// labelParked is what parked values are sealed under.
const labelParked = "parked"

// errNotParked says that a ticket is for nothing, or for nothing any more.
var errNotParked = errors.New("nothing is parked under this ticket")

// Park keeps a value for somebody who is away to sign in, and returns the ticket that
// opens it. Like a session it is kept under a hash and sealed with a key that only the
// ticket has. It is gone after life. An error is an *Unavailable.
func (s *Store) Park(ctx context.Context, value []byte, life time.Duration) (ticket string, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	h := newHandle()
	key := h.storeKey()
	ends := s.now().Add(life)
	plain := append([]byte(ends.UTC().Format(time.RFC3339)), value...)
	e := Entry{Box: sealUnder(nil, h.key[:], labelParked, plain, key[:]), Ends: ends}
	if err := s.backend.Create(ctx, key, e); err != nil {
		return "", unavailable("This cannot be kept right now. Please try again in a moment.", err)
	}
	return h.text(), nil
}

// Parked returns what is parked under a ticket. The error is an *Unavailable when that
// cannot be known now, and any other one when there is nothing.
func (s *Store) Parked(ctx context.Context, ticket string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	h, ok := parseHandle(ticket)
	if !ok {
		return nil, errNotParked
	}
	key := h.storeKey()
	e, err := s.backend.Load(ctx, key)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, errNotParked
	case err != nil:
		return nil, unavailable("What was kept cannot be looked up right now. Please try again in a moment.", err)
	}
	plain, err := openUnder(h.key[:], labelParked, e.Box, 0, key[:])
	if err != nil {
		return nil, errNotParked // a session's handle is no ticket
	}
	const stamp = len("2006-01-02T15:04:05Z")
	if len(plain) < stamp {
		return nil, errNotParked
	}
	ends, err := time.Parse(time.RFC3339, string(plain[:stamp]))
	if err != nil || !s.now().Before(ends) {
		return nil, fmt.Errorf("%w: it was kept until %s", errNotParked, ends.Format(time.RFC3339))
	}
	return plain[stamp:], nil
}

// Last says whose session the request's cookie was, also when that is over by its time,
// as long as the backend has it. It proves nothing but that: the caller lets nobody in
// on it. The error is that of Identify.
func (s *Store) Last(r *http.Request) (*Identity, error) {
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	var handles [maxHandles]handle
	n := s.carried(r, &handles)
	outcome := ErrNoCredentials
	for i := range handles[:n] {
		d, err := s.load(ctx, &handles[i])
		if err == nil {
			return d.record.Identity, nil
		}
		outcome = graver(outcome, err)
	}
	return nil, outcome
}
