package main

import (
	"encoding/base64"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/claimproxy/claimproxy/session"
)

func newSecret(stdout, stderr io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "secret",
		Short: "Print a fresh secret for session.secrets",
		Long: `Print a fresh secret: 32 random bytes in base64url, on a line of its own.

  umask 077; claimproxy secret > session-secret

and in the configuration file

  session: {secrets: [{file: session-secret}]}

All processes that are to know each other's sessions have the same list. To change a
secret, put the new one first, and take the old one away when all that it sealed is
over, which is after session.lifetime.`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			if _, err := fmt.Fprintln(stdout, base64.RawURLEncoding.EncodeToString(session.GenerateSecret())); err != nil {
				return err
			}
			if onTerminal(stderr) {
				fmt.Fprintln(stderr, "Keep it in a file that only claimproxy can read, and name that in session.secrets: [{file: PATH}].")
			}
			return nil
		},
	}
}
