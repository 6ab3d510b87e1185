package session_test

import (
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/storetest"
)

// disk is the file under a store, which can be made to refuse writing while it is
// open, as a full or read-only disk does.
type disk struct {
	t      *testing.T
	file   *os.File
	good   int
	broken bool
}

func openOn(t *testing.T, dir string) (*session.File, *disk) {
	t.Helper()
	d := &disk{t: t}
	f, err := session.OpenFile(session.FileOptions{Dir: dir}.WithOpenFile(func(name string, flag int, mode os.FileMode) (file *os.File, err error) {
		d.file, err = os.OpenFile(name, flag, mode)
		return d.file, err
	}))
	if err != nil {
		t.Fatal(err)
	}
	if d.good, err = syscall.Dup(int(d.file.Fd())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.mend()
		if err := f.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		syscall.Close(d.good)
	})
	return f, d
}

// become puts what is at path in the place of the open file.
func (d *disk) become(path string, flag int) {
	d.t.Helper()
	fd, err := syscall.Open(path, flag, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	defer syscall.Close(fd)
	d.broken = true
	if err := syscall.Dup3(fd, int(d.file.Fd()), syscall.O_CLOEXEC); err != nil {
		d.t.Fatal(err)
	}
}

func (d *disk) mend() {
	if !d.broken {
		return // perhaps closed: its number may be somebody else's by now
	}
	d.broken = false
	if err := syscall.Dup3(d.good, int(d.file.Fd()), syscall.O_CLOEXEC); err != nil {
		d.t.Error(err)
	}
}

// A disk that is full or read-only stops new logins, clearly, and nothing else.
func TestFileOnADiskThatRefuses(t *testing.T) {
	for name, refuse := range map[string]func(d *disk, path string){
		"read-only": func(d *disk, path string) { d.become(path, syscall.O_RDONLY) },
		"full":      func(d *disk, _ string) { d.become("/dev/full", syscall.O_RDWR) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			f, disk := openOn(t, dir)
			s := openStore(t, f)
			jane, john := signIn(t, s, "jane"), signIn(t, s, "john")
			wantPerson(t, s, jane, "jane")
			refuse(disk, filepath.Join(dir, "sessions.db"))

			for range 3 {
				w := httptest.NewRecorder()
				err := s.Start(w, requestWith(""), storetest.Person("late"))
				wantReason(t, err, session.ReasonStoreUnavailable)
				wantNoCookie(t, w)
			}
			wantPerson(t, s, jane, "jane")                  // from memory
			wantPerson(t, s, john, "john")                  // opened just now
			wantPerson(t, openStore(t, f), jane, "jane")    // after a reload
			if _, err := s.Sweep(t.Context()); err != nil { // nothing is over
				t.Errorf("Sweep: %v", err)
			}

			// A sign-out that the disk refuses is not called done, and is dead here.
			w := httptest.NewRecorder()
			wantReason(t, s.End(w, requestWith(john)), session.ReasonStoreUnavailable)
			wantNoCookie(t, w)
			wantEnded(t, s, john)

			disk.mend()
			wantPerson(t, s, signIn(t, s, "late"), "late")
			if _, err := s.Sweep(t.Context()); err != nil {
				t.Fatalf("Sweep: %v", err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			s = openStore(t, openFile(t, dir))
			wantPerson(t, s, jane, "jane")
			wantEnded(t, s, john) // the sweep has finished what the disk had refused
		})
	}
}

// The person who signs out tries again and gets it done, without any sweep.
func TestFileSignOutThatIsTriedAgain(t *testing.T) {
	dir := t.TempDir()
	f, disk := openOn(t, dir)
	s := openStore(t, f)
	jane := signIn(t, s, "jane")
	disk.become(filepath.Join(dir, "sessions.db"), syscall.O_RDONLY)
	wantReason(t, s.End(httptest.NewRecorder(), requestWith(jane)), session.ReasonStoreUnavailable)
	wantReason(t, s.End(httptest.NewRecorder(), requestWith(jane)), session.ReasonStoreUnavailable)
	disk.mend()
	if err := s.End(httptest.NewRecorder(), requestWith(jane)); err != nil {
		t.Fatalf("the third try: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	wantEnded(t, openStore(t, openFile(t, dir)), jane)
}

// Those who watch over a store whose disk refuses hear of it, and of its end.
func TestFileTellsHowItStands(t *testing.T) {
	dir := t.TempDir()
	f, disk := openOn(t, dir)
	s := openStore(t, f)
	signIn(t, s, "jane")
	check := func(want error) {
		t.Helper()
		if err := f.Check(t.Context()); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("Check: got %v, want %v", err, want)
		}
	}
	check(nil)
	disk.become("/dev/full", syscall.O_RDWR)
	if err := s.Start(httptest.NewRecorder(), requestWith(""), storetest.Person("late")); err == nil {
		t.Fatal("a full disk takes a session")
	}
	check(session.ErrNotKept)
	check(session.ErrNotKept)
	disk.mend()
	check(nil) // without anybody having to sign in
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	check(session.ErrClosed)
}

// Before anything was refused, a disk with hardly any room is tried.
func TestFileTellsOfADiskWithoutRoom(t *testing.T) {
	room := uint64(10 << 20)
	var file *os.File
	f, err := session.OpenFile(session.FileOptions{Dir: t.TempDir()}.WithRoom(func(string) (uint64, bool) { return room, true }).
		WithOpenFile(func(name string, flag int, mode os.FileMode) (_ *os.File, err error) {
			file, err = os.OpenFile(name, flag, mode)
			return file, err
		}))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Check(t.Context()); err != nil {
		t.Errorf("with room: %v", err)
	}
	room = 0
	if err := f.Check(t.Context()); err != nil {
		t.Errorf("without room, and with pages that can be written: %v", err)
	}
	d := &disk{t: t, file: file}
	if d.good, err = syscall.Dup(int(file.Fd())); err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(d.good)
	d.become("/dev/full", syscall.O_RDWR)
	if err := f.Check(t.Context()); !errors.Is(err, session.ErrNotKept) {
		t.Errorf("without room: got %v, want %v", err, session.ErrNotKept)
	}
	d.mend()
	room = 10 << 20
	if err := f.Check(t.Context()); err != nil {
		t.Errorf("with room again: %v", err)
	}
}
