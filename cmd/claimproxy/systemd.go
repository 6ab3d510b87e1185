package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// systemd is told how it stands with the process, where that is a service of
// Type=notify or notify-reload (sd_notify(3)). Without systemd nobody is told anything.
type systemd struct {
	log *slog.Logger
}

// tell sends some assignments. What cannot be sent is no reason to stop: systemd draws its
// own conclusions.
func (s systemd) tell(assignments ...string) {
	if _, err := daemon.SdNotify(false, strings.Join(assignments, "\n")); err != nil && s.log != nil {
		s.log.Warn("systemd could not be told how it stands", "error", err)
	}
}

// ready says that requests are answered, after the start and after each reload; status is
// what "systemctl status" shows.
func (s systemd) ready(status string) {
	s.tell("READY=1", "STATUS="+strings.ReplaceAll(status, "\n", " "))
}

// reloading says that the configuration is being loaded again, until ready is called.
// With Type=notify-reload, "systemctl reload" waits for it; the time tells systemd which
// of the reloads that is.
func (s systemd) reloading() {
	s.tell("RELOADING=1", strings.TrimSpace(daemon.SdNotifyMonotonicUsec()), "STATUS=loading the configuration again")
}

// stoppingSlack is how much longer than shutdown_timeout the end may take, for the last
// lines and spans.
const stoppingSlack = 15 * time.Second

// stopping says that requests under way have their last moments, so many at most. Where
// the unit's TimeoutStopSec is shorter, that is no reason to kill.
func (s systemd) stopping(atMost time.Duration) {
	s.tell("STOPPING=1", fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", (atMost+stoppingSlack).Microseconds()), "STATUS=draining")
}

// watchdog tells systemd at half of the unit's WatchdogSec that the process lives, until
// ctx ends. alive returns when whoever answers requests does; where it does not return,
// systemd hears nothing and starts another process.
func (s systemd) watchdog(ctx context.Context, alive func()) {
	every, err := daemon.SdWatchdogEnabled(false)
	switch {
	case err != nil:
		s.log.Warn("the watchdog of systemd is not served", "error", err)
		return
	case every == 0:
		return
	}
	ticks := time.NewTicker(every / 2)
	defer ticks.Stop()
	for {
		done := make(chan struct{})
		go func() {
			defer close(done)
			alive()
		}()
		select {
		case <-ctx.Done():
			return
		case <-done:
			s.tell("WATCHDOG=1")
		}
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}
