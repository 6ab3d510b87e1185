// Package audit writes down what was decided: one line of JSON for each decision of a
// route, in a file, on standard output or to syslog. It observes; whether a log that
// loses lines keeps people out is up to whoever asks it for Failing.
//
// What it promises:
//
//   - A request never waits for it. A line is put into a queue in memory, and one
//     goroutine writes what has gathered there.
//   - Nothing is lost in silence. A line that finds the queue full, or that the file
//     does not take, is counted, and the log says how many there were: soon after the
//     first, and then once a minute.
//   - A line is a line. Whatever stands in a value, control characters and the like are
//     escaped, long values are cut, and what comes after a line that was written in part
//     begins on a new one. The part itself stays: it is the one thing in the file that is
//     not JSON.
//   - Every line has every key, in the same order; see Event in package proxy for what
//     they mean. There is no token, no cookie and no query among them.
//
// What it does not promise: lines that are in the queue when the process is killed are
// gone, and no line is on the disk for certain before the operating system has put it
// there.
package audit

import (
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/claimproxy/claimproxy/proxy"
)

// DefaultQueue is how many bytes of lines may wait: about ten thousand lines.
const DefaultQueue = 4 << 20

// Config is what a Log is made of.
type Config struct {
	// File is the name of the file that lines are appended to. It is made if it is
	// not there, readable and writable for claimproxy's user alone.
	File string
	// Writer takes the lines instead of a file. Close leaves it open.
	Writer io.Writer
	// Queue is how many bytes of lines may wait to be written; a line more is lost.
	// As many again may be on their way to the file. Zero means DefaultQueue.
	Queue int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log is told about losses; nil discards that.
	Log *slog.Logger
}

// Log is an audit log. It is safe for concurrent use.
type Log struct {
	file  string // empty: it is not a file of ours
	limit int
	now   func() time.Time

	mu sync.Mutex
	// queue is the lines that wait, after one newline that is written only where a
	// line was left unfinished.
	queue []byte
	lines int
	// writing is how many lines the writer has taken and not yet written.
	writing int
	next    *output // what Reopen has opened, until the writer takes it
	closed  bool

	wake chan struct{} // holds one element while there is something to do
	done chan struct{} // closed by the writer at its end
	out  output        // the writer's own until done is closed

	lost   atomic.Uint64
	losses losses
	// failing is why the last line that was put in or written was lost; nil when it was
	// not.
	failing atomic.Pointer[Failure]
}

// Failure is why a line was lost, and when.
type Failure struct {
	Err error
	At  time.Time
}

// Open opens the file and starts the writer, which Close ends.
func Open(c Config) (*Log, error) {
	if (c.File == "") == (c.Writer == nil) {
		return nil, errors.New("audit: it needs a file or a writer, and not both")
	}
	l := &Log{file: c.File, limit: c.Queue, now: c.Now, wake: make(chan struct{}, 1), done: make(chan struct{})}
	if l.limit == 0 {
		l.limit = DefaultQueue
	}
	if l.now == nil {
		l.now = time.Now
	}
	l.losses.log = c.Log
	if l.losses.log == nil {
		l.losses.log = slog.New(slog.DiscardHandler)
	}
	l.out = output{w: c.Writer}
	if c.File != "" {
		out, err := openFile(c.File)
		if err != nil {
			return nil, err
		}
		l.out = *out
	}
	go l.write()
	return l, nil
}

// Observe puts a line for an event into the queue. Events of claimproxy's own pages,
// on which no route decides, have none.
func (l *Log) Observe(e proxy.Event) {
	if e.Decision == "" {
		return
	}
	l.mu.Lock()
	if l.closed || len(l.queue) >= l.limit {
		l.mu.Unlock()
		l.lose(1, nil)
		return
	}
	if len(l.queue) == 0 {
		l.queue = append(l.queue, '\n')
	}
	l.queue = appendLine(l.queue, &e)
	l.lines++
	l.mu.Unlock()
	l.stir()
}

// Failing is why lines are being lost, as far as the last one tells, and nil when none
// is. It does not wait. Lines that are observed have it found out whether that goes on.
func (l *Log) Failing() error {
	if f := l.failing.Load(); f != nil {
		return f.Err
	}
	return nil
}

// LastFailure is what Failing returns with the time of the last line that was lost; nil
// when none is being lost.
func (l *Log) LastFailure() *Failure { return l.failing.Load() }

// Lost is how many lines were lost since Open.
func (l *Log) Lost() uint64 { return l.lost.Load() }

// Reopen opens the file under its name again, for when it has been renamed to keep it
// from growing. Lines go to the new file from the next write on. If it cannot be
// opened the old one stays in use. Where there is no file it does nothing.
func (l *Log) Reopen() error {
	if l.file == "" {
		return nil
	}
	out, err := openFile(l.file)
	if err != nil {
		return err
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return out.close()
	}
	unused := l.next
	l.next = out
	l.mu.Unlock()
	l.stir()
	if unused != nil {
		return unused.close()
	}
	return nil
}

// stir wakes the writer.
func (l *Log) stir() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// lose counts lines that are lost, for want of room in the queue or for the reason
// that writing failed.
func (l *Log) lose(lines int, why error) {
	l.lost.Add(uint64(lines))
	l.losses.add(lines, why)
	if why == nil {
		why = errFull
	}
	l.failing.Store(&Failure{why, l.now()})
}

// errFull is why a line is lost that finds no room.
var errFull = errors.New("audit: lines come faster than they can be written")

// ErrSlow is returned by Close when lines were still waiting at its deadline.
var ErrSlow = errors.New("audit: lines could not be written in time")

// Close takes no more lines, has those in the queue written, closes the file and says
// what was lost. It returns after patience at the latest: then a write has hung, and
// the lines in it and behind it count as lost. Lines that are observed afterwards are
// lost.
func (l *Log) Close(patience time.Duration) error {
	l.mu.Lock()
	again := l.closed
	l.closed = true
	l.mu.Unlock()
	if again {
		return nil
	}
	l.stir()
	defer l.losses.close()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-l.done:
		return l.out.closed
	case <-timer.C:
		l.mu.Lock()
		unwritten := l.lines + l.writing
		l.queue, l.lines, l.writing = nil, 0, 0
		l.mu.Unlock()
		l.lose(unwritten, ErrSlow)
		return ErrSlow
	}
}
