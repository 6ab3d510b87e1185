package main

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// lookEvery is how often files are looked at that nothing was heard of: some file
	// systems, such as network ones, tell nobody.
	lookEvery = 3 * time.Second
	// settleFor is how long it is quiet before files are believed to be written whole,
	// and settleMost how long that is waited for.
	settleFor  = 200 * time.Millisecond
	settleMost = time.Second
)

// lookout has a configuration loaded again when its files change, or when it is told
// to.
type lookout struct {
	// told has an element when somebody asks for it, whether or not a file has changed.
	told <-chan os.Signal
	// stirred has an element when something has happened in a directory that matters.
	stirred <-chan struct{}
	// changed says whether the files are other ones than those that were loaded last.
	changed func() bool
	// load loads them.
	load func(why string)
}

// run looks until ctx ends.
func (l *lookout) run(ctx context.Context) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	settled := time.NewTimer(0)
	settled.Stop()
	var unsettled time.Time // since when; zero for not
	stir := func(now time.Time) {
		if unsettled.IsZero() {
			unsettled = now
		}
		settled.Reset(min(settleFor, max(0, settleMost-now.Sub(unsettled))))
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.told:
			l.load("SIGHUP")
		case <-l.stirred:
			stir(time.Now())
		case <-look.C:
			if unsettled.IsZero() && l.changed() {
				stir(time.Now())
			}
		case <-settled.C:
			unsettled = time.Time{}
			if l.changed() {
				l.load("a file has changed")
			}
		}
	}
}

// ears hear of what happens in directories.
type ears struct {
	stirred chan struct{}
	watcher *fsnotify.Watcher // nil: there is none, and lookEvery has to do
	log     *slog.Logger
}

func newEars(log *slog.Logger) *ears {
	e := &ears{stirred: make(chan struct{}, 1), log: log}
	var err error
	if e.watcher, err = fsnotify.NewWatcher(); err != nil {
		log.Warn("changes of files are not announced here; they are looked for", "every", lookEvery.String(), "error", err)
	}
	return e
}

// run passes on that something has happened, until ctx ends.
func (e *ears) run(ctx context.Context) {
	if e.watcher == nil {
		return
	}
	defer e.watcher.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.watcher.Events:
		case err := <-e.watcher.Errors: // it may have missed something
			e.log.Debug("watching files", "error", err)
		}
		select {
		case e.stirred <- struct{}{}:
		default:
		}
	}
}

// listenTo hears of these directories, and of no others any more. One that cannot be
// watched is looked at every lookEvery.
func (e *ears) listenTo(dirs []string) {
	if e.watcher == nil {
		return
	}
	for _, dir := range e.watcher.WatchList() {
		if !slices.Contains(dirs, dir) {
			_ = e.watcher.Remove(dir) // it may be gone
		}
	}
	for _, dir := range dirs {
		if err := e.watcher.Add(dir); err != nil {
			e.log.Debug("a directory cannot be watched", "directory", dir, "error", err)
		}
	}
}
