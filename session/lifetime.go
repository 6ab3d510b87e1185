package session

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// knownAfter is how long an expired session is still told from one that never
	// was: its owner reads "expired" rather than "ended".
	knownAfter = time.Hour
	// sweepEvery is how often Run has the backend remove what is over.
	sweepEvery = 10 * time.Minute
	// maxNotes bounds the uses that wait to be written. Beyond it, a session may
	// look idle earlier than it is. Each manyNotes, Run is woken to write them.
	maxNotes  = 1 << 18
	manyNotes = 1 << 13
	// flushWriters is how many uses are written side by side, so that a backend
	// may commit them together.
	flushWriters = 64
)

// verdict says whether a session is over at now, and how.
func (s *Store) verdict(now, created, ends, seen time.Time) error {
	return Over(now, earlier(ends, created.Add(s.lifetime)), seen, s.idle)
}

// touchEvery is how far behind the written time of use may be. After a crash a
// session may seem idle for that much longer than it was.
func (s *Store) touchEvery() time.Duration {
	return min(s.idle/8, 5*time.Minute)
}

// sweepAfter is when nobody needs the session's entry any more: later than it can
// still be good, whatever use of it is not written yet.
func (s *Store) sweepAfter(h wireHead) time.Time {
	idle := fromMillis(h.Seen).Add(s.idle + s.touchEvery())
	return earlier(fromMillis(h.Ends), idle).Add(knownAfter)
}

// notes are the uses of sessions that are not written down yet. They outlive the
// cache's entries, so that a session that is crowded out of the cache between its
// requests does not look idle.
type notes struct {
	mu   sync.Mutex
	seen map[Key]int64 // Unix milliseconds
	many chan struct{} // wakes Run
}

func newNotes() notes {
	return notes{seen: make(map[Key]int64), many: make(chan struct{}, 1)}
}

func (n *notes) add(key Key, seen int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	before, ok := n.seen[key]
	if !ok && len(n.seen) >= maxNotes {
		return
	}
	n.seen[key] = max(before, seen)
	if !ok && len(n.seen)%manyNotes == 0 {
		select {
		case n.many <- struct{}{}:
		default:
		}
	}
}

func (n *notes) get(key Key) time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return fromMillis(n.seen[key])
}

func (n *notes) forget(key Key) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.seen, key)
}

// all returns a copy: what is being written stays readable meanwhile.
func (n *notes) all() map[Key]int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := make(map[Key]int64, len(n.seen))
	for key, seen := range n.seen {
		list[key] = seen
	}
	return list
}

// written forgets the note unless the session was used again meanwhile.
func (n *notes) written(key Key, seen int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.seen[key] == seen {
		delete(n.seen, key)
	}
}

// Flush writes down when sessions were last used, and renewed sessions that could not
// be written before. What cannot be written is kept
// for the next time; the error is the first that was met.
func (s *Store) Flush(ctx context.Context) error {
	if err := s.saveKept(ctx); err != nil {
		return err
	}
	var g errgroup.Group
	g.SetLimit(flushWriters)
	for key, seen := range s.notes.all() {
		g.Go(func() error {
			err := s.touch(ctx, key, seen)
			if err == nil {
				s.notes.written(key, seen)
			}
			return err
		})
	}
	return g.Wait()
}

func (s *Store) touch(ctx context.Context, key Key, seen int64) error {
	e, err := s.backend.Load(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	head, err := s.openHead(key, e.Head)
	if err != nil || head.Seen >= seen {
		return nil // unusable, or somebody knows better
	}
	head.Seen = seen
	sealed, err := s.sealHead(key, head)
	if err != nil {
		return err
	}
	err = s.backend.Touch(ctx, key, sealed, s.sweepAfter(head))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Sweep removes sessions that are over from the backend and returns how many. It
// flushes first and removes nothing when that fails: a session whose use could not
// be written looks unused.
func (s *Store) Sweep(ctx context.Context) (int, error) {
	if err := s.Flush(ctx); err != nil {
		return 0, err
	}
	return s.backend.Sweep(ctx, s.now())
}

// Run writes down uses and sweeps from time to time until ctx ends, and then
// writes once more, so that a restart in good order forgets nothing. It is the
// store's only goroutine and belongs to the caller.
func (s *Store) Run(ctx context.Context) {
	flush := time.NewTicker(min(max(s.touchEvery(), 100*time.Millisecond), time.Minute))
	defer flush.Stop()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		select {
		case <-flush.C:
			s.flushOrLog(ctx)
		case <-s.notes.many:
			s.flushOrLog(ctx)
		case <-sweep.C:
			if n, err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("sessions that are over could not be removed", "error", err)
			} else if n > 0 {
				s.log.Debug("sessions that are over were removed", "count", n)
			}
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
			defer cancel()
			s.flushOrLog(last)
			return
		}
	}
}

func (s *Store) flushOrLog(ctx context.Context) {
	if err := s.Flush(ctx); err != nil && ctx.Err() == nil {
		s.log.Warn("the last use of sessions could not be written down", "error", err)
	}
}
