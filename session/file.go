package session

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// FileOptions says where a File keeps its sessions.
type FileOptions struct {
	// Dir is the state directory; it is made with mode 0700 when missing. The file
	// in it is sessions.db, with mode 0600.
	Dir string
	// MemoryBytes bounds the estimated memory that sealed sessions take; zero means
	// 64 MiB. One that does not fit is read from the file by whoever asks for it.
	MemoryBytes int
	// LockWait is how long to wait for another process, such as one that is being
	// replaced, to let go of the file; zero means 5 seconds.
	LockWait time.Duration
	// Log gets what is found wrong with the file; nil means slog.Default().
	Log *slog.Logger

	// openFile replaces os.OpenFile in tests of disks that refuse.
	openFile func(string, int, os.FileMode) (*os.File, error)
	// room replaces roomIn there.
	room func(dir string) (bytes uint64, ok bool)
}

// File is the embedded Backend: one bbolt file, and in memory the sessions that were
// used lately. Every change is on the disk before it is confirmed, so that neither a
// restart nor kill -9 loses a session. Writers that come together share one commit.
//
// What it keeps is sealed. The heads open with the state directory's secret, the
// boxes with the keys in the browsers' cookies and nothing else.
type File struct {
	listeners // mu guards all that is in memory
	turns     turns
	db        *bbolt.DB
	path      string // of the file; db forgets it while it is closed
	log       *slog.Logger

	memory residents
	// doomed are sessions that were deleted here and perhaps not yet on the disk.
	doomed map[Key]struct{}
	// epoch counts the changes. Who has read the file before one may not put into
	// memory what it has found.
	epoch uint64
	state fileState
	count atomic.Int64 // of the sessions in the file
	room  func(dir string) (bytes uint64, ok bool)

	ops      chan *operation
	quit     chan struct{} // closed by Close
	stopped  chan struct{} // closed when the writer has ended
	quitOnce sync.Once
}

const (
	fileName   = "sessions.db"
	fileFormat = 3
	// formatWithoutTags is that of files without their third bucket.
	formatWithoutTags = 2
)

// The buckets of the file. Heads and boxes are apart because heads are rewritten
// often and are small.
var (
	bucketAbout = []byte("claimproxy")
	bucketHeads = []byte("heads") // key -> ends (8 bytes, Unix milliseconds) | head
	bucketBoxes = []byte("boxes") // key -> revision (8 bytes) | number of tags (1 byte) | tags | box
	bucketTags  = []byte("tags")  // tag | key -> nothing
	keyFormat   = []byte("format")
)

// OpenFile opens or makes the sessions file of a state directory. It fails when
// another process holds the file, when a newer version of claimproxy wrote it, and
// when it is damaged.
func OpenFile(o FileOptions) (*File, error) {
	if err := ensureStateDir(o.Dir); err != nil {
		return nil, err
	}
	if o.LockWait <= 0 {
		o.LockWait = 5 * time.Second
	}
	if o.MemoryBytes <= 0 {
		o.MemoryBytes = 64 << 20
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.room == nil {
		o.room = roomIn
	}
	path := filepath.Join(o.Dir, fileName)
	if err := tightenMode(path); err != nil {
		return nil, fmt.Errorf("session store: %w", err)
	}
	f := &File{
		listeners: newListeners(), path: path, log: o.Log, memory: newResidents(o.MemoryBytes), doomed: make(map[Key]struct{}), room: o.room,
		ops: make(chan *operation, maxBatch), quit: make(chan struct{}), stopped: make(chan struct{}),
	}
	if err := f.open(path, o); err != nil {
		return nil, err
	}
	if err := syncDir(o.Dir); err != nil {
		f.db.Close()
		return nil, fmt.Errorf("session store %q: %w", path, err)
	}
	go f.write()
	return f, nil
}

// tightenMode takes away what an earlier hand has given to others.
func tightenMode(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%q: expected a regular file, got %s", path, info.Mode().Type())
	case info.Mode().Perm()&0o077 == 0 || runtime.GOOS == "windows":
		return nil
	}
	return os.Chmod(path, 0o600)
}

