package certificates

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// Shared is a Store among the sessions that several claimproxies share. What it keeps is
// sealed: who reads the backend has no key of a certificate.
type Shared struct {
	Backend session.Backend
	Sealer  *session.Sealer
}

// sealedFor is what entries are sealed, and their keys hashed, for.
const sealedFor = "certificates"

// putAttempts is how often Put tries against others who put something of the same name.
const putAttempts = 5

// keys are where a thing may be: by the first of the secrets, or by one before it.
func (s *Shared) keys(name string) []session.Key {
	var all []session.Key
	for _, tag := range s.Sealer.Tags(sealedFor, name) {
		all = append(all, session.Key(tag))
	}
	return all
}

// Get implements Store. What an older secret has sealed is sealed anew, so that it stays
// when that secret goes.
func (s *Shared) Get(ctx context.Context, name string) ([]byte, error) {
	for i, key := range s.keys(name) {
		entry, err := s.Backend.Load(ctx, key)
		if errors.Is(err, session.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		data, err := s.Sealer.Open(sealedFor, entry.Box, []byte(name))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if i > 0 {
			return data, s.Put(ctx, name, data, time.Until(entry.Ends))
		}
		return data, nil
	}
	return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

// Put implements Store.
func (s *Shared) Put(ctx context.Context, name string, data []byte, life time.Duration) error {
	key := s.keys(name)[0]
	entry := session.Entry{Box: s.Sealer.Seal(sealedFor, data, []byte(name)), Ends: time.Now().Add(life)}
	var err error
	for range putAttempts {
		var there session.Entry
		switch there, err = s.Backend.Load(ctx, key); {
		case errors.Is(err, session.ErrNotFound):
			err = s.Backend.Create(ctx, key, entry)
		case err == nil:
			entry.Revision = there.Revision
			err = s.Backend.Replace(ctx, key, entry)
		}
		if !errors.Is(err, session.ErrExists) && !errors.Is(err, session.ErrConflict) && !errors.Is(err, session.ErrNotFound) {
			break
		}
	}
	return err
}

// Remove implements Store.
func (s *Shared) Remove(ctx context.Context, name string) error {
	for _, key := range s.keys(name) {
		if err := s.Backend.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// Alone implements Store.
func (s *Shared) Alone(ctx context.Context, name string, do func(context.Context) error) error {
	return s.Backend.Exclusive(ctx, s.keys(name)[0], do)
}
