package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gorilla/sessions"
)

// StoreOptions says how a Store works. Backend, Sealer, CookieName, Idle and
// Lifetime are obligatory.
type StoreOptions struct {
	// Backend keeps the sealed sessions. The store does not close it.
	Backend Backend
	// Sealer seals the heads of the sessions, with the state directory's secret.
	Sealer *Sealer
	// CookieName is the configured name, without prefix.
	CookieName string
	// CookieDomain is the domain whose hosts have one session cookie together. Empty, or
	// outside of it, each host has its own.
	CookieDomain string
	// Secure is false for plain http on loopback and nowhere else: then the cookie
	// goes without the __Host- prefix and the Secure attribute.
	Secure bool
	// SameSite of the session cookie; zero means Lax.
	SameSite http.SameSite
	// Idle ends a session that was not used for so long.
	Idle time.Duration
	// Lifetime ends a session so long after its login, however much it is used.
	Lifetime time.Duration
	// Renewer fetches claims again; nil leaves them as they were at login.
	Renewer Renewer
	// Recheck is how old claims may become before the next request has them fetched
	// again.
	Recheck time.Duration
	// Grace is how long beyond that a session stays good while the provider does not
	// answer.
	Grace time.Duration
	// CacheBytes bounds the estimated memory that opened sessions may take; zero
	// means 64 MiB. A session that does not fit is opened again by its next request.
	CacheBytes int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log gets what people need not see; nil means slog.Default().
	Log *slog.Logger
}

// Store is the browser's session: the cookie, and behind it the sealed record. It
// implements gorilla's sessions.Store with exactly one value in each session, and
// offers the rest of the program Identify, Start, End and Record.
//
// The cookie is a handle of constant size: the session's id and the key that opens
// its record. The backend knows the id's hash and the ciphertext.
//
// Start, End, Record and gorilla's functions write into the request they get (see
// sessions.GetRegistry), so they are called before it is shared with other
// goroutines. Identify does not.
type Store struct {
	backend  Backend
	sealer   *Sealer
	names    CookieNames
	sameSite http.SameSite
	idle     time.Duration
	lifetime time.Duration
	now      func() time.Time
	log      *slog.Logger

	cache     *cache
	fresher   Fresher // nil when nobody else changes what the backend keeps
	notes     notes
	renewals  renewals
	watchers  Watchers
	stopWatch func()
}

var _ sessions.Store = (*Store)(nil)

// NewStore makes a store. Whoever makes it also calls Run once, and Close.
func NewStore(o StoreOptions) (*Store, error) {
	names, err := NewCookieNames(o.CookieName, o.Secure)
	if err == nil && o.CookieDomain != "" {
		names, err = names.SharedBelow(o.CookieDomain)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("session store: %w", err)
	case o.Backend == nil:
		return nil, errors.New("session store: no backend")
	case o.Sealer == nil:
		return nil, errors.New("session store: no sealer")
	case o.Idle <= 0 || o.Lifetime <= 0:
		return nil, fmt.Errorf("session store: expected idle and lifetime above zero, got %s and %s", o.Idle, o.Lifetime)
	case o.Renewer != nil && (o.Recheck <= 0 || o.Grace < 0):
		return nil, fmt.Errorf("session store: expected recheck above zero and grace not below, got %s and %s", o.Recheck, o.Grace)
	case o.SameSite == http.SameSiteNoneMode && !o.Secure:
		return nil, errors.New("session store: a cookie with SameSite=None must be Secure")
	}
	s := &Store{
		backend: o.Backend, sealer: o.Sealer, names: names, sameSite: o.SameSite,
		idle: o.Idle, lifetime: o.Lifetime, now: o.Now, log: o.Log,
	}
	if s.sameSite == 0 || s.sameSite == http.SameSiteDefaultMode {
		s.sameSite = http.SameSiteLaxMode
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
	s.notes = newNotes()
	s.renewals = renewals{renewer: o.Renewer, recheck: o.Recheck, grace: o.Grace}
	s.fresher, _ = s.backend.(Fresher)
	s.stopWatch = s.backend.Watch(s.heard)
	return s, nil
}

// Close lets go of the backend. Run has ended before.
func (s *Store) Close() { s.stopWatch() }

// Cookies returns the names of the cookies that are set beside this store's, for
// whoever strips them or sets one for a sign-in attempt.
func (s *Store) Cookies() CookieNames { return s.names }

// dataKey is the one key in a gorilla session's Values, and *data its value.
type dataKey struct{}

type data struct {
	record   *Record
	absent   error  // why there is no record
	handle   handle // the zero handle: not kept yet
	before   handle // what the session was kept under until now, if it was
	revision uint64
	written  time.Time // the time of use that the backend knows
	cost     int       // estimated size when opened
}

// Get implements sessions.Store: it returns the request's session from gorilla's
// registry, so that several handlers of one request share it.
func (s *Store) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(s, name)
}

