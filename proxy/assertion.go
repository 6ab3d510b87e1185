package proxy

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// Asserter signs what is known about a caller, for the application that is seen at an
// origin. What it returns may be used until then. *assertion.Signer is one.
type Asserter interface {
	Assert(id *session.Identity, audience string) (assertion string, until time.Time, err error)
}

// assertionHeader carries it.
const assertionHeader = "X-Claimproxy-Assertion"

// assertions are those that were made for one caller and may be used again: a signature
// costs more than all the rest that is done for a request.
type assertions struct {
	mu   sync.Mutex
	made map[assertionKey]madeAssertion
}

// assertionKey tells apart by whom it was made as well: an identity outlives a
// configuration.
type assertionKey struct {
	by       Asserter
	audience string
}

type madeAssertion struct {
	value []string
	until time.Time
}

// maxAssertions bounds how many are kept for a caller: hosts can be made up where a
// route is for all of a domain.
const maxAssertions = 16

// of returns the assertion for an audience, made anew where that is due.
func (a *assertions) of(by Asserter, id *session.Identity, audience string, now time.Time) ([]string, error) {
	key := assertionKey{by, audience}
	a.mu.Lock()
	defer a.mu.Unlock()
	if m, ok := a.made[key]; ok && now.Before(m.until) {
		return m.value, nil
	}
	text, until, err := by.Assert(id, audience)
	if err != nil {
		return nil, err
	}
	if a.made == nil || len(a.made) >= maxAssertions {
		a.made = make(map[assertionKey]madeAssertion, 1)
	}
	m := madeAssertion{[]string{text}, until}
	a.made[key] = m
	return m.value, nil
}

// setAssertion sets the assertion of a route that has one.
func (p *Proxy) setAssertion(h http.Header, e *Entry, t *Target, v *Verdict) {
	id := v.Identity
	if !e.Assertion || p.asserter == nil || id == nil {
		return
	}
	value, err := knownOf(id).assertions.of(p.asserter, id, p.scheme+"://"+t.Host+p.port, p.now())
	if err != nil {
		p.log.LogAttrs(context.Background(), slog.LevelError, "an assertion cannot be signed", slog.Any("error", err))
		return
	}
	h[assertionHeader] = value
}
