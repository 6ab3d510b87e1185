package bearer

import (
	"crypto/sha256"
	"io"
	"sync/atomic"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

const (
	// refusalAge is how long a refusal is remembered, so that a program that
	// repeats a bad token does not have the provider asked each time.
	refusalAge = 10 * time.Second
	// cacheBytes bounds the memory that remembered tokens take, by estimate.
	cacheBytes = 64 << 20
)

// key is a hash of the provider and the token. The token itself is not kept.
type key [sha256.Size]byte

// use is what a token was shown as. The same text is not the same thing as an access
// token and as an ID token beside one.
type use byte

const (
	asAccessToken use = iota
	asIDToken
)

// keyOf hashes what a token was shown as, the id of the provider that was chosen for it,
// empty when the token itself says which, and the token. An id has no NUL, so the parts
// cannot shift.
func keyOf(as use, providerID, token string) key {
	// One piece where that fits the stack: this is on every request's way.
	var small [2 << 10]byte
	small[0] = byte(as)
	if 2+len(providerID)+len(token) <= len(small) {
		n := 1 + copy(small[1:], providerID)
		n++ // the NUL
		n += copy(small[n:], token)
		return sha256.Sum256(small[:n])
	}
	h := sha256.New()
	h.Write([]byte{byte(as)})
	io.WriteString(h, providerID)
	h.Write([]byte{0})
	for piece := make([]byte, 4<<10); token != ""; {
		n := copy(piece, token)
		h.Write(piece[:n])
		token = token[n:]
	}
	var k key
	h.Sum(k[:0])
	return k
}

// entry is what is known about one token: an identity, a refusal or, of an ID token
// beside an access token, whom it names.
type entry struct {
	identity *session.Identity
	refused  *session.Rejected
	// names is the subject of an ID token.
	names string
	// audience is the aud of a token that is good only for a resource published
	// here; nil when the token is good whatever the request.
	audience []string
	// expires is the token's own end; zero when it has none.
	expires time.Time
	// until is when the entry must be asked for again; set by put.
	until time.Time
	// found counts that the entry was found.
	found func()
}

// weight estimates the bytes that an entry takes, the index included that policies make of
// its claims. Measured are 3.7 KiB for a token with a dozen claims, and for each group 80
// bytes where others are in it as well, and 130 otherwise.
func (e *entry) weight() int {
	n := 512
	if e.identity != nil {
		n += 512 + weigh(map[string]any(e.identity.Claims))
	}
	return n
}

func weigh(v any) int {
	n := 48
	switch v := v.(type) {
	case string:
		n += len(v)
	case []any:
		for _, e := range v {
			n += 40 + weigh(e)
		}
	case map[string]any:
		for k, e := range v {
			n += len(k) + 100 + weigh(e)
		}
	}
	return n
}

// cache remembers entries. Its table bounds the memory; that nothing is believed for too
// long depends on the injected clock alone.
type cache struct {
	now     func() time.Time
	entries *table
	// epoch counts what was forgotten. What a lookup found that began before may be
	// just that, and is not kept.
	epoch atomic.Uint64
}

func newCache(now func() time.Time) *cache {
	return &cache{now: now, entries: newTable(now, cacheBytes)}
}

func (c *cache) get(k key) (*entry, bool) { return c.entries.get(k) }

// put keeps an entry until the earlier of the token's expiry and maxAge after it
// was asked for. Of a token without expiry maxAge alone decides. epoch is the cache's
// from before it was asked for.
func (c *cache) put(k key, e *entry, epoch uint64, asked time.Time, maxAge time.Duration) {
	if e.refused != nil {
		maxAge = min(maxAge, refusalAge)
	}
	e.until = asked.Add(maxAge)
	if !e.expires.IsZero() && e.expires.Before(e.until) {
		e.until = e.expires
	}
	if !e.until.After(c.now()) || c.epoch.Load() != epoch {
		return
	}
	c.entries.put(k, e)
	if c.epoch.Load() != epoch { // somebody has just been through the entries
		c.entries.drop(k)
	}
}

// forget drops the entries of those whom about says yes to and returns their keys. It
// goes through all of them, which is for what happens now and then.
func (c *cache) forget(about func(issuer, subject string) bool) (forgotten []key) {
	c.epoch.Add(1)
	return c.entries.dropThose(func(e *entry) bool { return e.identity != nil && about(e.identity.Issuer, e.identity.Subject) })
}
