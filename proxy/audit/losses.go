package audit

import (
	"log/slog"
	"sync"
	"time"
)

const (
	// firstWord is how long after the first loss the log says so: long enough to
	// name more than one line.
	firstWord = time.Second
	// betweenWords is how often it says so while lines go on being lost.
	betweenWords = time.Minute
)

// losses tells the log how many lines were lost. A timer does, and not the writer,
// which may hang in the very write that is at fault.
type losses struct {
	log *slog.Logger

	mu sync.Mutex
	// untold is what was lost since the log was told, in all and for want of room.
	untold, noRoom int
	why            error // of the last write that failed
	timer          *time.Timer
	closed         bool
}

// add notes lines that are lost; why is nil for want of room in the queue.
func (s *losses) add(lines int, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.untold += lines
	if why == nil {
		s.noRoom += lines
	} else {
		s.why = why
	}
	if s.timer == nil && !s.closed {
		s.timer = time.AfterFunc(firstWord, s.tell)
	}
}

// tell writes one line into the log, and comes back as long as there are losses.
func (s *losses) tell() {
	s.mu.Lock()
	untold, noRoom, why := s.untold, s.noRoom, s.why
	s.untold, s.noRoom, s.why = 0, 0, nil
	switch {
	case s.closed:
	case untold == 0:
		s.timer = nil
	default:
		s.timer = time.AfterFunc(betweenWords, s.tell)
	}
	s.mu.Unlock()
	if untold == 0 {
		return
	}
	attrs := []any{"lost", untold, "queue_was_full", noRoom, "write_failed", untold - noRoom}
	if why != nil {
		attrs = append(attrs, "error", why)
	}
	s.log.Error("audit lines were lost", attrs...)
}

// close tells the rest and stops the timer. What is lost later is counted alone.
func (s *losses) close() {
	s.mu.Lock()
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	s.tell()
}
