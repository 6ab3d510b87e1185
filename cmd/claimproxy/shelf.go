package main

import (
	"crypto/sha256"
	"fmt"
	"sync"
)

// shelf holds the parts that configurations share: what a new one makes of the same
// settings is the very thing that the old one uses, with all that it knows. The zero
// value is empty and ready.
//
// A part may be made of others. Whoever takes it takes those first, and lets go of them
// afterwards.
type shelf struct {
	mu    sync.Mutex
	parts map[fingerprint]*shared
}

// fingerprint stands for the settings that a part was made of, secrets among them.
type fingerprint [sha256.Size]byte

// fingerprintOf takes settings by value: text, numbers, and structs, lists and maps of
// them, other fingerprints. A pointer in them would say where something is, not what it
// is, and a config.Secret would hide itself.
func fingerprintOf(kind string, settings ...any) (f fingerprint) {
	h := sha256.New()
	fmt.Fprintf(h, "%s %#v", kind, settings)
	h.Sum(f[:0])
	return f
}

// shared is a part and the number of those who use it.
type shared struct {
	value any
	end   func()
	users int
}

// take returns the part with a fingerprint, and how to let go of it. It is made when it
// is not there; what make returns beside it ends it, when the last user lets go.
func take[T any](s *shelf, key fingerprint, make func() (T, func(), error)) (value T, release func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.parts[key]
	if p == nil {
		value, end, err := make()
		if err != nil {
			return value, nil, err
		}
		p = &shared{value: value, end: end}
		s.put(key, p)
	}
	p.users++
	return p.value.(T), sync.OnceFunc(func() { s.release(key) }), nil
}

func (s *shelf) put(key fingerprint, p *shared) {
	if s.parts == nil {
		s.parts = make(map[fingerprint]*shared)
	}
	s.parts[key] = p
}

// release ends a part before anybody can take it again: two of them would be open at
// the same time, on the same file.
func (s *shelf) release(key fingerprint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.parts[key]
	if p.users--; p.users == 0 {
		delete(s.parts, key)
		p.end()
	}
}
