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

// usageError is a command line that cannot be meant. help is the command whose
// help tells what can.
type usageError struct {
	error
	help string
}

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
		fmt.Fprintf(stderr, "claimproxy: %v\nRun \"%s --help\" for what there is.\n", err, usage.help)
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
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			hint := ""
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				hint = fmt.Sprintf(" (did you mean %s?)", near[0])
			}
			return usageError{fmt.Errorf("unknown command %q%s", args[0], hint), cmd.CommandPath()}
		},
		SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cmd.Help(); err != nil {
				return err
			}
			return exit{exitUsage}
		},
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError{err, cmd.CommandPath()} })
	root.AddCommand(newServe(stdout, stderr), newCheck(stdout, stderr), newExplain(stdout, stderr), newDemo(stdout, stderr),
		newSecret(stdout, stderr), newSessions(stdout), newHealthcheck(stdout), newAudit(stdout), newSchema(stdout), newCompletion(stdout), newVersion(stdout))
	root.AddCommand(signInCommands(stdout, stderr)...)
	completeFiles(root)
	return root
}

// noArguments refuses arguments, as a mistake in usage.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if cmd.Flags().Lookup("config") != nil {
		hint = fmt.Sprintf(" (write --config %s to name the file)", args[0])
	}
	return usageError{fmt.Errorf("%s takes no arguments, got %q%s", cmd.CommandPath(), args[0], hint), cmd.CommandPath()}
}

// configFlag adds --config to a command.
func configFlag(cmd *cobra.Command) *string {
	return cmd.Flags().StringP("config", "c", "claimproxy.yaml", "the configuration `file`")
}
