package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
)

// reloader replaces the configuration at work by what its files have become. One
// goroutine uses it.
type reloader struct {
	file    string // the main one; empty for a configuration that is not loaded again
	process *process
	// seen is what the last loading has read, good or bad.
	seen *snapshot
	now  func() time.Time
}

// begin has a first configuration answer requests.
func (r *reloader) begin(c *compiled) error {
	s, err := build(c, r.process, nil)
	if err != nil {
		return err
	}
	r.swap(newGeneration(c.config, s))
	return nil
}

// load makes a generation of the files as they are now, whole and tested, and has it take
// over. Whatever is wrong with it, the one at work stays.
func (r *reloader) load(why string) {
	log := r.process.watch.log
	began := r.now()
	r.process.systemd.reloading()
	if err := r.replace(); err != nil {
		r.process.systemd.ready(fmt.Sprintf("serving what was loaded before: the files as they are now were not accepted (%v)", err))
		log.Error("the configuration was not loaded again; the one that is at work stays", "because", why, "error", err)
		r.process.watch.reloaded(false, r.now())
		r.process.standByConfiguration(fmt.Sprintf("the files as they were at %s were not accepted (%v), and what was loaded before is at work",
			began.UTC().Format(time.RFC3339), err))
		return
	}
	r.process.systemd.ready("serving " + r.process.current.now.Load().config.PublicURL.String())
	log.Info("the configuration was loaded again", "because", why, "took_ms", float64(r.now().Sub(began))/float64(time.Millisecond))
}

func (r *reloader) replace() error {
	log := r.process.watch.log
	r.seen = newSnapshot()
	c, report := load(r.file, r.seen.env())
	if c == nil {
		logFaults(log, slog.LevelError, report.Errors)
		return fmt.Errorf("it has %s", count(len(report.Errors), "fault", "faults"))
	}
	logWarnings(log, report)
	running := r.process.current.now.Load()
	for _, kept := range c.config.Keep(running.config) {
		log.Warn("configuration: this changes when claimproxy is started again; until then it stays as it was",
			"file", kept.At.File, "line", kept.At.Line, "key", kept.Path)
	}
	s, err := build(c, r.process, running.service)
	if err != nil {
		return err
	}
	r.swap(newGeneration(c.config, s))
	return nil
}

func (r *reloader) swap(g *generation) {
	r.process.shown.follow(g.service.ordered)
	r.process.limiter.Set(limitsOf(g.config))
	r.process.current.become(g)
	if a := r.process.admin; a != nil {
		a.desk.Store(g.service.desk)
		a.ready.ask("sessions", standingOf(g.service.checkSessions))
	}
	r.process.watch.reloaded(true, r.now())
	r.process.standByConfiguration("")
}

// follow loads the files again when they change, and at each signal, until ctx ends.
func (r *reloader) follow(ctx context.Context, told <-chan os.Signal) {
	ears := newEars(r.process.watch.log)
	defer background(ears.run)()
	ears.listenTo(r.seen.directories())
	l := lookout{
		told: told, stirred: ears.stirred,
		changed: func() bool { return r.seen.changed() },
		load: func(why string) {
			r.load(why)
			ears.listenTo(r.seen.directories())
		},
	}
	l.run(ctx)
}

// logFaults tells a log, whose every line is JSON, what a person at a terminal is shown
// with the line of the file.
func logFaults(log *slog.Logger, level slog.Level, faults []config.Fault) {
	for _, f := range faults {
		log.Log(context.Background(), level, "configuration: "+f.Message, "file", f.At.File, "line", f.At.Line, "key", f.Path, "hint", f.Hint)
	}
}

func logWarnings(log *slog.Logger, report *config.Report) {
	logFaults(log, slog.LevelWarn, report.Warnings)
}
