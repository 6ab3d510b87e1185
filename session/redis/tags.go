package redis

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/claimproxy/claimproxy/session"
)

// A tag is a set of the keys of its sessions. The set follows the sessions: a member
// whose session is gone is dropped when somebody looks. Nothing relies on the set
// alone, since a Cluster keeps it on another node than the sessions.

func (b *Backend) tagKey(tag session.Tag) string {
	return b.prefix + "tag:" + session.Key(tag).String()
}

// tagText and tagsIn are the tags of a session as they stand in it.

func tagText(tags []session.Tag) string {
	text := make([]byte, 0, len(tags)*len(session.Tag{}))
	for _, tag := range tags {
		text = append(text, tag[:]...)
	}
	return string(text)
}

func tagsIn(text string) []session.Tag {
	var tags []session.Tag
	for ; len(text) >= len(session.Tag{}); text = text[len(session.Tag{}):] {
		tags = append(tags, session.Tag([]byte(text[:len(session.Tag{})])))
	}
	return tags
}

// crowd is how many members a set has when it is looked through for such that are gone,
// and then at each doubling: somebody who signs in daily and never out leaves many.
const crowd = 64

// setSlack is how much longer than its sessions a set lives, so that one that could not
// be told of a longer life has them still.
const setSlack = 24 * time.Hour

// addTo has the tags' sets contain the session for as long as it may live.
func (b *Backend) addTo(ctx context.Context, tags []session.Tag, key session.Key, ends time.Time) error {
	for _, t := range tags {
		result, err := b.run(ctx, tagScript, b.tagKey(t), key[:], lifeOf(ends)+setSlack.Milliseconds())
		if err != nil {
			return err
		}
		if n, _ := result.(int64); n >= crowd && n&(n-1) == 0 {
			if _, err := b.Find(ctx, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// lengthen lets the sets live as long as a session that lives longer now.
func (b *Backend) lengthen(ctx context.Context, tags any, key session.Key, ends time.Time) error {
	text, _ := tags.(string)
	return b.addTo(ctx, tagsIn(text), key, ends)
}

// takeFrom removes a session that is gone from its tags' sets. Find does it otherwise.
func (b *Backend) takeFrom(ctx context.Context, tags any, key session.Key) {
	text, _ := tags.(string)
	for _, tag := range tagsIn(text) {
		_ = b.ask(ctx, func() error { return b.client.SRem(ctx, b.tagKey(tag), key[:]).Err() })
	}
}

// findAtOnce bounds how many sessions are asked about in one round trip.
const findAtOnce = 500

// Find implements session.Backend.
func (b *Backend) Find(ctx context.Context, tag session.Tag) ([]session.Key, error) {
	var members []string
	err := b.ask(ctx, func() (err error) {
		members, err = b.client.SMembers(ctx, b.tagKey(tag)).Result()
		return err
	})
	if err != nil {
		return nil, err
	}
	var found []session.Key
	var gone []any
	for len(members) > 0 {
		some := members[:min(len(members), findAtOnce)]
		members = members[len(some):]
		has, err := b.haveTag(ctx, tag, some)
		if err != nil {
			return nil, err
		}
		for i, m := range some {
			if has[i] {
				found = append(found, session.Key([]byte(m)))
			} else {
				gone = append(gone, m)
			}
		}
	}
	if len(gone) > 0 { // when this fails the next one does it
		_ = b.ask(ctx, func() error { return b.client.SRem(ctx, b.tagKey(tag), gone...).Err() })
	}
	return found, nil
}

// haveTag says which members are sessions that were created with the tag.
func (b *Backend) haveTag(ctx context.Context, tag session.Tag, members []string) ([]bool, error) {
	has := make([]bool, len(members))
	err := b.ask(ctx, func() error {
		answers := make([]*redis.StringCmd, len(members))
		_, err := b.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, m := range members {
				if len(m) == len(session.Key{}) {
					answers[i] = p.HGet(ctx, b.sessionKey(session.Key([]byte(m))), "t")
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		for i, a := range answers {
			if a == nil {
				continue
			}
			text, err := a.Result()
			if err != nil && !errors.Is(err, redis.Nil) {
				return err
			}
			for _, t := range tagsIn(text) {
				has[i] = has[i] || t == tag
			}
		}
		return nil
	})
	return has, err
}