// New implements sessions.Store. It always returns a usable session: one that is
// new when the request carries none that is good. An error means that this could
// not be found out, and is an *Unavailable.
func (s *Store) New(r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(s, name)
	session.Options = &sessions.Options{
		Path: "/", Secure: s.names.Secure, HttpOnly: true, SameSite: s.sameSite,
	}
	session.IsNew = true
	if name != s.names.Session {
		return session, fmt.Errorf("session store: expected the session name %q, got %q", s.names.Session, name)
	}
	d, err := s.find(r)
	if err != nil {
		session.Values[dataKey{}] = &data{absent: err}
		if unavailable := (*Unavailable)(nil); !errors.As(err, &unavailable) {
			err = nil
		}
		return session, err
	}
	session.ID = d.handle.storeKey().String()
	session.Values[dataKey{}] = d
	session.IsNew = false
	return session, nil
}

// Save implements sessions.Store. A session that is not kept yet gets a new id and
// a cookie; one that is kept is replaced in its place; one whose MaxAge is below
// zero is ended.
func (s *Store) Save(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	ending := session.Options != nil && session.Options.MaxAge < 0
	ctx := r.Context()
	if ending {
		ctx = context.WithoutCancel(ctx) // a browser that goes away has signed out all the same
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	d, _ := session.Values[dataKey{}].(*data)
	switch {
	case ending:
		var own handle
		if d != nil {
			own = d.handle
		}
		if err := s.endCarried(ctx, r, own); err != nil {
			return err
		}
		SetCookie(w.Header(), s.cookie(r, "", -1))
		session.ID = ""
		session.Values[dataKey{}] = &data{absent: endedError()}
		return nil
	case d == nil || d.record == nil:
		return errors.New("session store: the session has no record to save")
	case d.handle != handle{}:
		return s.replace(ctx, d)
	}
	if err := s.create(ctx, r, d); err != nil {
		return err
	}
	SetCookie(w.Header(), s.cookie(r, d.handle.text(), wholeSeconds(d.record.Ends.Sub(d.record.Seen))))
	session.ID = d.handle.storeKey().String()
	return nil
}

// storeTimeout bounds how long a person waits for a backend that does not answer.
const storeTimeout = 10 * time.Second

// Start begins a session for the person in rec and sets its cookie. The id and key
// are always new, so that nobody can have chosen them or learned them before the
// login, and the sessions that the request carried are ended. rec gets its times.
//
// When the session cannot be kept the error is an *Unavailable, no cookie is set,
// and other sessions go on as they are.
func (s *Store) Start(w http.ResponseWriter, r *http.Request, rec *Record) error {
	if rec == nil {
		return errors.New("session store: no record to start a session with")
	}
	session, err := s.Get(r, s.names.Session)
	if session == nil {
		return err
	}
	// What the request carries decides nothing here, so neither does the error.
	session.Options.MaxAge = 0
	fresh := &data{record: rec}
	before, _ := session.Values[dataKey{}].(*data)
	if before != nil {
		fresh.before = before.handle
	}
	session.Values[dataKey{}] = fresh
	if err := s.Save(r, w, session); err != nil {
		session.Values[dataKey{}] = before
		return err
	}
	return nil
}

// End ends every session that the request carries, for good and wherever its
// cookie was copied to, and deletes the cookie. A request without a session only
// gets the deletion. When the session cannot be ended for sure, the error is an
// *Unavailable and the cookie stays, so that it can be tried again.
func (s *Store) End(w http.ResponseWriter, r *http.Request) error {
	session, err := s.Get(r, s.names.Session)
	if session == nil {
		return err
	}
	session.Options.MaxAge = -1
	err = s.Save(r, w, session)
	session.Options.MaxAge = 0
	return err
}

// Record returns the whole record of the request's session, tokens included. The
// errors are those of Identify. The record is the caller's own to change, its
// Identity is not: who has other claims to tell puts a new Identity in its place.
func (s *Store) Record(r *http.Request) (*Record, error) {
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
	rec := *d.record
	return &rec, nil
}

// Update writes rec, which Record returned for this request, in the place of what
// is kept. The session keeps its cookie, its person and its lifetime. The error
// wraps ErrConflict when somebody else has changed the session since, is a
// *Rejected with session-ended when it has ended, and an *Unavailable when the
// backend cannot tell.
func (s *Store) Update(r *http.Request, rec *Record) error {
	session, err := s.Get(r, s.names.Session)
	if err != nil {
		return err
	}
	d, _ := session.Values[dataKey{}].(*data)
	switch {
	case d == nil:
		return ErrNoCredentials
	case d.record == nil:
		return d.absent
	case rec == nil || rec.Identity == nil:
		return errors.New("session store: no record to update the session with")
	case !rec.Identity.samePerson(d.record.Identity):
		return errors.New("session store: an update may not give the session to somebody else")
	}
	changed := *d
	changed.record = new(Record)
	*changed.record = *rec
	changed.record.Created = d.record.Created
	session.Values[dataKey{}] = &changed
	if err := s.Save(r, nil, session); err != nil {
		session.Values[dataKey{}] = d
		return err
	}
	return nil
}
