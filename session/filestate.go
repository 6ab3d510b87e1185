package session

import (
	"context"
	"fmt"
	"sync"
)

// fileState is how it stands with the file of sessions.
type fileState struct {
	mu sync.Mutex
	// refused is what the disk has said to the last change, damaged what was met first
	// in a file that is not what it was written as.
	refused, damaged error
}

// note remembers what the disk has said to a change.
func (s *fileState) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = err
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
		f.log.Error("the file of sessions cannot be used as it should", "file", f.db.Path(), "error", err)
	}
	return err
}

// Check implements Checker. What the disk has refused last it is asked for again.
func (f *File) Check(ctx context.Context) error {
	f.state.mu.Lock()
	refused, damaged := f.state.refused, f.state.damaged
	f.state.mu.Unlock()
	switch {
	case f.isClosed():
		return ErrClosed
	case damaged != nil:
		return damaged
	case refused == nil:
		return nil
	}
	if err := f.do(ctx, &operation{probe: true}); err != nil {
		return fmt.Errorf("%w: %w", ErrNotKept, err)
	}
	return nil
}
