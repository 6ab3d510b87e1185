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

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/proxy"
)

func newServe(stderr io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the proxy",
		Long: `Run the proxy until SIGTERM or SIGINT. Requests that are under way then have
shutdown_timeout to end; a second signal ends the program at once. A configuration
with a fault is not run: the faults are printed and the exit code is 78.`,
		Args: noArguments,
	}
	path := configFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, report := load(*path, config.Env{})
		log := newLogger(stderr)
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
		listeners, err := listen(c.config, log)
		if err != nil {
			return err
		}
		return serve(ctx, c, listeners, log, func() {})
	}
	return cmd
}

// newLogger writes JSON, or text where a person is watching.
func newLogger(w io.Writer) *slog.Logger {
	if onTerminal(w) {
		return slog.New(slog.NewTextHandler(w, nil))
	}
	return slog.New(slog.NewJSONHandler(w, nil))
}

func onTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// logWarnings tells a log, whose every line is JSON, what a person at a terminal is
// shown with the line of the file.
func logWarnings(log *slog.Logger, report *config.Report) {
	for _, f := range report.Warnings {
		log.Warn("configuration: "+f.Message, "file", f.At.File, "line", f.At.Line, "key", f.Path, "hint", f.Hint)
	}
}

// takeStandardLog has package log, to which net/http prints what it meets on idle
// connections, write to ours: a line of JSON like all others, and without the answer
// that it would quote.
func takeStandardLog(to *slog.Logger) {
	stdlog.SetFlags(0)
	stdlog.SetOutput(proxy.ErrorLog(to).Writer())
}

// serve runs a configuration on listeners, which it closes, until ctx ends; then it
// drains. It calls ready once requests are answered.
func serve(ctx context.Context, c *compiled, listeners []net.Listener, log *slog.Logger, ready func()) error {
	defer closeAll(listeners)
	s, err := build(c, log)
	if err != nil {
		return err
	}
	defer s.close()
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    128 << 10, // tokens and cookies of people in very many groups
		ErrorLog:          proxy.ErrorLog(log),
		// "OPTIONS *" is answered by the walk like everything else.
		DisableGeneralOptionsHandler: true,
	}
	failed := make(chan error, len(listeners))
	addrs := make([]net.Addr, len(listeners))
	for i, l := range listeners {
		addrs[i] = l.Addr()
		go func() { failed <- server.Serve(l) }()
	}
	log.Info("serving", "public_url", c.config.PublicURL.String(), "listen", fmt.Sprint(addrs), "version", buildLine())
	ready()
	select {
	case err := <-failed:
		server.Close()
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	log.Info("draining", "at_most", c.config.ShutdownTimeout.String())
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.config.ShutdownTimeout)
	defer cancel()
	err = server.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		log.Warn("requests were still under way and have been cut off")
		err = server.Close()
	}
	log.Info("stopped")
	return err
}
