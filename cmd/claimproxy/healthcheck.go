package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
)

// healthTimeout bounds the whole question: who asks every few seconds must not pile up.
const healthTimeout = 4 * time.Second

func newHealthcheck(stdout io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a claimproxy that serves on this machine whether it is ready",
		Long: `Ask a claimproxy that serves on this machine, on its admin listener, whether it is
ready; for images that have no shell. The configuration says where that is. Without an
admin listener it is only seen whether connections are taken. The exit code is 0 when it
is ready, and else 1, with the reason.`,
		Args: noArguments,
	}
	path := configFlag(cmd)
	url := cmd.Flags().String("admin", "", "the `URL` of the admin listener, in place of the configuration's")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), healthTimeout)
		defer cancel()
		if *url != "" {
			return askReady(ctx, *url, stdout)
		}
		c, report := config.Load(*path, config.Env{WithoutSecrets: true})
		switch {
		case c == nil:
			// The file may be broken while what it was before is at work.
			if err := askReady(ctx, "http://127.0.0.1:8081", stdout); err != nil {
				return errors.Join(report.Write(cmd.ErrOrStderr()), err)
			}
			return nil
		case c.Admin != nil:
			return askReady(ctx, "http://"+reachable(c.Admin.Listen), stdout)
		}
		return knock(ctx, c.Listen, stdout)
	}
	return cmd
}

// askReady asks an admin listener and says what is not ready.
func askReady(ctx context.Context, base string, stdout io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(base, "/")+"/readyz", nil)
	if err != nil {
		return err
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var answer struct {
		Ready bool
		Parts map[string]standing
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&answer); err != nil {
		return fmt.Errorf("expected the answer of claimproxy's admin listener, got status %d from %s", res.StatusCode, req.URL.Host)
	}
	if answer.Ready {
		_, err := fmt.Fprintln(stdout, "ready")
		return err
	}
	var why []string
	for _, name := range slices.Sorted(maps.Keys(answer.Parts)) {
		if p := answer.Parts[name]; !p.Ready {
			why = append(why, fmt.Sprintf("%s: %s", printable(name), printable(p.Why)))
		}
	}
	return fmt.Errorf("not ready: %s", strings.Join(why, "; "))
}

// knock sees whether an address takes connections.
func knock(ctx context.Context, addresses []string, stdout io.Writer) error {
	var err error
	for _, address := range addresses {
		network, at := "tcp", reachable(address)
		if path, ok := strings.CutPrefix(address, "unix:"); ok {
			network, at = "unix", path
		}
		var conn net.Conn
		if conn, err = new(net.Dialer).DialContext(ctx, network, at); err == nil {
			conn.Close()
			_, err := fmt.Fprintf(stdout, "connections are taken on %s; there is no admin listener to ask for more\n", address)
			return err
		}
	}
	return err
}

// reachable is an address to listen on as one to ask: what stands for all addresses of
// the machine has no name of its own.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	return net.JoinHostPort(host, port)
}