// open opens the database and looks at it. bbolt panics on some kinds of damage, and
// reading a file that is shorter than it says raises a memory fault; both become
// errors here.
func (f *File) open(path string, o FileOptions) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("session store %q is damaged (move it away to start without sessions): %v", path, p)
		}
	}()
	f.db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: o.LockWait, FreelistType: bbolt.FreelistMapType, NoStatistics: true, OpenFile: o.openFile,
	})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("session store %q is in use by another process: waited %s for it", path, o.LockWait)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return fmt.Errorf("session store %q is damaged (move it away to start without sessions): %w", path, err)
	case err != nil:
		return fmt.Errorf("session store %q: %w", path, err)
	}
	if err = f.load(path); err == nil {
		err = f.counted()
	}
	if err != nil {
		f.db.Close()
		return fmt.Errorf("session store %q: %w", path, err)
	}
	return nil
}

// Load implements Backend.
func (f *File) Load(_ context.Context, key Key) (Entry, error) {
	f.mu.RLock()
	e, known := f.memory.get(key)
	_, doomed := f.doomed[key]
	closed, epoch := f.closed, f.epoch
	f.mu.RUnlock()
	switch {
	case closed:
		return Entry{}, ErrClosed
	case doomed:
		return Entry{}, ErrNotFound
	case known:
		return e, nil
	}
	e, err := f.read(key)
	if err != nil {
		return Entry{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.epoch == epoch {
		f.memory.put(key, e)
	}
	return e, nil
}

// Create implements Backend.
func (f *File) Create(ctx context.Context, key Key, e Entry) error {
	if len(e.Tags) > 255 {
		return errors.New("session store: more than 255 tags")
	}
	return f.do(ctx, &operation{key: key, box: true, create: true, rule: func(_ Entry, there bool) (Entry, error) {
		if there {
			return Entry{}, ErrExists
		}
		e.Revision = 1
		return e, nil
	}})
}

// Replace implements Backend.
func (f *File) Replace(ctx context.Context, key Key, e Entry) error {
	return f.do(ctx, &operation{key: key, box: true, tell: true, rule: func(old Entry, there bool) (Entry, error) {
		return replaced(old, there, e)
	}})
}

// Touch implements Backend.
func (f *File) Touch(ctx context.Context, key Key, head []byte, ends time.Time) error {
	return f.do(ctx, &operation{key: key, rule: func(old Entry, there bool) (Entry, error) {
		return touched(old, there, head, ends)
	}})
}

// Delete implements Backend. The session is dead at once; when the disk refuses,
// the error says so, and every sweep tries again.
func (f *File) Delete(ctx context.Context, key Key) error {
	_, err := f.Load(ctx, key)
	if errors.Is(err, ErrClosed) {
		return err
	}
	f.mu.Lock()
	_, doomed := f.doomed[key]
	if dead := !errors.Is(err, ErrNotFound); dead && !doomed { // or nobody can tell
		f.doomed[key] = struct{}{}
		f.forget(key)
		f.mu.Unlock()
		f.tell(key)
	} else {
		f.mu.Unlock()
		if !doomed {
			return nil
		}
	}
	return f.do(ctx, &operation{key: key, remove: true})
}

// forget takes an entry out of memory. The caller holds mu.
func (f *File) forget(key Key) {
	f.epoch++
	f.memory.remove(key)
}

// Find implements Backend.
func (f *File) Find(_ context.Context, tag Tag) ([]Key, error) {
	keys, err := f.tagged(tag)
	if err != nil {
		return nil, err
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	return slices.DeleteFunc(keys, func(key Key) bool {
		_, doomed := f.doomed[key]
		return doomed
	}), nil
}

// Sweep implements Backend. It also finishes deletions that the disk has refused.
func (f *File) Sweep(ctx context.Context, now time.Time) (int, error) {
	over, err := f.over(now)
	if err != nil {
		return 0, err
	}
	ops := make([]*operation, 0, len(over))
	for _, key := range over {
		ops = append(ops, &operation{key: key, remove: true, ifOver: now})
	}
	f.mu.RLock()
	for key := range f.doomed {
		ops = append(ops, &operation{key: key, remove: true})
	}
	f.mu.RUnlock()
	err = f.doAll(ctx, ops)
	n := 0
	for _, op := range ops[:len(over)] {
		if op.finished() && op.swept {
			n++
		}
	}
	return n, err
}

// Exclusive implements Backend. No other process has the file.
func (f *File) Exclusive(ctx context.Context, key Key, do func(context.Context) error) error {
	return f.turns.exclusive(ctx, key, do)
}

// Watch implements Backend.
func (f *File) Watch(changed func(Key)) (stop func()) { return f.watch(changed) }

// Close implements Backend: it finishes what is being written and lets go of the
// file.
func (f *File) Close() error {
	f.listeners.close()
	f.quitOnce.Do(func() { close(f.quit) })
	<-f.stopped
	return f.db.Close()
}
