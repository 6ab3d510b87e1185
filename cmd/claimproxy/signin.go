package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/signin"
)

// signInCommands are those for people who use an application behind claimproxy with a
// program, on their own machine.
func signInCommands(stdout, stderr io.Writer) []*cobra.Command {
	return []*cobra.Command{newLogin(stderr), newToken(stdout, stderr), newCurl(stdout, stderr), newLogout(stderr), newGitCredential(stdout, stderr)}
}

// withAgent runs what a command does with the agent of these commands. ctrl-C ends it, and what
// is being written is written to its end.
func withAgent(cmd *cobra.Command, stderr io.Writer, work func(context.Context, *signin.Agent) error) error {
	a, err := signin.New(stderr)
	if err != nil {
		return err
	}
	if onTerminal(stderr) && onTerminal(os.Stdin) {
		a.Confirm = func(question string) bool {
			fmt.Fprintf(stderr, "%s [y/N] ", question)
			answer, _ := bufio.NewReader(os.Stdin).ReadString('\n')
			return slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer)))
		}
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = work(ctx, a)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return exit{exitFailed} // whoever ended it knows
	}
	return err
}

// oneAddress wants the address of an application as the only argument.
func oneAddress(cmd *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	return usageError{fmt.Errorf("expected the address of one application, as in %s https://telemetry.example.org", cmd.CommandPath()), cmd.CommandPath()}
}

func newLogin(stderr io.Writer) *cobra.Command {
	var o signin.Options
	cmd := &cobra.Command{
		Use:   "login URL",
		Short: "Sign in to an application behind claimproxy, for programs on this machine",
		Long: `Sign in to an application behind claimproxy, for the programs on this machine: curl,
git, your own. The application says where, your browser is opened there, and a refresh
token is kept in the keyring, or in a file that you alone can read.

After that "claimproxy token URL" prints a fresh access token whenever one is needed.`,
		Example: `  claimproxy login https://telemetry.example.org
  claimproxy login --device https://telemetry.example.org     # no browser on this machine`,
		Args: oneAddress,
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Provider, "provider", "", "the `id` of the provider, where there are several")
	flags.BoolVar(&o.Device, "device", false, "sign in with a browser on another device (RFC 8628)")
	flags.BoolVar(&o.NoBrowser, "no-browser", false, "print the address to open, and open no browser")
	flags.StringVar(&o.Resource, "resource", "", "the `URI` that the token is to be for, where the application does not say (RFC 8707)")
	flags.BoolVar(&o.Trust, "trust", false, "the application may get a token that another one takes too, and its provider is known")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if o.Device && o.NoBrowser {
			return usageError{errors.New("with --device no browser is opened anyhow: leave out --no-browser"), cmd.CommandPath()}
		}
		return withAgent(cmd, stderr, func(ctx context.Context, a *signin.Agent) error { return a.Login(ctx, args[0], o) })
	}
	return cmd
}

func newLogout(stderr io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "logout URL",
		Short: "End the login of an application",
		Long:  `End the login of an application: the provider takes the tokens back, where it can be told, and they are forgotten here.`,
		Args:  oneAddress,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAgent(cmd, stderr, func(ctx context.Context, a *signin.Agent) error { return a.Logout(ctx, args[0]) })
		},
	}
}

// tokenDocument is what "token --json" prints.
type tokenDocument struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	// ExpiresAt and ExpiresIn, in seconds, are left out where the provider does not say.
	ExpiresAt string `json:"expires_at,omitempty"`
	ExpiresIn int64  `json:"expires_in,omitempty"`
	Origin    string `json:"origin"`
	Provider  string `json:"provider"`
	// ProviderHeader is where the application wants to be told the provider beside the token.
	ProviderHeader string `json:"provider_header,omitempty"`
}

func newToken(stdout, stderr io.Writer) *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "token URL",
		Short: "Print a fresh access token for an application",
		Long: `Print a fresh access token for an application where you have signed in with
"claimproxy login". It is good for half a minute at least. Send it to that application and
to nobody else: whoever has it is you.`,
		Example: `  TOKEN=$(claimproxy token https://telemetry.example.org)
  claimproxy token --json https://telemetry.example.org | jq -r .expires_at`,
		Args: oneAddress,
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the token and when it ends, for programs")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withAgent(cmd, stderr, func(ctx context.Context, a *signin.Agent) error {
			t, err := a.Token(ctx, args[0])
			if err != nil {
				return err
			}
			return writeToken(stdout, t, asJSON)
		})
	}
	return cmd
}

func writeToken(w io.Writer, t signin.Token, asJSON bool) error {
	if !asJSON {
		_, err := fmt.Fprintln(w, t.AccessToken)
		return err
	}
	doc := tokenDocument{AccessToken: t.AccessToken, TokenType: "Bearer", Origin: t.Origin, Provider: t.Provider, ProviderHeader: t.ProviderHeader}
	if !t.Expiry.IsZero() {
		doc.ExpiresAt, doc.ExpiresIn = t.Expiry.UTC().Format(time.RFC3339), int64(time.Until(t.Expiry)/time.Second)
	}
	return json.NewEncoder(w).Encode(doc)
}

func newGitCredential(stdout, stderr io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "git-credential get|store|erase",
		Short: "Answer git as a credential helper",
		Long: `Answer git as a credential helper: git sends a fresh access token as the password to an
application where you have signed in with "claimproxy login". The route there has
accept_basic_token: true.

  git config --global credential.https://git.example.org.helper '!claimproxy git-credential'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return nil
			}
			return usageError{errors.New("expected get, store or erase, as git says it"), cmd.CommandPath()}
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAgent(cmd, stderr, func(ctx context.Context, a *signin.Agent) error {
				return a.GitCredential(ctx, args[0], os.Stdin, stdout)
			})
		},
	}
}
