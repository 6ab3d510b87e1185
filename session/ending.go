package session

import (
	"context"
	"encoding/base32"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Summary is what may be told about a session without its cookie.
type Summary struct {
	// ID names the session to whoever lists it. It is made from the store's key and
	// opens nothing.
	ID string
	// Provider, Issuer and Subject say whose it is.
	Provider, Issuer, Subject string
	// Created, Seen and Ends are those of the Record.
	Created, Seen, Ends time.Time
	// Address and Browser are where the person signed in from and with what; either
	// may be empty.
	Address, Browser string

	sid string // see wireHead
}

// publicID is a session's name for people and forms: 80 bits of a hash, in letters
// that nobody mistakes.
func publicID(key Key) string {
	return strings.ToLower(base32.StdEncoding.EncodeToString(key[:10]))
}

// Current returns the ID of the request's session, by which List tells it from the
// others. The errors are those of Identify.
func (s *Store) Current(r *http.Request) (string, error) {
	session, err := s.Get(r, s.names.Session)
	if err != nil {
		return "", err
	}
	d, _ := session.Values[dataKey{}].(*data)
	switch {
	case d == nil:
		return "", ErrNoCredentials
	case d.record == nil:
		return "", d.absent
	}
	return publicID(d.handle.storeKey()), nil
}

// List returns the sessions of a person that are not over, the one that was used last
// first. The error is an *Unavailable.
func (s *Store) List(ctx context.Context, issuer, subject string) ([]Summary, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	keys, err := s.tagged(ctx, tagPerson, issuer, subject)
	if err != nil {
		return nil, cannotList(err)
	}
	list := make([]Summary, 0, len(keys))
	for _, key := range keys {
		sum, err := s.summary(ctx, key)
		switch {
		case err != nil:
			return nil, cannotList(err)
		case sum == nil, s.verdict(s.now(), sum.Created, sum.Ends, sum.Seen) != nil:
			continue
		}
		list = append(list, *sum)
	}
	slices.SortStableFunc(list, func(a, b Summary) int { return b.Seen.Compare(a.Seen) })
	return list, nil
}

// EndAll ends the sessions of a person, wherever their cookies were copied to, but for
// those with one of the IDs in except. It returns what it has ended. When that is not
// sure for all of them the error is an *Unavailable; to try again is right.
func (s *Store) EndAll(ctx context.Context, issuer, subject string, except ...string) ([]Summary, error) {
	return s.endTagged(ctx, tagPerson, issuer, subject, func(key Key, _ *Summary) bool {
		return !slices.Contains(except, publicID(key))
	})
}

// EndOne ends one of a person's sessions. It ends nothing, and that is no error, when
// the person has none of that ID.
func (s *Store) EndOne(ctx context.Context, issuer, subject, id string) ([]Summary, error) {
	return s.endTagged(ctx, tagPerson, issuer, subject, func(key Key, _ *Summary) bool {
		return publicID(key) == id
	})
}

// EndLogin ends the sessions that come from one login at a provider, by the name that
// the provider has for it (OpenID Connect Back-Channel Logout section 2.1). With a
// subject it also ends those sessions of that person that came without such a name: they
// may be of that login, and a session too many that ends is a sign-in more.
func (s *Store) EndLogin(ctx context.Context, issuer, sid, subject string) ([]Summary, error) {
	ended, err := s.endTagged(ctx, tagLogin, issuer, sid, func(Key, *Summary) bool { return true })
	if subject == "" {
		return ended, err
	}
	nameless, failed := s.endTagged(ctx, tagPerson, issuer, subject, func(_ Key, sum *Summary) bool {
		return sum != nil && sum.sid == ""
	})
	return append(ended, nameless...), errors.Join(err, failed)
}

// tagged returns the keys of sessions that were created with a tag, whichever of the
// secrets it was made with.
func (s *Store) tagged(ctx context.Context, label, issuer, name string) ([]Key, error) {
	var all []Key
	for _, tag := range s.sealer.Tags(label, tagText(issuer, name)) {
		keys, err := s.backend.Find(ctx, tag)
		if err != nil {
			return nil, err
		}
		all = append(all, keys...)
	}
	return all, nil
}

// endTagged ends those of the tagged sessions that which says. One that cannot be ended
// does not keep the others alive.
func (s *Store) endTagged(ctx context.Context, label, issuer, name string, which func(Key, *Summary) bool) ([]Summary, error) {
	// Whoever asked may have gone away: what was begun is brought to its end.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	keys, err := s.tagged(ctx, label, issuer, name)
	if err != nil {
		return nil, cannotEnd(err)
	}
	var ended []Summary
	var failed error
	for _, key := range keys {
		sum, err := s.summary(ctx, key)
		if err == nil && !which(key, sum) {
			continue
		}
		if err == nil {
			err = s.endKey(ctx, key)
		}
		switch {
		case err != nil:
			failed = err
		case sum != nil:
			ended = append(ended, *sum)
		}
	}
	if failed != nil {
		return ended, cannotEnd(failed)
	}
	return ended, nil
}

// summary reads a session's head. It is nil for one that is gone, and has no more than
// an ID for one whose head cannot be read any more.
func (s *Store) summary(ctx context.Context, key Key) (*Summary, error) {
	e, err := s.backend.Load(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	head, err := s.openHead(key, e.Head)
	if err != nil {
		return &Summary{ID: publicID(key)}, nil
	}
	created := fromMillis(head.Created)
	return &Summary{
		ID: publicID(key), Provider: head.Provider, Issuer: head.Issuer, Subject: head.Subject,
		Created: created, Seen: later(fromMillis(head.Seen), s.notes.get(key)),
		Ends: earlier(fromMillis(head.Ends), created.Add(s.lifetime)), Address: head.Address, Browser: head.Browser,
		sid: head.SID,
	}, nil
}

// endKey deletes a session for good and forgets what is known of it here.
func (s *Store) endKey(ctx context.Context, key Key) error {
	err := s.backend.Delete(ctx, key)
	s.cache.drop(key)
	s.notes.forget(key)
	s.renewals.forget(key)
	return err
}

func cannotList(cause error) error {
	return unavailable("Sessions cannot be listed right now. Please try again in a moment.", cause)
}

func cannotEnd(cause error) error {
	return unavailable("Not all of these sessions can be ended for sure right now. Please try again in a moment.", cause)
}
