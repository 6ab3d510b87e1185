// Command claimproxy is an authenticating reverse proxy: people sign in with a
// browser through an OpenID Provider, native programs send the bearer token they
// already have, and one YAML file says who may do what, path by path.
//
// The composition root is build.go: everything is made there and handed on by
// name. This file only turns what a command returns into an exit code.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// Exit codes. 78 is EX_CONFIG of sysexits.h, so that a systemd unit can say
// RestartPreventExitStatus=78.
const (
	exitFine   = 0
	exitFailed = 1
	exitUsage  = 2
	exitConfig = 78
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// exit is an error that has been told already, or need not be, with its code.
type exit struct{ code int }

func (e exit) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// usageError is a command line that cannot be meant.
type usageError struct{ error }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot(stdout, stderr)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var told exit
	var usage usageError
	switch {
	case err == nil:
		return exitFine
	case errors.As(err, &told):
		return told.code
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "claimproxy: %v\nRun \"claimproxy --help\" for what there is.\n", err)
		return exitUsage
	}
	fmt.Fprintf(stderr, "claimproxy: %v\n", err)
	return exitFailed
}

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "claimproxy",
		Short: "Authenticating reverse proxy for browsers and native clients, with claim policies in YAML",
		Long: `claimproxy stands in front of your applications. People sign in with a browser
through your OpenID Provider, native programs send the bearer token they already
have, and one YAML file says who may do what, path by path, in words such as
"groups contains teams/kde-developers".`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cmd.Help(); err != nil {
				return err
			}
			return exit{exitUsage}
		},
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newServe(stderr), newCheck(stdout, stderr), newDemo(stdout, stderr), newVersion(stdout))
	return root
}

// noArguments refuses arguments, as a mistake in usage.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s takes no arguments, got %q", cmd.CommandPath(), args[0])}
	}
	return nil
}

// configFlag adds --config to a command.
func configFlag(cmd *cobra.Command) *string {
	return cmd.Flags().StringP("config", "c", "claimproxy.yaml", "the configuration `file`")
}
