package stateless

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gorilla/sessions"
	"golang.org/x/sync/singleflight"

	"github.com/claimproxy/claimproxy/session"
)

// Options says how a Store works. Sealer, CookieName, Idle and Lifetime are obligatory.
type Options struct {
	// Sealer seals the sessions. Its secrets are all that replicas share.
	Sealer *session.Sealer
	// CookieName is the configured name, without prefix.
	CookieName string
	// CookieDomain is the domain whose hosts have one session cookie together. Empty, or
	// outside of it, each host has its own.
	CookieDomain string
	// Secure is false for plain http on loopback and nowhere else: then the cookies go
	// without the __Host- prefix and the Secure attribute.
	Secure bool
	// SameSite of the cookies; zero means Lax.
	SameSite http.SameSite
	// Idle ends a session that was not used for so long. The cookie is set again when
	// its session was used for an eighth of that, by people who open pages; to a process
	// that does not remember the session it may seem idle for that much longer.
	Idle time.Duration
	// Lifetime ends a session so long after its login, however much it is used.
	Lifetime time.Duration
	// Renewer fetches claims again; nil leaves them as they were at login, keeps no
	// access token, and ends no session when that ends.
	Renewer session.Renewer
	// Recheck is how old claims may become before the next request has them fetched
	// again, while the access token lives.
	Recheck time.Duration
	// Grace is how long beyond that a session stays good while the provider does not
	// answer.
	Grace time.Duration
	// Keep says which claims are kept.
	Keep Keep
	// Ended remembers which sessions were ended; nil makes one. Who replaces a store by
	// another hands it on.
	Ended *Ended
	// CacheBytes bounds the estimated memory that opened sessions may take; zero means
	// 64 MiB. A session that does not fit is opened again by its next request.
	CacheBytes int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log gets what people need not see; nil means slog.Default().
	Log *slog.Logger
}

// Store is the browser's session, whole in its cookies. It implements gorilla's
// sessions.Store with exactly one value in each session, and offers the rest of the
// program Identify, Start, End, Record and Refresh.
//
// Start, End, Record and gorilla's functions write into the request they get (see
// sessions.GetRegistry), so they are called before it is shared with other goroutines.
// Identify and Refresh do not.
type Store struct {
	sealer   *session.Sealer
	names    session.CookieNames
	sameSite http.SameSite
	idle     time.Duration
	lifetime time.Duration
	renewer  session.Renewer
	recheck  time.Duration
	grace    time.Duration
	keep     Keep
	needs    []need
	ended    *Ended
	now      func() time.Time
	log      *slog.Logger

	cache   *cache
	flights singleflight.Group
}

var _ sessions.Store = (*Store)(nil)

// New makes a store. It has no goroutine, and nothing that must be closed.
func New(o Options) (*Store, error) {
	names, err := session.NewCookieNames(o.CookieName, o.Secure)
	if err == nil && o.CookieDomain != "" {
		names, err = names.SharedBelow(o.CookieDomain)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("stateless sessions: %w", err)
	case o.Sealer == nil:
		return nil, errors.New("stateless sessions: no sealer")
	case o.Idle <= 0 || o.Lifetime <= 0:
		return nil, fmt.Errorf("stateless sessions: expected idle and lifetime above zero, got %s and %s", o.Idle, o.Lifetime)
	case o.Renewer != nil && (o.Recheck <= 0 || o.Grace < 0):
		return nil, fmt.Errorf("stateless sessions: expected recheck above zero and grace not below, got %s and %s", o.Recheck, o.Grace)
	case max(len(names.Session), len(names.Shared)+len(names.Domain)) > maxName:
		return nil, fmt.Errorf("stateless sessions: expected a cookie name of at most %d characters, got %d", maxName, max(len(names.Session), len(names.Shared)+len(names.Domain)))
	case o.SameSite == http.SameSiteNoneMode && !o.Secure:
		return nil, errors.New("stateless sessions: a cookie with SameSite=None must be Secure")
	}
	s := &Store{
		sealer: o.Sealer, names: names, sameSite: o.SameSite, idle: o.Idle, lifetime: o.Lifetime,
		renewer: o.Renewer, recheck: o.Recheck, grace: o.Grace, keep: o.Keep, needs: o.Keep.needs(), ended: o.Ended, now: o.Now, log: o.Log,
	}
	if s.sameSite == 0 || s.sameSite == http.SameSiteDefaultMode {
		s.sameSite = http.SameSiteLaxMode
	}
	if s.ended == nil {
		s.ended = new(Ended)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = 64 << 20
	}
	s.cache = newCache(o.CacheBytes)
	return s, nil
}

// Cookies returns the names of the cookies that are set.
func (s *Store) Cookies() session.CookieNames { return s.names }

// dataKey is the one key in a gorilla session's Values, and *data its value.
type dataKey struct{}

type data struct {
	content *content
	absent  error // why there is none
	fresh   bool  // it has not been sealed yet
}

// Get implements sessions.Store: it returns the request's session from gorilla's
// registry, so that several handlers of one request share it.
func (s *Store) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(s, name)
}

// New implements sessions.Store. It always returns a usable session: one that is new
// when the request carries none that is good. An error means that this could not be
// found out, and is an *Unavailable.
func (s *Store) New(r *http.Request, name string) (*sessions.Session, error) {
	own := sessions.NewSession(s, name)
	own.Options = &sessions.Options{Path: "/", Secure: s.names.Secure, HttpOnly: true, SameSite: s.sameSite}
	own.IsNew = true
	if name != s.names.Session {
		return own, fmt.Errorf("stateless sessions: expected the session name %q, got %q", s.names.Session, name)
	}
	e, err := s.find(r, true)
	if err != nil {
		own.Values[dataKey{}] = &data{absent: err}
		if unavailable := (*session.Unavailable)(nil); !errors.As(err, &unavailable) {
			err = nil
		}
		return own, err
	}
	own.ID = hex.EncodeToString(e.id[:])
	own.Values[dataKey{}] = &data{content: e.content()}
	own.IsNew = false
	return own, nil
}

