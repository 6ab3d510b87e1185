package session

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// FileOptions says where a File keeps its sessions.
type FileOptions struct {
	// Dir is the state directory; it is made with mode 0700 when missing. The file
	// in it is sessions.db, with mode 0600.
	Dir string
	// LockWait is how long to wait for another process, such as one that is being
	// replaced, to let go of the file; zero means 5 seconds.
	LockWait time.Duration
	// Log gets what is found wrong with the file; nil means slog.Default().
	Log *slog.Logger

	// openFile replaces os.OpenFile in tests of disks that refuse.
	openFile func(string, int, os.FileMode) (*os.File, error)
}

// File is the embedded Backend: one bbolt file. Everything is loaded into memory
// when it is opened and read from there; every change is on the disk before it is
// confirmed, so that neither a restart nor kill -9 loses a session. Writers that
// come together share one commit.
//
// What it keeps is sealed. The heads open with the state directory's secret, the
// boxes with the keys in the browsers' cookies and nothing else.
type File struct {
	table table
	turns turns
	db    *bbolt.DB
	log   *slog.Logger

	// doomed are sessions that were deleted in memory and perhaps not yet on the
	// disk. Guarded by table.mu.
	doomed map[Key]struct{}

	ops      chan *operation
	quit     chan struct{} // closed by Close
	stopped  chan struct{} // closed when the writer has ended
	quitOnce sync.Once
}

const (
	fileName   = "sessions.db"
	fileFormat = 2
)

// The buckets of the file. Heads and boxes are apart because heads are rewritten
// often and are small.
var (
	bucketAbout = []byte("claimproxy")
	bucketHeads = []byte("heads") // key -> ends (8 bytes, Unix milliseconds) | head
	bucketBoxes = []byte("boxes") // key -> revision (8 bytes) | number of tags (1 byte) | tags | box
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
	if o.Log == nil {
		o.Log = slog.Default()
	}
	path := filepath.Join(o.Dir, fileName)
	if err := tightenMode(path); err != nil {
		return nil, fmt.Errorf("session store: %w", err)
	}
	f := &File{
		table: newTable(), log: o.Log, doomed: make(map[Key]struct{}),
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

// open opens the database and loads it. bbolt panics on some kinds of damage, and
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
	if err := f.load(); err != nil {
		f.db.Close()
		return fmt.Errorf("session store %q: %w", path, err)
	}
	return nil
}

// load reads all sessions into memory. Entries that make no whole are left to
// the first sweep.
func (f *File) load() error {
	ready, err := f.readAll()
	if err != nil || ready {
		return err
	}
	return f.db.Update(func(tx *bbolt.Tx) error {
		about, err := tx.CreateBucketIfNotExists(bucketAbout)
		if err != nil {
			return err
		}
		for _, name := range [][]byte{bucketHeads, bucketBoxes} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return about.Put(keyFormat, []byte{fileFormat})
	})
}

// readAll reports whether the file has been set up.
func (f *File) readAll() (ready bool, err error) {
	err = f.db.View(func(tx *bbolt.Tx) error {
		about := tx.Bucket(bucketAbout)
		if about == nil {
			return nil
		}
		if format := about.Get(keyFormat); len(format) != 1 || format[0] != fileFormat {
			return fmt.Errorf("expected file format [%d], got %v: another version of claimproxy wrote it", fileFormat, format)
		}
		ready = true
		boxes := tx.Bucket(bucketBoxes)
		err := tx.Bucket(bucketHeads).ForEach(func(k, head []byte) error {
			e, ok := decodeEntry(head, boxes.Get(k))
			if key, isKey := keyFrom(k); isKey && ok {
				f.table.put(key, e)
			} else if isKey {
				f.doomed[key] = struct{}{}
			}
			return nil
		})
		if err != nil {
			return err
		}
		return boxes.ForEach(func(k, _ []byte) error {
			if key, isKey := keyFrom(k); isKey {
				if _, ok := f.table.entries[key]; !ok {
					f.doomed[key] = struct{}{}
				}
			}
			return nil
		})
	})
	if err == nil && len(f.doomed) > 0 {
		f.log.Warn("session store: some sessions could not be read", "count", len(f.doomed))
	}
	return ready, err
}

func keyFrom(k []byte) (key Key, ok bool) {
	return key, copy(key[:], k) == len(key) && len(k) == len(key)
}

// decodeEntry copies: what bbolt returns lives in the file's mapping.
func decodeEntry(head, box []byte) (Entry, bool) {
	const before = 8 + 1 // of the tags
	if len(head) < 8 || len(box) < before || len(box) < before+int(box[8])*len(Tag{}) {
		return Entry{}, false
	}
	e := Entry{
		Head:     append([]byte(nil), head[8:]...),
		Ends:     time.UnixMilli(int64(binary.BigEndian.Uint64(head))),
		Revision: binary.BigEndian.Uint64(box),
	}
	n := int(box[8])
	box = box[before:]
	for range n {
		e.Tags = append(e.Tags, Tag(box))
		box = box[len(Tag{}):]
	}
	e.Box = append([]byte(nil), box...)
	return e, true
}

func encodeHead(e Entry) []byte {
	out := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(e.Head)), uint64(e.Ends.UnixMilli()))
	return append(out, e.Head...)
}

