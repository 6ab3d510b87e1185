package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
)

func newSchema(stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the configuration file, for editors",
		Long: `Print the JSON Schema (draft-07) of the configuration file. With it, an editor that
has a YAML language server completes keys, says what they mean and underlines what
is wrong with the shape of the file. Put it beside the file,

  claimproxy schema > claimproxy.schema.json

and make this the first line of claimproxy.yaml:

  # yaml-language-server: $schema=claimproxy.schema.json

In a file that another one includes, say #/definitions/included behind the name. A
schema knows no other files and no values: what is good is what "claimproxy check"
says is.`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := stdout.Write(config.Schema())
			return err
		},
	}
}
