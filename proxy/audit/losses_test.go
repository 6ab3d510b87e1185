package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// logbook keeps what the log was told.
type logbook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logbook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logbook) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(b, nil)) }

type loss struct {
	Msg         string
	Lost        int
	QueueFull   int    `json:"queue_was_full"`
	WriteFailed int    `json:"write_failed"`
	Error       string `json:"error"`
}

// told are the losses that the log was told, which is forgotten with that.
func (b *logbook) told(t *testing.T) []loss {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []loss
	for line := range bytes.Lines(b.buf.Bytes()) {
		var l loss
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	b.buf.Reset()
	return all
}

// disk is a writer with room for so many bytes.
type disk struct {
	room int
	got  []byte
}

func (d *disk) Write(p []byte) (int, error) {
	n := min(d.room, len(p))
	d.room -= n
	d.got = append(d.got, p[:n]...)
	if n < len(p) {
		return n, errors.New("no space left on device")
	}
	return n, nil
}

// TestAFullDiskIsCountedAndSaid: on a device that is always full.
func TestAFullDiskIsCountedAndSaid(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full")
	}
	var book logbook
	l := open(t, Config{File: "/dev/full", Log: book.logger()})
	for n := range 10 {
		l.Observe(decision(n))
	}
	if err := l.Close(patience); err != nil {
		t.Fatal(err)
	}
	told := book.told(t)
	if len(told) != 1 || told[0].Lost != 10 || told[0].WriteFailed != 10 || !strings.Contains(told[0].Error, "no space left on device") || l.Lost() != 10 {
		t.Errorf("lost %d, the log says %+v", l.Lost(), told)
	}
}

// TestLinesGoOnOnANewLine: the disk fills up inside a line, and is emptied later.
func TestLinesGoOnOnANewLine(t *testing.T) {
	event := decision(1)
	length := len(appendLine(nil, &event))
	for room := range 4*length + 2 {
		synctest.Test(t, func(t *testing.T) {
			d := &disk{room: room}
			l := open(t, Config{Writer: d})
			for range 4 { // each is written before the next comes
				l.Observe(decision(1))
				synctest.Wait()
			}
			d.room = 1 << 20
			l.Observe(decision(2))
			if err := l.Close(patience); err != nil {
				t.Fatal(err)
			}
			whole, broken := 0, 0
			for line := range bytes.Lines(d.got) {
				if json.Valid(line) && bytes.HasSuffix(line, []byte("\n")) {
					whole++
				} else {
					broken++
				}
			}
			if !bytes.HasSuffix(d.got, []byte("\n")) || !bytes.Contains(d.got, []byte("\n"+`{"time":"0001-01-01T00:00:00.000000Z","request_id":"2"`)) && room >= length ||
				broken > 1 || uint64(whole)+l.Lost() != 5 {
				t.Errorf("room for %d bytes: %d whole lines, %d broken, %d lost in\n%s", room, whole, broken, l.Lost(), d.got)
			}
		})
	}
}

// TestASlowReaderHoldsNobodyUp: requests go on, losses are said once a minute, and
// what fitted is written in the end.
func TestASlowReaderHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		var book logbook
		event := decision(1)
		length := len(appendLine(nil, &event))
		l := open(t, Config{Writer: w, Log: book.logger(), Queue: 1 + 10*length})
		began := time.Now()
		l.Observe(event)
		synctest.Wait() // the writer hangs in it
		for range 15 {
			l.Observe(event)
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("observing took %v", waited)
		}
		if l.Lost() != 5 {
			t.Errorf("lost %d, want 5", l.Lost())
		}
		time.Sleep(firstWord)
		synctest.Wait()
		if told := book.told(t); len(told) != 1 || told[0].Lost != 5 || told[0].QueueFull != 5 || told[0].Error != "" {
			t.Errorf("soon after the first: %+v", told)
		}
		for range 7 {
			l.Observe(event)
			time.Sleep(time.Second)
		}
		if told := book.told(t); told != nil {
			t.Errorf("within the minute: %+v", told)
		}
		time.Sleep(betweenWords)
		synctest.Wait()
		if told := book.told(t); len(told) != 1 || told[0].Lost != 7 {
			t.Errorf("after a minute: %+v", told)
		}
		time.Sleep(time.Hour)
		if told := book.told(t); told != nil {
			t.Errorf("without further losses: %+v", told)
		}
		got := make(chan []byte)
		go func() {
			data, _ := io.ReadAll(r)
			got <- data
		}()
		if err := l.Close(patience); err != nil {
			t.Fatal(err)
		}
		w.Close()
		if lines := bytes.Count(<-got, []byte("\n")); lines != 11 || l.Lost() != 12 {
			t.Errorf("%d lines written, %d lost; want 11 and 12", lines, l.Lost())
		}
	})
}

// TestAReaderThatHangsDoesNotKeepTheProgramFromEnding and what it did not take is
// said.
func TestAReaderThatHangsDoesNotKeepTheProgramFromEnding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		var book logbook
		l := open(t, Config{Writer: w, Log: book.logger()})
		for n := range 3 {
			l.Observe(decision(n))
			synctest.Wait()
		}
		began := time.Now()
		if err := l.Close(patience); !errors.Is(err, ErrSlow) || time.Since(began) != patience {
			t.Errorf("got %v after %v, want %v after %v", err, time.Since(began), ErrSlow, patience)
		}
		if told := book.told(t); len(told) != 1 || told[0].Lost != 3 || l.Lost() != 3 {
			t.Errorf("lost %d, the log says %+v", l.Lost(), told)
		}
		r.Close()
		synctest.Wait()
		if l.Lost() != 3 {
			t.Errorf("lost %d, counted twice", l.Lost())
		}
		if err := l.Close(patience); err != nil {
			t.Error(err)
		}
	})
}

// TestAWriterThatBreaksItsPromisesBreaksNothing of ours.
func TestAWriterThatBreaksItsPromisesBreaksNothing(t *testing.T) {
	for name, test := range map[string]struct {
		n    int
		lost uint64
	}{
		"too little, without an error": {3, 1}, "less than nothing": {-1, 1}, "too much": {1 << 20, 0},
	} {
		l := open(t, Config{Writer: writerFunc(func([]byte) (int, error) { return test.n, nil })})
		l.Observe(decision(1))
		if err := l.Close(patience); err != nil {
			t.Fatal(err)
		}
		if l.Lost() != test.lost {
			t.Errorf("%s: lost %d, want %d", name, l.Lost(), test.lost)
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestFailingSaysSoAsLongAsLinesAreLost and not a line longer.
func TestFailingSaysSoAsLongAsLinesAreLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		l := open(t, Config{Writer: d})
		if err := l.Failing(); err != nil {
			t.Errorf("before anything was written: got %v", err)
		}
		l.Observe(decision(1))
		synctest.Wait()
		if err := l.Failing(); err == nil || err.Error() != "no space left on device" {
			t.Errorf("on a full disk: got %v", err)
		}
		d.room = 1 << 10
		l.Observe(decision(2))
		synctest.Wait()
		if err := l.Failing(); err != nil {
			t.Errorf("with room again: got %v", err)
		}
	})
}
