package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
)

func newAudit(stdout io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Say from the audit log why somebody was let in or not",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return usageError{fmt.Errorf("unknown command %q: there is explain", args[0]), cmd.CommandPath()}
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cmd.Help(); err != nil {
				return err
			}
			return exit{exitUsage}
		},
	}
	cmd.AddCommand(newAuditExplain(stdout))
	return cmd
}

func newAuditExplain(stdout io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain REQUEST_ID",
		Short: "Say why a request was answered as it was",
		Long: `Say why somebody was let in or not. The request id stands on every answer, in
X-Request-Id, and on the page that people who are refused see. The audit log is looked
through, and what was rotated away beside it: FILE.1, FILE-20261126, also with .gz.`,
		Example: "  claimproxy audit explain k7m2x9qa4hw3tz5b --file /var/log/claimproxy/audit.log",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("which request? give its id, from X-Request-Id or the page"), cmd.CommandPath()}
			}
			return nil
		},
	}
	path := configFlag(cmd)
	file := cmd.Flags().StringP("file", "f", "", "the audit `file`; left out, that of the configuration")
	asJSON := cmd.Flags().Bool("json", false, "print the line as it was written")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, report := config.Load(*path, config.Env{WithoutSecrets: true})
		if *file == "" {
			switch {
			case c == nil:
				return errors.Join(report.Write(cmd.ErrOrStderr()), exit{exitConfig})
			case c.Audit == nil || c.Audit.File == "":
				return usageError{errors.New("the configuration names no audit file: name it with --file"), cmd.CommandPath()}
			}
			*file = c.Audit.File
		}
		found, err := findDecision(*file, args[0])
		if err != nil {
			return err
		}
		if *asJSON {
			_, err := stdout.Write(found.line)
			return err
		}
		return found.write(stdout, c)
	}
	return cmd
}
