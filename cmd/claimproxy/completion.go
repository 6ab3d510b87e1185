package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// shells are those that there is a script for.
var shells = []string{"bash", "zsh", "fish", "powershell"}

func newCompletion(stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "completion " + strings.Join(shells, "|"),
		Short: "Print a script that completes command lines in your shell",
		Long: `Print a script with which your shell completes commands, flags and file names. To
have it in each new shell:

  bash         claimproxy completion bash > /etc/bash_completion.d/claimproxy
  zsh          claimproxy completion zsh > "${fpath[1]}/_claimproxy"
  fish         claimproxy completion fish > ~/.config/fish/completions/claimproxy.fish
  PowerShell   claimproxy completion powershell >> $PROFILE

bash needs its package bash-completion for that. To try it out in this shell alone:
source <(claimproxy completion bash)`,
		ValidArgs: shells,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(shells, args[0]) {
				return usageError{fmt.Errorf("for which shell? say one of %s", strings.Join(shells, ", ")), cmd.CommandPath()}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(stdout, true)
			case "zsh":
				return root.GenZshCompletion(stdout)
			case "fish":
				return root.GenFishCompletion(stdout, true)
			}
			return root.GenPowerShellCompletionWithDesc(stdout)
		},
	}
}

// completeFiles says where a shell offers file names: behind flags that take a file, and
// behind --config those of YAML files alone. No command takes files as arguments.
func completeFiles(root *cobra.Command) {
	root.CompletionOptions.DisableDefaultCmd = true // ours has words of its own
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	for _, cmd := range root.Commands() {
		cmd.Flags().VisitAll(func(flag *pflag.Flag) {
			var complete cobra.CompletionFunc
			switch what, _ := pflag.UnquoteUsage(flag); {
			case flag.Name == "config":
				complete = cobra.FixedCompletions([]string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt)
			case what == "file":
				complete = cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)
			default:
				return
			}
			if err := cmd.RegisterFlagCompletionFunc(flag.Name, complete); err != nil {
				panic(err) // the flag is there
			}
		})
	}
}
