package session

import (
	"context"
	"net/http"
)

// Pass returns what another host needs to give the request's session a cookie there.
// Whoever has it has the session, so it travels sealed for one browser or not at all. A
// session that Start has begun for this very request counts. The errors are those of
// Identify.
func (s *Store) Pass(r *http.Request) ([]byte, error) {
	session, err := s.Get(r, s.names.Session)
	if err != nil {
		return nil, err
	}
	d, _ := session.Values[dataKey{}].(*data)
	switch {
	case d == nil:
		return nil, ErrNoCredentials
	case d.record == nil:
		return nil, d.absent
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	// Whoever could not be let in there would be sent back here, for ever.
	if _, _, err := s.current(ctx, &d.handle, s.now()); err != nil {
		return nil, err
	}
	return []byte(d.handle.text()), nil
}

// Adopt sets the cookie of the session that pass is of, for the request's host and good
// on no other, in the place of whatever session the request carried: that one is ended, as by Start. The
// errors are those of Identify; with one no cookie is set.
func (s *Store) Adopt(w http.ResponseWriter, r *http.Request, pass []byte) error {
	h, ok := parseHandle(string(pass))
	if !ok {
		return ErrNoCredentials
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	now := s.now()
	_, d, err := s.current(ctx, &h, now)
	if err != nil {
		return err
	}
	var handles [maxHandles]handle
	for i := range handles[:s.carried(r, &handles)] {
		if handles[i] == h {
			continue // a second tab, or the same link again
		}
		if err := s.endOne(ctx, &handles[i]); err != nil {
			return err
		}
	}
	value := h.text()
	if _, domain := s.names.On(r.Host); domain == "" {
		value = s.bind(h, hostName(r.Host))
	}
	SetCookie(w.Header(), s.cookie(r, value, wholeSeconds(d.record.Ends.Sub(now))))
	return nil
}
