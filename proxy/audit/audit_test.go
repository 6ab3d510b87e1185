package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/proxy"
)

const patience = 10 * time.Second

// decision is an event with a number to know it by.
func decision(n int) proxy.Event {
	return proxy.Event{RequestID: fmt.Sprint(n), Decision: "allow", Status: 200}
}

func open(t testing.TB, c Config) *Log {
	t.Helper()
	l, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(patience) })
	return l
}

// ids are the request ids of the lines in some files. Every line has to be JSON.
func ids(t *testing.T, files ...string) map[string]int {
	t.Helper()
	seen := map[string]int{}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			var got map[string]any
			if err := json.Unmarshal(line, &got); err != nil {
				t.Fatalf("%v in %q", err, line)
			}
			seen[got["request_id"].(string)]++
		}
	}
	return seen
}

func TestDecisionsAreWrittenAndOwnPagesAreNot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, Config{File: file})
	l.Observe(decision(1))
	l.Observe(proxy.Event{RequestID: "of the sign-in page", Status: 200})
	l.Observe(decision(2))
	if err := l.Close(patience); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, file); len(got) != 2 || got["1"] != 1 || got["2"] != 1 {
		t.Errorf("got %v, want 1 and 2", got)
	}
	if runtime.GOOS != "windows" {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("got %v (%v), want a file for its owner alone", info.Mode(), err)
		}
	}
	l.Observe(decision(3))
	if l.Lost() != 1 {
		t.Errorf("a line after the end: lost %d, want 1", l.Lost())
	}
}

func TestLinesAreAppended(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.log")
	for n := range 3 {
		l := open(t, Config{File: file})
		l.Observe(decision(n))
		if err := l.Close(patience); err != nil {
			t.Fatal(err)
		}
	}
	if got := ids(t, file); len(got) != 3 {
		t.Errorf("got %v, want three lines", got)
	}
}

// TestManyRequestsAndRotations: no line is lost, doubled or torn, whoever else writes
// and however often the file changes.
func TestManyRequestsAndRotations(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "audit.log")
	l := open(t, Config{File: file, Queue: 64 << 20})
	const writers, each = 16, 500
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				l.Observe(decision(w*each + n))
			}
		})
	}
	var old []string
	for n := range 20 {
		name := filepath.Join(dir, fmt.Sprint("audit.log.", n))
		if err := os.Rename(file, name); err != nil {
			t.Fatal(err)
		}
		if err := l.Reopen(); err != nil {
			t.Fatal(err)
		}
		old = append(old, name)
		time.Sleep(time.Millisecond)
	}
	wg.Wait()
	if err := l.Close(patience); err != nil {
		t.Fatal(err)
	}
	got := ids(t, append(old, file)...)
	for id, times := range got {
		if times != 1 {
			t.Errorf("%s is there %d times", id, times)
		}
	}
	if len(got) != writers*each || l.Lost() != 0 {
		t.Errorf("got %d lines and %d lost, want %d and 0", len(got), l.Lost(), writers*each)
	}
}

func TestWhatCannotBeReopenedStaysInUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "audit.log")
	l := open(t, Config{File: file})
	moved := dir + ".old"
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want that there is no such directory", err)
	}
	l.Observe(decision(1))
	if err := l.Close(patience); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, filepath.Join(moved, "audit.log")); got["1"] != 1 {
		t.Errorf("got %v, want the line in the old file", got)
	}
	if err := l.Reopen(); err == nil {
		t.Error("reopened after the end, in a directory that is not there")
	}
}

func TestWhatCannotBeOpenedIsAnErrorAtOnce(t *testing.T) {
	dir := t.TempDir()
	for what, file := range map[string]string{
		"a directory": dir, "a directory that is not there": filepath.Join(dir, "no", "audit.log"),
	} {
		if l, err := Open(Config{File: file}); err == nil {
			l.Close(patience)
			t.Errorf("%s was opened", what)
		}
	}
	for what, c := range map[string]Config{"neither": {}, "both": {File: filepath.Join(dir, "x"), Writer: io.Discard}} {
		if _, err := Open(c); err == nil {
			t.Errorf("%s file and writer: no error", what)
		}
	}
}

// TestALineThatWasCutIsNotGoneOnWith: neither in the same process nor in the next.
func TestALineThatWasCutIsNotGoneOnWith(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.log")
	const torn = `{"time":"2026`
	if err := os.WriteFile(file, []byte("{}\n"+torn), 0o600); err != nil {
		t.Fatal(err)
	}
	l := open(t, Config{File: file})
	l.Observe(decision(1))
	if err := l.Close(patience); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(data), "\n")
	if len(lines) != 4 || lines[1] != torn+"\n" || !json.Valid([]byte(lines[2])) || lines[3] != "" {
		t.Errorf("got %q", lines)
	}
}

// BenchmarkObserve is what a request pays, and how fast lines get into a file: nobody
// goes on there while half of the queue is full.
func BenchmarkObserve(b *testing.B) {
	e := full()
	b.Run("into-a-file", func(b *testing.B) {
		l := open(b, Config{File: filepath.Join(b.TempDir(), "audit.log")})
		waiting := func() int {
			l.mu.Lock()
			defer l.mu.Unlock()
			return len(l.queue)
		}
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			l.Observe(e)
			if n%1000 == 0 {
				for waiting() > DefaultQueue/2 {
					time.Sleep(100 * time.Microsecond)
				}
			}
		}
		if l.Lost() > 0 {
			b.Errorf("lost %d", l.Lost())
		}
	})
	b.Run("queue-is-full", func(b *testing.B) {
		r, w := io.Pipe()
		l := open(b, Config{Writer: w, Queue: 1})
		b.Cleanup(func() { r.Close() })
		b.ReportAllocs()
		for b.Loop() {
			l.Observe(e)
		}
	})
}

func BenchmarkLine(b *testing.B) {
	e := full()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = appendLine(buf[:0], &e)
	}
}

// TestAFileThatWasRenamedIsOpenedAgainUnderItsName, without anybody telling; one whose
// name cannot be had goes on where it is.
func TestAFileThatWasRenamedIsOpenedAgainUnderItsName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "audit.log")
	var book logbook
	l := open(t, Config{File: file, Log: book.logger()})
	wrote := func(n int, files ...string) {
		t.Helper()
		l.Observe(decision(n))
		for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			all := map[string]int{}
			for _, f := range files {
				if _, err := os.Stat(f); err == nil {
					for id, times := range ids(t, f) {
						all[id] += times
					}
				}
			}
			if all[fmt.Sprint(n)] == 1 {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d is not in %q", n, files)
			}
		}
	}
	wrote(1, file)
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	wrote(2, file)
	if err := os.Rename(dir, dir+".moved"); err != nil {
		t.Fatal(err)
	}
	wrote(3, filepath.Join(dir+".moved", "audit.log"))
	wrote(4, filepath.Join(dir+".moved", "audit.log"))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	wrote(5, file)
	if lost := l.Lost(); lost != 0 {
		t.Errorf("%d lines were lost", lost)
	}
	book.mu.Lock()
	defer book.mu.Unlock()
	if n := strings.Count(book.buf.String(), "cannot be opened there"); n != 1 {
		t.Errorf("told %d times that it cannot be opened:\n%s", n, book.buf.String())
	}
}
