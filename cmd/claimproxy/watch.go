package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/cmd/claimproxy/tracing"
	"github.com/claimproxy/claimproxy/proxy"
	"github.com/claimproxy/claimproxy/proxy/audit"
	"github.com/claimproxy/claimproxy/proxy/limit"
	"github.com/claimproxy/claimproxy/proxy/metrics"
	"github.com/claimproxy/claimproxy/session/bearer"
	"github.com/claimproxy/claimproxy/session/login"
	"github.com/claimproxy/claimproxy/session/provider"
)

// auditPatience is how long the end of the program waits for a file, or for a reader
// of standard output, to take the last lines of the audit log.
const auditPatience = 5 * time.Second

// tracePatience is how long it waits for a collector to take the last spans.
const tracePatience = 3 * time.Second

// watch is who is told what became of each request: the log, the audit log, the metrics
// and a collector of traces. It outlives configurations; each has an observer of its own.
type watch struct {
	log     *slog.Logger
	lines   *lineWriter      // where log goes as JSON; nil: it does not, or that is not known
	audit   *audit.Log       // nil: decisions are not written down
	metrics *metrics.Metrics // nil: nobody could read them
	tracing *tracing.Tracing // nil: nobody wants traces
	// refused recognises who is refused again and again.
	refused refusals
	// limits recognises who meets a limit.
	limits limited
}

// auditTo is the configuration of the audit log, nil for none. The option --audit,
// unless it is empty, goes before the file.
func auditTo(option string, c *config.Audit, stdout io.Writer, log *slog.Logger) (*audit.Config, error) {
	switch {
	case option == "-":
		return &audit.Config{Writer: stdout, Log: log}, nil
	case option != "":
		return &audit.Config{File: option, Log: log}, nil
	case c == nil:
		return nil, nil
	case c.Stdout:
		return &audit.Config{Writer: stdout, Log: log}, nil
	case c.Syslog:
		w, err := openSyslog("", "")
		if err != nil {
			return nil, fmt.Errorf("audit: syslog: %w", err)
		}
		return &audit.Config{Writer: w, Log: log}, nil
	}
	return &audit.Config{File: c.File, Log: log}, nil
}

// mayAllow is what keeps people out while the audit log cannot be written, nil for
// nothing.
func (w *watch) mayAllow(c *config.Config) func() error {
	if w.audit == nil || c.Audit == nil || c.Audit.OnFailure != config.OnFailureRefuse {
		return nil
	}
	return w.audit.Failing
}

// auditPause is how long claimproxy is not ready after a line was lost that nobody is let
// in without. Then requests are wanted again: it is their lines that show whether there is
// room.
const auditPause = 10 * time.Second

// auditStanding is how it stands with the audit log under a configuration.
func (w *watch) auditStanding(c *config.Config, now time.Time) standing {
	f := w.audit.LastFailure()
	switch {
	case f == nil:
		return standing{Ready: true}
	case w.mayAllow(c) == nil:
		return standing{Ready: true, Why: fmt.Sprintf("lines are lost, and requests go on without: %v", f.Err)}
	case now.Sub(f.At) >= auditPause:
		return standing{Ready: true, Why: fmt.Sprintf("the last line was lost, and the next request shows whether there is room again: %v", f.Err)}
	}
	return standing{Why: fmt.Sprintf("lines cannot be written, and nobody is let in without: %v", f.Err)}
}

// newMetrics makes the metrics of the process, those of what is at work now among them.
func (w *watch) newMetrics(now *current, certificates func() []metrics.Certificate, limiter *limit.Limiter) {
	b := thisBuild()
	c := metrics.Config{Version: b.version, Revision: b.revision, GoVersion: b.goVersion, Servers: now.servers, SessionsInMemory: now.live, Sessions: now.kept, Certificates: certificates, UnderWay: limiter.UnderWay}
	if w.audit != nil {
		c.AuditLost = w.audit.Lost
	}
	w.metrics = metrics.New(c)
}

// ofProvider, ofTokens and ofPeople are who counts what is done to find out who is calling,
// nil for nobody.
func (w *watch) ofProvider(id string) provider.Observer {
	if w.metrics == nil {
		return nil
	}
	return w.metrics.Provider(id)
}

func (w *watch) ofTokens() bearer.Observer {
	if w.metrics == nil {
		return nil
	}
	return w.metrics
}

func (w *watch) ofPeople() login.Observer {
	if w.metrics == nil {
		return nil
	}
	return w.metrics
}

// observer tells everybody about the requests of one configuration.
func (w *watch) observer(c *compiled) func(proxy.Event) {
	observers := []func(proxy.Event){w.writeLog, func(e proxy.Event) { w.refused.observe(w.log, e) }}
	if w.audit != nil {
		observers = append(observers, w.audit.Observe)
	}
	if w.metrics != nil {
		observers = append(observers, w.metrics.Observer(c.names()).Observe)
	}
	if w.tracing != nil {
		observers = append(observers, w.tracing.Observe)
	}
	return func(e proxy.Event) {
		for _, observe := range observers {
			observe(e)
		}
	}
}

// limited is told what a limit has refused.
func (w *watch) limited(which, client string) {
	if w.metrics != nil {
		w.metrics.Limited(which)
	}
	if which == limit.Requests {
		client = "" // it is met by all of them together
	}
	w.limits.meet(w.log, meeting{which, client}, time.Now())
}

// reloaded tells how loading the configuration went.
func (w *watch) reloaded(ok bool, at time.Time) {
	if w.metrics != nil {
		w.metrics.Reloaded(ok, at)
	}
}

// reopen opens the audit file again.
func (w *watch) reopen() {
	if w.audit == nil {
		w.log.Info("there is no audit file to open again")
		return
	}
	if err := w.audit.Reopen(); err != nil {
		w.log.Error("the audit file cannot be opened again; the one that was open stays in use", "error", err)
		return
	}
	w.log.Info("the audit file was opened again")
}

// trace begins to tell a collector about requests, where somebody wants that.
func (w *watch) trace(c *config.Config) error {
	if !tracing.Wanted(c.Tracing != nil) {
		return nil
	}
	to := tracing.Config{Version: thisBuild().version, Log: w.log}
	if c.Tracing != nil {
		to.Endpoint = c.Tracing.Endpoint
	}
	var err error
	w.tracing, err = tracing.New(context.Background(), to)
	return err
}

// throughUpstream and throughProvider are what is put around calls, nil for nothing.
func (w *watch) throughUpstream() func(string, http.RoundTripper) http.RoundTripper {
	if w.tracing == nil {
		return nil
	}
	return func(name string, next http.RoundTripper) http.RoundTripper {
		return w.tracing.Transport("upstream", name, next)
	}
}

func (w *watch) throughProvider(id string) func(http.RoundTripper) http.RoundTripper {
	if w.tracing == nil {
		return nil
	}
	return func(next http.RoundTripper) http.RoundTripper { return w.tracing.Transport("provider", id, next) }
}

// close has the last spans delivered and the last lines written.
func (w *watch) close() {
	if w.lines != nil {
		defer w.lines.flush()
	}
	ctx, cancel := context.WithTimeout(context.Background(), tracePatience)
	defer cancel()
	if err := w.tracing.Close(ctx); err != nil {
		w.log.Warn("the last traces could not be delivered", "error", err)
	}
	if w.audit == nil {
		return
	}
	if err := w.audit.Close(auditPatience); err != nil {
		w.log.Error("closing the audit log", "error", err)
	}
}