// Save implements sessions.Store. It sets the cookies of a session, or deletes them if
// its MaxAge is below zero.
func (s *Store) Save(r *http.Request, w http.ResponseWriter, own *sessions.Session) error {
	d, _ := own.Values[dataKey{}].(*data)
	var from carried
	from.read(r.Header["Cookie"], s.placeOf(r), s.sealer)
	switch {
	case own.Options != nil && own.Options.MaxAge < 0:
		if d != nil && d.content != nil {
			s.end(d.content)
		}
		s.endCarried(r.Context(), &from)
		s.setCookies(w.Header(), &from, nil, time.Time{})
		own.ID = ""
		own.Values[dataKey{}] = &data{absent: session.Ended()}
		return nil
	case d == nil || d.content == nil:
		return errors.New("stateless sessions: the session has no record to save")
	}
	c := *d.content
	c.seen = s.now()
	values, err := seal(s.sealer, from.name, &c)
	if err != nil {
		return err
	}
	if d.fresh {
		s.endCarried(r.Context(), &from) // a login leaves no old session behind
		d.fresh = false
	}
	d.content = &c
	own.ID = hex.EncodeToString(c.id[:])
	s.remember(from.name, values, &c)
	s.setCookies(w.Header(), &from, values, c.record.Ends)
	return nil
}

// Start begins a session for the person in rec and sets its cookies. The id is always
// new, and the sessions that the request carried are ended. rec gets its times.
//
// A session that does not fit is refused with a *session.TooLarge; then no cookie is
// set.
func (s *Store) Start(w http.ResponseWriter, r *http.Request, rec *session.Record) error {
	if rec == nil || rec.Identity == nil {
		return errors.New("stateless sessions: no record to start a session with")
	}
	own, err := s.Get(r, s.names.Session)
	if own == nil {
		return err
	}
	now := s.now()
	if rec.Created.IsZero() {
		rec.Created = now
	}
	rec.Seen, rec.Checked = now, now
	if ends := rec.Created.Add(s.lifetime); rec.Ends.IsZero() || ends.Before(rec.Ends) {
		rec.Ends = ends
	}
	if !rec.Ends.After(now) {
		return fmt.Errorf("stateless sessions: the session would have ended at %s already", rec.Ends.Format(time.RFC3339))
	}
	c := &content{seen: now}
	c.record, c.marks = s.keep.record(rec, nil)
	if s.renewer == nil {
		c.record.AccessToken, c.record.AccessExpiry = "", time.Time{}
	}
	rand.Read(c.id[:]) // never fails: crypto/rand ends the program instead
	c.record.Identity.Until, c.record.Identity.Proof = rec.Ends, c.key()
	own.Options.MaxAge = 0
	before, _ := own.Values[dataKey{}].(*data)
	own.Values[dataKey{}] = &data{content: c, fresh: true}
	if err := s.Save(r, w, own); err != nil {
		own.Values[dataKey{}] = before
		var large *session.TooLarge
		if errors.As(err, &large) {
			s.log.WarnContext(r.Context(), "a session does not fit into cookies", "sub", rec.Identity.Subject, "provider", rec.Identity.Provider,
				"size", large.Size, "most", large.Most, "largest", describe(large.Parts))
		}
		return err
	}
	if before != nil && before.content != nil {
		s.end(before.content) // it may have begun while this request was being answered
	}
	return nil
}

// End deletes the cookies of all sessions that the request carries, and remembers in
// this process that they have ended.
func (s *Store) End(w http.ResponseWriter, r *http.Request) error {
	own, err := s.Get(r, s.names.Session)
	if own == nil {
		return err
	}
	own.Options.MaxAge = -1
	err = s.Save(r, w, own)
	own.Options.MaxAge = 0
	return err
}

// Record returns the record of the request's session, as far as it is kept. The errors
// are those of Identify. The record is the caller's own to change, its Identity is not.
func (s *Store) Record(r *http.Request) (*session.Record, error) {
	own, err := s.Get(r, s.names.Session)
	if err != nil {
		return nil, err
	}
	d, _ := own.Values[dataKey{}].(*data)
	switch {
	case d == nil:
		return nil, session.ErrNoCredentials
	case d.content == nil:
		return nil, d.absent
	}
	rec := *d.content.record
	rec.Seen = d.content.seen
	return &rec, nil
}

// end remembers that a session has ended, for as long as a copy of its cookie would be
// good.
func (s *Store) end(c *content) {
	now := s.now()
	until := now.Add(s.idle)
	if ends := c.record.Ends; ends.Before(until) {
		until = ends
	}
	s.ended.add(c.id, now, until)
	s.ended.watchers.Tell(c.key())
}

// endCarried ends the sessions of all cookies that the request carries.
func (s *Store) endCarried(ctx context.Context, from *carried) {
	for _, first := range from.firsts() {
		if e, err := s.opened(context.WithoutCancel(ctx), first, from); err == nil {
			s.end(e.content())
		}
	}
}

// describe names the largest parts of a record with their sizes.
func describe(parts map[string]int) []string {
	names := largest(parts)
	for i, name := range names {
		names[i] = fmt.Sprintf("%s: %d bytes", name, parts[name])
	}
	return names
}
