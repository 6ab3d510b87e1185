package session_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/claimproxy/claimproxy/session"
)

func TestFileThatIsDamagedIsAClearError(t *testing.T) {
	good := t.TempDir()
	f := openFile(t, good)
	s := openStore(t, f)
	for range 30 {
		signIn(t, s, "jane")
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(good, "sessions.db"))
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	noise := func(from, to int) []byte {
		bad := bytes.Clone(whole)
		for i := from; i < to; i++ {
			bad[i] ^= 0xa5
		}
		return bad
	}
	for name, data := range map[string][]byte{
		"garbage":               bytes.Repeat([]byte("garbage "), 4096),
		"one byte":              {0},
		"half a page":           whole[:page/2],
		"cut short in a page":   whole[:2*page+page/2],
		"cut short after pages": whole[:3*page],
		"without its heads":     noise(0, 2*page),
		"without its pages":     noise(2*page, len(whole)),
		"another kind of file":  append([]byte("SQLite format 3\x00"), make([]byte, 8192)...),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "sessions.db"), data, 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := session.OpenFile(session.FileOptions{Dir: dir, LockWait: 200 * time.Millisecond})
			if err == nil {
				f.Close()
				t.Fatal("got no error")
			}
			if !strings.Contains(err.Error(), "damaged") || !strings.Contains(err.Error(), dir) {
				t.Errorf("got error %q, want one that says damaged, and where", err)
			}
		})
	}
}

func TestFileThatWasMadeAndNotFilledIsTaken(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "sessions.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, openFile(t, dir))
	wantPerson(t, s, signIn(t, s, "jane"), "jane")
}

func TestFileThatIsNoFileIsRefused(t *testing.T) {
	for name, plant := range map[string]func(path string) error{
		"a link":      func(p string) error { return os.Symlink("/dev/zero", p) },
		"a directory": func(p string) error { return os.Mkdir(p, 0o700) },
	} {
		dir := t.TempDir()
		if err := plant(filepath.Join(dir, "sessions.db")); err != nil {
			t.Fatal(err)
		}
		if _, err := session.OpenFile(session.FileOptions{Dir: dir}); err == nil || !strings.Contains(err.Error(), "expected a regular file") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// edit changes the closed file with the library alone.
func edit(t *testing.T, dir string, change func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, "sessions.db"), 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(change); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestFileOfANewerVersionIsRefusedAndKept(t *testing.T) {
	dir := t.TempDir()
	f := openFile(t, dir)
	jane := signIn(t, openStore(t, f), "jane")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	format := func(n byte) {
		edit(t, dir, func(tx *bbolt.Tx) error { return tx.Bucket([]byte("claimproxy")).Put([]byte("format"), []byte{n}) })
	}
	format(4)
	if _, err := session.OpenFile(session.FileOptions{Dir: dir}); err == nil || !strings.Contains(err.Error(), "expected file format [3], got [4]") {
		t.Errorf("got %v, want an error with both formats", err)
	}
	format(3)
	wantPerson(t, openStore(t, openFile(t, dir)), jane, "jane")
}

func TestFileWithUnreadableEntriesServesTheOthers(t *testing.T) {
	dir := t.TempDir()
	f := openFile(t, dir)
	s := openStore(t, f)
	jane := signIn(t, s, "jane")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, dir, func(tx *bbolt.Tx) error {
		heads, boxes := tx.Bucket([]byte("heads")), tx.Bucket([]byte("boxes"))
		lonely, short := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
		return errors.Join(
			heads.Put(lonely, make([]byte, 40)), heads.Put(short, []byte("x")), boxes.Put(short, []byte("y")),
			heads.Put([]byte("odd key"), make([]byte, 40)),
		)
	})
	f = openFile(t, dir)
	s = openStore(t, f)
	wantPerson(t, s, jane, "jane")
	for n := range byte(3) {
		if e, err := f.Load(t.Context(), session.Key(bytes.Repeat([]byte{n}, 32))); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("entry %d: got %v, %v, want %v", n, e, err, session.ErrNotFound)
		}
	}
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Fatalf("Sweep: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, dir, func(tx *bbolt.Tx) error {
		if n := tx.Bucket([]byte("boxes")).Stats().KeyN; n != 1 {
			t.Errorf("after the first sweep the file holds %d boxes, want 1", n)
		}
		if n := tx.Bucket([]byte("heads")).Stats().KeyN; n != 2 {
			t.Errorf("after the first sweep the file holds %d heads, want 1 and the odd key", n)
		}
		return nil
	})
}

// Two entries of one file do not open in each other's place.
func TestFileEntriesCannotBeExchanged(t *testing.T) {
	for _, bucket := range []string{"heads", "boxes"} {
		dir := t.TempDir()
		f := openFile(t, dir)
		s := openStore(t, f)
		cookies := []string{signIn(t, s, "jane"), signIn(t, s, "john")}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		edit(t, dir, func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte(bucket))
			c := b.Cursor()
			k1, v1 := c.First()
			k2, v2 := c.Next()
			v1, v2 = bytes.Clone(v1), bytes.Clone(v2)
			return errors.Join(b.Put(bytes.Clone(k1), v2), b.Put(bytes.Clone(k2), v1))
		})
		s = openStore(t, openFile(t, dir))
		for _, c := range cookies {
			if id, err := s.Identify(requestWith(c)); err == nil {
				t.Errorf("with %s exchanged: got %q, want nobody", bucket, id.Subject)
			}
		}
	}
}
