package session

import (
	"context"
	"encoding/hex"
	"errors"
	"time"
)

// Key names a session in a Backend: the SHA-256 of the id in its cookie. Who
// reads keys from a store's files or memory cannot make cookies from them.
type Key [32]byte

// String returns the key in hexadecimal. It may be logged and shown.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// Tag is something that several sessions may have in common, such as whose they are:
// a hash that nobody can make who does not know the secret of the state directory. A
// session keeps the tags that it was created with.
type Tag [32]byte

// Entry is what a Backend keeps for one session. Head and Box are opaque to it.
// Whoever gets an Entry from a Backend, or has given it one, does not change the
// bytes.
type Entry struct {
	// Head is sealed with the state directory's secret: when the session was last
	// used and whose it is. It may be replaced alone.
	Head []byte
	// Box is sealed with the key in the cookie: claims and tokens.
	Box []byte
	// Ends is when nobody needs the entry any more and Sweep may remove it.
	// Whether the session is still good is not the backend's to judge.
	Ends time.Time
	// Revision counts the replacements of Box, from 1.
	Revision uint64
	// Tags are what Find finds the session by. Create keeps them; everything else
	// leaves them as they are.
	Tags []Tag
}

// Errors of backends. Any other error means that the backend cannot tell or
// cannot keep its promise now.
var (
	// ErrNotFound says that there is no such session.
	ErrNotFound = errors.New("no such session")
	// ErrExists says that there is a session of that key already.
	ErrExists = errors.New("session exists already")
	// ErrConflict says that somebody else has replaced the session meanwhile.
	ErrConflict = errors.New("session was changed by somebody else")
	// ErrClosed says that the backend has been closed.
	ErrClosed = errors.New("session store is closed")
	// ErrNotKept says that sessions can be looked up and not be written: those that there
	// are go on, and none begins. See Checker.
	ErrNotKept = errors.New("sessions can be looked up, and none can be kept")
)

// A Backend keeps sealed sessions by key. It is safe for concurrent use. What a
// method has confirmed by returning nil survives whatever the backend promises to
// survive, and every later call sees it. storetest.RunTests states the rules as
// tests.
type Backend interface {
	// Load returns the entry, also one past its Ends that was not swept yet, or
	// ErrNotFound.
	Load(ctx context.Context, key Key) (Entry, error)

	// Create keeps a new entry with revision 1, whatever e.Revision says, or
	// returns ErrExists.
	Create(ctx context.Context, key Key, e Entry) error

	// Replace puts e in place of the entry if that still has revision e.Revision,
	// and counts one up. Otherwise it returns ErrConflict, and ErrNotFound when
	// the session is gone: a slow writer never raises the dead.
	Replace(ctx context.Context, key Key, e Entry) error

	// Touch replaces Head and Ends alone, whatever the revision. It returns
	// ErrNotFound when the session is gone.
	Touch(ctx context.Context, key Key, head []byte, ends time.Time) error

	// Delete ends the session for good; to delete what is not there is no error.
	// After an error the session may be gone here and come back with the next
	// start, so the caller must not call it ended; to call Delete again is right.
	Delete(ctx context.Context, key Key) error

	// Find returns the keys of the sessions that were created with the tag, in no
	// order. It may return sessions past their Ends that were not swept yet.
	Find(ctx context.Context, tag Tag) ([]Key, error)

	// Sweep removes the entries whose Ends is before now and returns how many. A
	// backend that removes them by itself, by the clock on the wall, leaves it at that.
	Sweep(ctx context.Context, now time.Time) (int, error)

	// Exclusive runs do while nobody else, in this process or another one that
	// shares the backend, runs one for the same key. It waits for its turn as long as
	// ctx allows, and returns do's error, or its own when do was not run. It is held for
	// a bounded time: a process that dies lets go.
	Exclusive(ctx context.Context, key Key, do func(ctx context.Context) error) error

	// Watch has changed called whenever a session was replaced, deleted or swept,
	// by whomever: after Load shows it and, for changes made here, before the
	// method that made them returns. Touch is no change. The key AnySession says that
	// changes may have gone unheard. changed returns quickly and does not call the
	// backend. stop ends it.
	Watch(changed func(Key)) (stop func())

	// Close ends the backend; it is not to be used afterwards. What was confirmed
	// stays confirmed.
	Close() error
}

// AnySession is what watchers hear in place of a key when any session may have been
// changed. It is no session's own: nobody finds an id that has this hash.
var AnySession Key

// Fresher is a Backend whose sessions others change as well, in other processes, and
// which can lose the way by which it hears of that.
type Fresher interface {
	// Fresh says whether what Load has returned may still be served, as far as no
	// watcher has heard otherwise. It is asked with every request, so it does not wait
	// and does not allocate. Before it says so again, watchers hear AnySession.
	Fresh() bool
}

// Counter is a Backend that knows how many sessions it keeps.
type Counter interface {
	// Count is how many there are, for whoever looks after the whole: those that others
	// keep in the same place are among them, and those that are over and were not swept
	// yet. It waits for nobody; ok is false as long as the number is not known.
	Count() (n int, ok bool)
}

// Checker is a Backend that can tell those who watch over it how it stands.
type Checker interface {
	// Check returns nil when sessions can be looked up and kept, an error that wraps
	// ErrNotKept when they can be looked up alone, and else what is the matter, in words
	// for whoever is on call. It may ask whom the backend keeps them with, no longer than
	// ctx allows.
	Check(ctx context.Context) error
}
