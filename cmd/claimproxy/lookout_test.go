package main

import (
	"context"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// bench is a lookout on a clock of its own.
type bench struct {
	told    chan os.Signal
	stirred chan struct{}
	other   atomic.Bool // the files are other ones
	loads   []string    // why
	at      []time.Duration
}

// look runs do beside a lookout.
func look(t *testing.T, do func(b *bench)) *bench {
	t.Helper()
	b := new(bench)
	synctest.Test(t, func(t *testing.T) {
		b.told, b.stirred = make(chan os.Signal, 1), make(chan struct{}, 1)
		began := time.Now()
		l := lookout{told: b.told, stirred: b.stirred, changed: func() bool { return b.other.Load() }, load: func(why string) {
			b.other.Store(false)
			b.loads = append(b.loads, why)
			b.at = append(b.at, time.Since(began))
		}}
		ctx, cancel := context.WithCancel(t.Context())
		go l.run(ctx)
		do(b)
		synctest.Wait()
		cancel()
		synctest.Wait()
	})
	return b
}

func TestFilesAreLoadedWhenTheyHaveSettled(t *testing.T) {
	b := look(t, func(b *bench) {
		b.other.Store(true)
		for range 4 { // an editor that writes in pieces
			b.stirred <- struct{}{}
			time.Sleep(150 * time.Millisecond)
		}
		time.Sleep(2 * time.Second)
	})
	if want := []time.Duration{650 * time.Millisecond}; !slices.Equal(b.at, want) {
		t.Errorf("loaded at %v, want %v", b.at, want)
	}
}

// TestADirectoryThatIsNeverQuietDelaysNothing: a log may be written there all the time.
func TestADirectoryThatIsNeverQuietDelaysNothing(t *testing.T) {
	b := look(t, func(b *bench) {
		b.other.Store(true)
		for range 15 {
			b.stirred <- struct{}{}
			time.Sleep(100 * time.Millisecond)
		}
	})
	if len(b.at) != 1 || b.at[0] > settleMost+settleFor {
		t.Errorf("loaded at %v, want once, after %v", b.at, settleMost)
	}
}

// TestFilesThatNobodyTellsOfAreFoundInTime, as on a network file system.
func TestFilesThatNobodyTellsOfAreFoundInTime(t *testing.T) {
	b := look(t, func(b *bench) {
		time.Sleep(lookEvery + time.Millisecond)
		b.other.Store(true)
		time.Sleep(5 * time.Second)
	})
	if len(b.at) != 1 || b.at[0] > lookEvery+5*time.Second {
		t.Errorf("loaded at %v, want once, within 5s", b.at)
	}
}

func TestWhatIsTheSameIsNotLoaded(t *testing.T) {
	b := look(t, func(b *bench) {
		b.stirred <- struct{}{}
		time.Sleep(time.Minute)
	})
	if len(b.loads) != 0 {
		t.Errorf("loaded because of %q", b.loads)
	}
}

// TestASignalLoadsAtOnce whatever the files are.
func TestASignalLoadsAtOnce(t *testing.T) {
	b := look(t, func(b *bench) { b.told <- syscall.SIGHUP })
	if !slices.Equal(b.loads, []string{"SIGHUP"}) || b.at[0] != 0 {
		t.Errorf("loaded because of %q at %v", b.loads, b.at)
	}
}
