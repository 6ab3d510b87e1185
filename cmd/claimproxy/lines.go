package main

import (
	"io"
	"sync"
	"time"
)

const (
	// gatherLines is how long a line about a request may wait for others, so that many are
	// written at once: to write is what costs most of a line.
	gatherLines = 10 * time.Millisecond
	// maxGathered is how many bytes wait at most.
	maxGathered = 64 << 10
)

// lineWriter is a writer for several who each write whole lines. What one does not know how
// to write is lost: who cannot log cannot say so either.
type lineWriter struct {
	to io.Writer

	mu      sync.Mutex
	waiting []byte
	wrote   time.Time // when something was written last
	timed   bool      // a timer will write what is waiting
}

// Write writes lines now, after those that wait.
func (l *lineWriter) Write(lines []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, lines...)
	return len(lines), l.write()
}

// soon writes a line that comes at a time: now, if none was written lately, else within
// gatherLines.
func (l *lineWriter) soon(line []byte, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, line...)
	switch {
	case len(l.waiting) >= maxGathered:
		_ = l.write()
	case l.timed:
	case now.Sub(l.wrote) >= gatherLines:
		_ = l.write()
	default:
		l.timed = true
		time.AfterFunc(gatherLines, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.timed = false
			_ = l.write()
		})
	}
}

// flush writes what waits.
func (l *lineWriter) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.write()
}

func (l *lineWriter) write() error {
	if len(l.waiting) == 0 {
		return nil
	}
	_, err := l.to.Write(l.waiting)
	l.waiting, l.wrote = l.waiting[:0], time.Now()
	return err
}
