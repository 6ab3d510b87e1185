package session

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
)

const (
	// probeSize is how much is written at least to learn whether a session can be kept:
	// more than one has whose tokens are long.
	probeSize = 16 << 10
	// scarce is how much room on the disk makes it worth a try before anything was refused.
	scarce = 1 << 20
)

// fileState is how it stands with the file of sessions.
type fileState struct {
	mu sync.Mutex
	// refused is what the disk has said to the last change of that size or a larger one,
	// damaged what was met first in a file that is not what it was written as. There may be
	// room for a small change in pages that were free already, and none for a session.
	refused, damaged error
	size             int
}

// note remembers what the disk has said to a change of so many bytes.
func (s *fileState) note(err error, size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
		s.refused, s.size = err, max(s.size, size)
	case size >= s.size:
		s.refused, s.size = nil, 0
	}
}

// damage makes an error of a panic out of bbolt, or of a memory fault, and remembers it:
// such a file does not get well by itself.
func (f *File) damage(p any) error {
	err := fmt.Errorf("the session store is damaged: %v", p)
	f.state.mu.Lock()
	first := f.state.damaged == nil
	if first {
		f.state.damaged = err
	}
	f.state.mu.Unlock()
	if first {
		f.log.Error("the file of sessions cannot be used as it should", "file", f.path, "error", err)
	}
	return err
}

// Check implements Checker. What the disk has refused last it is asked for again, and also
// when it has hardly any room left.
func (f *File) Check(ctx context.Context) error {
	f.state.mu.Lock()
	refused, damaged, size := f.state.refused, f.state.damaged, f.state.size
	f.state.mu.Unlock()
	switch {
	case f.isClosed():
		return ErrClosed
	case damaged != nil:
		return damaged
	case refused == nil && !f.isScarce():
		return nil
	}
	err := f.do(ctx, &operation{probe: max(size, probeSize)})
	if err == nil {
		err = f.do(ctx, &operation{probe: probeOver})
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotKept, err)
	}
	return nil
}

// isScarce says whether the disk of the file has hardly any room left.
func (f *File) isScarce() bool {
	room, ok := f.room(filepath.Dir(f.path))
	return ok && room < scarce
}
