package main

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// writes remembers each write.
type writes struct {
	fail error

	mu  sync.Mutex
	all []string
}

// take returns them, and forgets them.
func (w *writes) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.all
	w.all = nil
	return all
}

func (w *writes) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, string(b))
	return len(b), w.fail
}

// TestLinesAreGathered: a line that comes alone is written at once, many are written
// together and soon, and an urgent one takes those before it along: the order stays.
func TestLinesAreGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var to writes
		l := &lineWriter{to: &to}
		expect := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if diff := cmp.Diff(want, to.take()); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
		}
		l.soon([]byte("alone\n"), time.Now())
		expect("alone\n")
		l.soon([]byte("a\n"), time.Now())
		l.soon([]byte("b\n"), time.Now())
		expect()
		time.Sleep(gatherLines)
		expect("a\nb\n")
		l.soon([]byte("c\n"), time.Now())
		if _, err := l.Write([]byte("urgent\n")); err != nil {
			t.Error(err)
		}
		expect("c\nurgent\n")
		l.soon([]byte("last\n"), time.Now())
		l.flush()
		expect("last\n")
		time.Sleep(time.Second)
		expect()
	})
}

// TestGatheredLinesAreBounded: what waits is written when it is much, and what cannot be
// written does not stay.
func TestGatheredLinesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := writes{fail: errors.New("no space left on device")}
		l := &lineWriter{to: &to}
		line := []byte(strings.Repeat("x", 1023) + "\n")
		const n = 1000
		for range n {
			l.soon(line, time.Now())
		}
		l.flush()
		longest := 0
		all := to.take()
		for _, w := range all {
			longest = max(longest, len(w))
		}
		if got := len(strings.Join(all, "")); got != n*len(line) || longest > maxGathered || len(all) > n*len(line)/maxGathered+2 {
			t.Errorf("%d bytes in %d writes, the longest of %d", got, len(to.all), longest)
		}
		if !slices.Equal(l.waiting, nil) {
			t.Errorf("%d bytes wait", len(l.waiting))
		}
		time.Sleep(gatherLines)
	})
}
