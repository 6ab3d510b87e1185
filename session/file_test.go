package session_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/storetest"
)

func openFile(t testing.TB, dir string) *session.File {
	t.Helper()
	f, err := session.OpenFile(session.FileOptions{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("OpenFile: %v", err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return f
}

// openStore makes a store over b, with a secret that is the same each time.
func openStore(t testing.TB, b session.Backend, change ...func(*session.StoreOptions)) *session.Store {
	t.Helper()
	sealer, err := session.NewSealer([][]byte{[]byte("the secret of the state directory")})
	if err != nil {
		t.Fatal(err)
	}
	o := session.StoreOptions{Backend: b, Sealer: sealer, CookieName: "claimproxy", Secure: true, Idle: time.Hour, Lifetime: 8 * time.Hour, Log: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&o)
	}
	s, err := session.NewStore(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func requestWith(cookie string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://telemetry.example.org/", nil)
	if cookie != "" {
		r.Header.Set("Cookie", "__Host-claimproxy="+cookie)
	}
	return r
}

// signIn starts a session and returns its cookie's value.
func signIn(t testing.TB, s *session.Store, subject string) string {
	t.Helper()
	w := httptest.NewRecorder()
	if err := s.Start(w, requestWith(""), storetest.Person(subject)); err != nil {
		t.Fatalf("Start: %v", err)
	}
	return w.Result().Cookies()[0].Value
}

func wantPerson(t testing.TB, s *session.Store, cookie, subject string) {
	t.Helper()
	if id, err := s.Identify(requestWith(cookie)); err != nil || id.Subject != subject {
		t.Fatalf("Identify: got error %v, want %q", err, subject)
	}
}

func wantReason(t testing.TB, err error, reason session.Reason) {
	t.Helper()
	var rejected *session.Rejected
	var unavailable *session.Unavailable
	switch {
	case errors.As(err, &rejected) && rejected.Reason == reason:
	case errors.As(err, &unavailable) && unavailable.Reason == reason:
	default:
		t.Fatalf("got error %v, want %s", err, reason)
	}
}

func wantEnded(t testing.TB, s *session.Store, cookie string) {
	t.Helper()
	_, err := s.Identify(requestWith(cookie))
	wantReason(t, err, session.ReasonSessionEnded)
}

func TestFileKeepsTheRules(t *testing.T) {
	storetest.RunTests(t, func(t *testing.T) session.Backend { return openFile(t, t.TempDir()) })
}

func TestMemoryKeepsTheRules(t *testing.T) {
	storetest.RunTests(t, func(t *testing.T) session.Backend { return session.NewMemory() })
}

func TestFileSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	f := openFile(t, dir)
	s := openStore(t, f)
	jane, gone := signIn(t, s, "jane"), signIn(t, s, "gone")
	if err := s.End(httptest.NewRecorder(), requestWith(gone)); err != nil {
		t.Fatal(err)
	}
	rec, err := s.Record(requestWith(jane))
	if err != nil {
		t.Fatal(err)
	}
	rec.RefreshToken = "rotated"
	if err := s.Update(requestWith(jane), rec); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, openFile(t, dir))
	wantPerson(t, s, jane, "jane")
	wantEnded(t, s, gone)
	if rec, err := s.Record(requestWith(jane)); err != nil || rec.RefreshToken != "rotated" {
		t.Errorf("after the restart: got %v, want the updated record", err)
	}
}

// What a crash leaves behind is the file as it is, without Close.
func TestFileSurvivesWithoutClose(t *testing.T) {
	dir, copied := t.TempDir(), t.TempDir()
	s := openStore(t, openFile(t, dir))
	var cookies []string
	for range 20 {
		cookies = append(cookies, signIn(t, s, "jane"))
	}
	if err := s.End(httptest.NewRecorder(), requestWith(cookies[0])); err != nil {
		t.Fatal(err)
	}
	copyFile(t, filepath.Join(dir, "sessions.db"), filepath.Join(copied, "sessions.db"))
	s = openStore(t, openFile(t, copied))
	wantEnded(t, s, cookies[0])
	for _, c := range cookies[1:] {
		wantPerson(t, s, c, "jane")
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Whoever gets hold of the file, of a backup of it, or of the whole state
// directory, has nothing that he could sign in with or read claims from.
func TestFileDumpOpensNothing(t *testing.T) {
	dir := t.TempDir()
	f := openFile(t, dir)
	s := openStore(t, f)
	cookie := signIn(t, s, "jane")
	wantPerson(t, s, cookie, "jane")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	dump, err := os.ReadFile(filepath.Join(dir, "sessions.db"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(cookie)
	if err != nil {
		t.Fatal(err)
	}
	id, key := raw[1:17], raw[17:]
	for what, needle := range map[string][]byte{
		"the access token": []byte("access-token"), "the refresh token": []byte("refresh-token"), "the ID token": []byte("id-token"),
		"a group": []byte("kde-developers"), "the e-mail address": []byte("example.org"), "the name": []byte("jane"), "the sid": []byte("sid-of"),
		"the cookie": []byte(cookie), "the id": id, "the key": key, "the id in hex": []byte(hex.EncodeToString(id)),
		"the key in hex": []byte(hex.EncodeToString(key)), "half the key": key[:16], "the secret": []byte("state directory"),
	} {
		if bytes.Contains(dump, needle) {
			t.Errorf("%s is in the file", what)
		}
	}
	// A cookie made of everything that the file holds is no cookie.
	s = openStore(t, openFile(t, dir))
	for at := 0; at+48 <= len(dump); at += 16 {
		forged := base64.RawURLEncoding.EncodeToString(append([]byte{1}, dump[at:at+48]...))
		if id, err := s.Identify(requestWith(forged)); err == nil {
			t.Fatalf("bytes %d to %d of the file signed in %q", at, at+48, id.Subject)
		}
	}
	wantPerson(t, s, cookie, "jane")
}

func TestFileIsForItsOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	f := openFile(t, dir)
	path := filepath.Join(dir, "sessions.db")
	mode := func(path string) os.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	if got := mode(dir); got != 0o700 {
		t.Errorf("directory mode: got %#o, want 0700", got)
	}
	if got := mode(path); got != 0o600 {
		t.Errorf("file mode: got %#o, want 0600", got)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	openFile(t, dir)
	if got := mode(path); got != 0o600 {
		t.Errorf("file mode after it was 0644: got %#o, want 0600", got)
	}
}

func TestFileHeldByAnotherIsAClearError(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, openFile(t, dir))
	jane := signIn(t, s, "jane")
	begin := time.Now()
	_, err := session.OpenFile(session.FileOptions{Dir: dir, LockWait: 100 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "in use by another process: waited 100ms") || !strings.Contains(err.Error(), dir) {
		t.Errorf("got error %v, want one that says who holds it and for how long it waited", err)
	}
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("took %s, want about 100ms", took)
	}
	wantPerson(t, s, jane, "jane")
	signIn(t, s, "john")
}

func TestFileIsTakenOverFromAProcessThatEnds(t *testing.T) {
	dir := t.TempDir()
	first := openFile(t, dir)
	jane := signIn(t, openStore(t, first), "jane")
	arrived := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		<-arrived
		if err := first.Close(); err != nil {
			t.Error(err)
		}
	})
	second, err := session.OpenFile(session.FileOptions{Dir: dir}.WithOpenFile(func(name string, flag int, mode os.FileMode) (*os.File, error) {
		close(arrived)
		return os.OpenFile(name, flag, mode)
	}))
	if err != nil {
		t.Fatalf("OpenFile while the first lets go: %v", err)
	}
	defer second.Close()
	wg.Wait()
	wantPerson(t, openStore(t, second), jane, "jane")
}

func TestFileCloseWaitsForNobodyAndLosesNothing(t *testing.T) {
	dir := t.TempDir()
	f := openFile(t, dir)
	s := openStore(t, f)
	var kept []string
	started := make(chan string)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				w := httptest.NewRecorder()
				if err := s.Start(w, requestWith(""), storetest.Person("jane")); err != nil {
					if !errors.Is(err, session.ErrClosed) {
						t.Errorf("Start while closing: got %v, want %v", err, session.ErrClosed)
					}
					return
				}
				started <- w.Result().Cookies()[0].Value
			}
		})
	}
	for range 20 {
		kept = append(kept, <-started)
	}
	wg.Go(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	go func() {
		wg.Wait()
		close(started)
	}()
	for c := range started {
		kept = append(kept, c)
	}
	s = openStore(t, openFile(t, dir))
	for _, c := range kept {
		wantPerson(t, s, c, "jane")
	}
}

func TestOpenFileNeedsADirectory(t *testing.T) {
	if _, err := session.OpenFile(session.FileOptions{}); err == nil {
		t.Error("no directory: got no error")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := session.OpenFile(session.FileOptions{Dir: file}); err == nil {
		t.Error("a file in its place: got no error")
	}
}

// TestAFileIsCheckedWhileItCloses, as somebody asks whether a process that ends is ready.
func TestAFileIsCheckedWhileItCloses(t *testing.T) {
	f := openFile(t, t.TempDir())
	begun, checked := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(checked)
		for err := error(nil); err == nil; err = f.Check(t.Context()) {
			select {
			case <-begun:
			default:
				close(begun)
			}
		}
	}()
	<-begun
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	<-checked
}