func encodeBox(e Entry) []byte {
	out := binary.BigEndian.AppendUint64(make([]byte, 0, 9+len(e.Tags)*len(Tag{})+len(e.Box)), e.Revision)
	out = append(out, byte(len(e.Tags)))
	for _, tag := range e.Tags {
		out = append(out, tag[:]...)
	}
	return append(out, e.Box...)
}

// Load implements Backend. It reads memory alone.
func (f *File) Load(_ context.Context, key Key) (Entry, error) { return f.table.load(key) }

// Create implements Backend.
func (f *File) Create(ctx context.Context, key Key, e Entry) error {
	if len(e.Tags) > 255 {
		return errors.New("session store: more than 255 tags")
	}
	return f.do(ctx, &operation{key: key, box: true, rule: func(_ Entry, there bool) (Entry, error) {
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
	if f.table.isClosed() {
		return ErrClosed
	}
	if !f.doom(key, nil) {
		return nil
	}
	return f.do(ctx, &operation{key: key, remove: true})
}

// Find implements Backend. It reads memory alone.
func (f *File) Find(_ context.Context, tag Tag) ([]Key, error) { return f.table.find(tag) }

// Sweep implements Backend. It also finishes deletions that the disk has refused.
func (f *File) Sweep(ctx context.Context, now time.Time) (int, error) {
	if f.table.isClosed() {
		return 0, ErrClosed
	}
	n := 0
	for _, key := range f.table.over(now) {
		if f.doom(key, func(e Entry) bool { return e.Ends.Before(now) }) {
			n++
		}
	}
	f.table.mu.RLock()
	ops := make([]*operation, 0, len(f.doomed))
	for key := range f.doomed {
		ops = append(ops, &operation{key: key, remove: true})
	}
	f.table.mu.RUnlock()
	return n, f.doAll(ctx, ops)
}

// doom deletes the entry from memory if the condition, when there is one, holds,
// and reports whether the disk has something to delete.
func (f *File) doom(key Key, condition func(Entry) bool) bool {
	f.table.mu.Lock()
	e, there := f.table.entries[key]
	if there && (condition == nil || condition(e)) {
		f.table.drop(key)
		f.doomed[key] = struct{}{}
	} else {
		there = false
	}
	_, doomed := f.doomed[key]
	f.table.mu.Unlock()
	if there {
		f.table.tell(key)
	}
	return doomed
}

// Exclusive implements Backend. No other process has the file.
func (f *File) Exclusive(ctx context.Context, key Key, do func(context.Context) error) error {
	return f.turns.exclusive(ctx, key, do)
}

// Watch implements Backend.
func (f *File) Watch(changed func(Key)) (stop func()) { return f.table.watch(changed) }

// Close implements Backend: it finishes what is being written and lets go of the
// file.
func (f *File) Close() error {
	f.table.close()
	f.quitOnce.Do(func() { close(f.quit) })
	<-f.stopped
	return f.db.Close()
}
