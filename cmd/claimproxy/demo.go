package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/cmd/claimproxy/demo"
)

func newDemo(stdout, stderr io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Try it out: a development provider, a sample application, and claimproxy in front",
		Long: `Run a development OpenID Provider, a sample telemetry application and claimproxy
in front of it, all on 127.0.0.1, and print what to open in a browser and what to
type. It needs no configuration and leaves nothing behind.`,
		Args: noArguments,
	}
	ports := demo.DefaultPorts
	cmd.Flags().IntVar(&ports.Proxy, "port", ports.Proxy, "the `port` of claimproxy; a free one if it is taken")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
		if !signal.Ignored(syscall.SIGHUP) { // as under nohup
			// A terminal that is closed must leave nothing behind either.
			ends = append(ends, syscall.SIGHUP)
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), ends...)
		defer stop()
		context.AfterFunc(ctx, stop)
		return demo.Run(ctx, demo.Options{Out: stdout, Ports: ports, Serve: func(ctx context.Context, file string, l net.Listener, ready func()) error {
			c, report := load(file, config.Env{})
			if c == nil {
				l.Close()
				report.Write(stderr)
				return exit{exitConfig}
			}
			// What people try out is on their screen; the log is for what goes wrong.
			log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
			takeStandardLog(log)
			p := &process{watch: watch{log: log}, ready: ready}
			p.listeners = []net.Listener{guarding{l, &p.limiter}}
			return serve(ctx, c, p, new(reloader), nil)
		}})
	}
	return cmd
}
