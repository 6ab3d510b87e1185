package main

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
)

// snapshot is what loading a configuration has read: which files, with which content,
// and which files patterns have matched. It tells whether loading it again would come to
// something else, whether or not it came to a configuration.
type snapshot struct {
	mu    sync.Mutex
	files map[string]content
	globs map[string][]string
}

// content is the hash of a file; the zero content is a file that cannot be read.
type content [sha256.Size]byte

func newSnapshot() *snapshot {
	return &snapshot{files: make(map[string]content), globs: make(map[string][]string)}
}

// env is the operating system, as far as a configuration is made of it.
func (s *snapshot) env() config.Env {
	return config.Env{ReadFile: s.readFile, Glob: s.glob}
}

func (s *snapshot) readFile(name string) ([]byte, error) {
	data, err := os.ReadFile(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[name] = contentOf(data, err)
	return data, err
}

func (s *snapshot) glob(pattern string) ([]string, error) {
	names, err := filepath.Glob(pattern)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.globs[pattern] = slices.Clone(names)
	return names, err
}

func contentOf(data []byte, err error) content {
	if err != nil {
		return content{}
	}
	return sha256.Sum256(data)
}

// changed says whether a file or the files of a pattern are others than they were.
func (s *snapshot) changed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, before := range s.files {
		if contentOf(os.ReadFile(name)) != before {
			return true
		}
	}
	for pattern, before := range s.globs {
		if names, _ := filepath.Glob(pattern); !slices.Equal(names, before) {
			return true
		}
	}
	return false
}

// maxLinks bounds the symbolic links that are followed for one file.
const maxLinks = 40

// directories are those in which something happens when a file is changed or replaced:
// its own, and that of each symbolic link on the way to it, so that a link that is
// swapped is seen as well.
func (s *snapshot) directories() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := make(map[string]bool)
	for name := range s.files {
		follow(name, found)
	}
	for pattern, names := range s.globs {
		// A directory that a pattern stands for changes when a file is added there.
		if dirs, err := filepath.Glob(filepath.Dir(pattern)); err == nil {
			for _, dir := range dirs {
				found[dir] = true
			}
		}
		for _, name := range names {
			follow(name, found)
		}
	}
	dirs := make([]string, 0, len(found))
	for dir := range found {
		dirs = append(dirs, dir)
	}
	slices.Sort(dirs)
	return dirs
}

// follow adds the directories of a path and of each link on the way to what it names.
// Links among the directories count as well: Kubernetes swaps one of them.
func follow(name string, found map[string]bool) {
	for range maxLinks {
		found[filepath.Dir(name)] = true
		for dir := filepath.Dir(name); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			if info, err := os.Lstat(dir); err == nil && info.Mode()&os.ModeSymlink != 0 {
				found[filepath.Dir(dir)] = true
			}
		}
		to, err := os.Readlink(name)
		if err != nil {
			return
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(name), to)
		}
		name = to
	}
}
