package devprovider

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"sync"
	"time"
)

// Bounds on what a provider remembers; beyond them the oldest is forgotten.
const (
	maxCodes  = 1000
	maxTokens = 10000
)

// grant is what a person, or a client for itself, has been granted.
type grant struct {
	client   string
	person   string // empty: the client itself
	scopes   []string
	authTime time.Time
	sid      string // of the browser's session at the provider; empty: there is none
}

func (g grant) has(scope string) bool {
	for _, s := range g.scopes {
		if s == scope {
			return true
		}
	}
	return false
}

func (g grant) scope() string { return strings.Join(g.scopes, " ") }

// code is an authorization code (RFC 6749 section 4.1.2).
type code struct {
	grant
	redirectURI string
	challenge   string // PKCE S256; empty: none was sent
	nonce       string
	expires     time.Time
}

// row is an access token together with its refresh token: Doorkeeper keeps both
// in one database row, which is why they end together.
type row struct {
	grant
	access, refresh string
	created         time.Time
	expires         time.Time // of the access token; zero: never
	before          *row      // ends when this one is used
}

// live reports whether the access token is good at that time.
func (t *row) live(now time.Time) bool { return t.expires.IsZero() || now.Before(t.expires) }

// grants remembers codes and tokens. What is not there has been used, revoked or
// never existed: nobody is told which.
type grants struct {
	mu        sync.Mutex
	codes     map[string]code
	codeOrder []string
	access    map[string]*row
	refresh   map[string]*row
	rowOrder  []*row
}

func newGrants() *grants {
	return &grants{codes: make(map[string]code), access: make(map[string]*row), refresh: make(map[string]*row)}
}

func (g *grants) addCode(c code) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	value := random()
	g.codes[value] = c
	g.codeOrder = append(g.codeOrder, value)
	if len(g.codeOrder) > maxCodes {
		delete(g.codes, g.codeOrder[0])
		g.codeOrder = g.codeOrder[1:]
	}
	return value
}

// takeCode hands out a code once. A code that was sent by the wrong client is
// gone as well.
func (g *grants) takeCode(value string) (code, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c, ok := g.codes[value]
	delete(g.codes, value)
	return c, ok
}

func (g *grants) addRow(t *row) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.add(t)
}

func (g *grants) add(t *row) {
	g.access[t.access] = t
	if t.refresh != "" {
		g.refresh[t.refresh] = t
	}
	g.rowOrder = append(g.rowOrder, t)
	if len(g.rowOrder) > maxTokens {
		g.remove(g.rowOrder[0])
		g.rowOrder = g.rowOrder[1:]
	}
}

func (g *grants) remove(t *row) {
	delete(g.access, t.access)
	if t.refresh != "" {
		delete(g.refresh, t.refresh)
	}
}

// replace puts next in the place of the row of a refresh token, unless somebody
// else has done so first. onUse leaves that row there until next is used.
func (g *grants) replace(refresh string, next *row, onUse bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	old, ok := g.refresh[refresh]
	if !ok {
		return false
	}
	if onUse {
		next.before = old
	} else {
		g.remove(old)
	}
	g.add(next)
	return true
}

// use ends the row that was before this one.
func (g *grants) use(t *row) {
	if t.before != nil {
		g.remove(t.before)
		t.before = nil
	}
}

// byAccess returns the row of an access token that is good now. Rows are copies:
// ExpireAll changes the originals.
func (g *grants) byAccess(token string, now time.Time) (row, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t, ok := g.access[token]
	if !ok || !t.live(now) {
		return row{}, false
	}
	g.use(t)
	return *t, true
}

// byRefresh returns the row of a refresh token, which lives until it is used or
// revoked.
func (g *grants) byRefresh(token string) (row, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t, ok := g.refresh[token]
	if !ok {
		return row{}, false
	}
	g.use(t)
	return *t, true
}

// revoke removes the rows that match and returns their number.
func (g *grants) revoke(match func(*row) bool) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	kept := g.rowOrder[:0]
	for _, t := range g.rowOrder {
		_, there := g.access[t.access]
		switch {
		case !there:
		case match(t):
			g.remove(t)
			n++
		default:
			kept = append(kept, t)
		}
	}
	clear(g.rowOrder[len(kept):])
	g.rowOrder = kept
	return n
}

// expire ends the life of all access tokens at the given time.
func (g *grants) expire(at time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range g.access {
		t.expires = at
	}
}

// random returns 64 hexadecimal digits, the form of all of GitLab's tokens.
func random() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
