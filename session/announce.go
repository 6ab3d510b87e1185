package session

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"
)

// tagAnnounced is what the tags of announcements are hashed for.
const tagAnnounced = "announced"

// announced begins the keys of announcements. No session's key does: those are hashes.
var announced = []byte("announcement of.")

// announceLife is how long an announcement is kept that could not be taken back.
const announceLife = time.Minute

// Announce tells all who share the backend that a provider has ended a login of a person,
// for what they know of that person beside sessions. It is an entry that comes and goes:
// its going is what watchers hear. Who is deaf at the moment does not hear of it later. An
// error is an *Unavailable.
func (s *Store) Announce(ctx context.Context, issuer, subject string) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	key := announcement(s.sealer.Tags(tagAnnounced, tagText(issuer, subject))[0])
	err := s.backend.Create(ctx, key, Entry{Box: []byte{0}, Ends: s.now().Add(announceLife)})
	if err == nil || errors.Is(err, ErrExists) {
		err = s.backend.Delete(ctx, key)
	}
	if err != nil {
		return unavailable("Not everybody could be told right now. Please try again in a moment.", err)
	}
	return nil
}

// Announced returns who an announcement is about, when a key that a watcher has heard is
// one.
func (s *Store) Announced(key Key) (about func(issuer, subject string) bool, ok bool) {
	if !bytes.HasPrefix(key[:], announced) {
		return nil, false
	}
	return func(issuer, subject string) bool {
		// With another secret first, as while secrets are changed, it has another tag.
		return slices.ContainsFunc(s.sealer.Tags(tagAnnounced, tagText(issuer, subject)), func(tag Tag) bool {
			return announcement(tag) == key
		})
	}, true
}

func announcement(about Tag) (key Key) {
	copy(key[copy(key[:], announced):], about[:])
	return key
}
