package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/claimproxy/claimproxy/proxy"
)

func newServe(stdout, stderr io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the proxy",
		Long: `Run the proxy until SIGTERM or SIGINT. After shutdown_delay it takes no more requests
then, and those that are under way have shutdown_timeout to end; a second signal ends the
program at once. A configuration with a fault is not run: the faults are printed and the exit code is 78. When its files
change, and at SIGHUP, it is loaded again; with a fault the old one goes on. SIGUSR1 opens
the audit file again, for when it was renamed.`,
		Args: noArguments,
	}
	path := configFlag(cmd)
	auditFile := cmd.Flags().String("audit", "", "write each decision to this `file`, or to standard output for -,\nwhatever the configuration says")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if cmd.Flags().Changed("audit") && *auditFile == "" {
			return usageError{errors.New("--audit names no file"), cmd.CommandPath()}
		}
		told := make(chan os.Signal, 1)
		if len(reloadSignals) > 0 { // Notify without any would mean all
			signal.Notify(told, reloadSignals...)
			defer signal.Stop(told)
		}
		seen := newSnapshot()
		c, report := load(*path, seen.env())
		log, lines := newLogger(stderr)
		takeStandardLog(log)
		switch {
		case c == nil:
			return errors.Join(report.Write(stderr), exit{exitConfig})
		case onTerminal(stderr):
			if err := report.Write(stderr); err != nil {
				return err
			}
		default:
			logWarnings(log, report)
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		context.AfterFunc(ctx, stop) // a second signal finds nobody listening, and kills
		spareCollections()
		p := &process{watch: watch{log: log, lines: lines}, systemd: systemd{log}}
		p.ready = func() { p.systemd.ready("serving " + c.config.PublicURL.String()) }
		p.connections.Log = log
		p.connections.Standard = os.Getenv(transportVariable) == "standard"
		to, err := auditTo(*auditFile, c.config.Audit, stdout, log)
		if err != nil {
			return err
		}
		if err := p.open(c.config, to); err != nil {
			p.close()
			return err
		}
		// Whoever reads the logs may go away; the proxy does not end by that.
		signal.Ignore(syscall.SIGPIPE)
		defer onSignals(reopenSignals, p.watch.reopen)()
		return serve(ctx, c, p, &reloader{file: *path, seen: seen}, told)
	}
	return cmd
}

// transportVariable, set to "standard", sends every request to upstreams through
// http.Transport: the way out should the short one ever be at fault.
const transportVariable = "CLAIMPROXY_TRANSPORT"

// newLogger writes JSON, or text where a person is watching. To lines, nil for text,
// further lines of JSON may be written, each in one piece.
func newLogger(w io.Writer) (log *slog.Logger, lines *lineWriter) {
	if onTerminal(w) {
		return slog.New(slog.NewTextHandler(w, nil)), nil
	}
	lines = &lineWriter{to: w}
	return slog.New(slog.NewJSONHandler(lines, nil)), lines
}

func onTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// takeStandardLog has package log, to which net/http prints what it meets on idle
// connections, write to ours: a line of JSON like all others, and without the answer
// that it would quote.
func takeStandardLog(to *slog.Logger) {
	stdlog.SetFlags(0)
	stdlog.SetOutput(proxy.ErrorLog(to).Writer())
}

// serve runs a configuration, and what becomes of it, until ctx ends; then it drains, and
// closes the process. Where r names a file, that is loaded again when it has changed or
// something is told.
func serve(ctx context.Context, c *compiled, p *process, r *reloader, told <-chan os.Signal) error {
	defer p.close()
	log := p.watch.log
	failed := make(chan error, len(p.listeners)+len(p.redirecting)+1)
	if p.admin != nil {
		p.stand("it is starting")
		go func() {
			if err := p.admin.serve(); err != nil {
				failed <- err
			}
		}()
	}
	p.limiter.Refused = p.watch.limited
	r.process, r.now = p, time.Now
	if err := r.begin(c); err != nil {
		return err
	}
	defer p.current.close()
	defer background(p.shown.run)()
	// HTTP/2 without TLS is for gRPC behind a proxy where TLS ends. It begins as HTTP/2: an
	// upgrade to it is never made.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	handler := &leaving{next: p.watch.tracing.Handler(&p.current)}
	server := &http.Server{
		Handler:           handler,
		ConnState:         func(c net.Conn, s http.ConnState) { guardState(c, s); handler.connState(c, s) },
		Protocols:         protocols,
		HTTP2:             &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second, WriteByteTimeout: time.Minute},
		ReadHeaderTimeout: c.config.Limits.HeaderTimeout,
		IdleTimeout:       c.config.Limits.IdleTimeout,
		MaxHeaderBytes:    int(c.config.Limits.HeaderBytes),
		ErrorLog:          proxy.ErrorLog(log),
		// "OPTIONS *" is answered by the walk like everything else.
		DisableGeneralOptionsHandler: true,
	}
	addrs := make([]net.Addr, len(p.listeners))
	for i, l := range p.listeners {
		addrs[i] = l.Addr()
		go func() { failed <- server.Serve(p.watch.accepting(l)) }()
	}
	defer p.redirectHTTP(&c.config.Limits, failed)()
	attrs := []any{"public_url", c.config.PublicURL.String(), "listen", fmt.Sprint(addrs), "version", buildLine()}
	if p.admin != nil {
		attrs = append(attrs, "admin", p.admin.listener.Addr().String())
	}
	for _, l := range p.redirecting {
		attrs = append(attrs, "redirect_http", l.Addr().String())
	}
	log.Info("serving", attrs...)
	p.stand("")
	p.standByAudit()
	p.standByCertificates()
	p.ready()
	defer background(func(ctx context.Context) { p.systemd.watchdog(ctx, p.current.alive) })()
	stopFollowing := func() {}
	if r.file != "" {
		stopFollowing = background(func(ctx context.Context) { r.follow(ctx, told) })
		defer stopFollowing()
	}
	select {
	case err := <-failed:
		server.Close()
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	stopFollowing()
	last := p.current.now.Load().config
	atMost := last.ShutdownTimeout
	handler.leaving.Store(true)
	p.stand("it is draining: the process was told to end")
	p.systemd.stopping(last.ShutdownDelay + atMost)
	log.Info("draining", "after", last.ShutdownDelay.String(), "at_most", atMost.String())
	select {
	case err := <-failed:
		server.Close()
		return fmt.Errorf("serving: %w", err)
	case <-time.After(last.ShutdownDelay):
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), atMost)
	defer cancel()
	err := handler.drain(drain, server, p.listeners)
	if errors.Is(err, context.DeadlineExceeded) {
		log.Warn("requests were still under way and have been cut off")
		err = server.Close()
	}
	log.Info("stopped")
	return err
}
