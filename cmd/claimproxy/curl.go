package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/signin"
)

func newCurl(stdout, stderr io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "curl URL [curl's options]",
		Short: "Run curl with a fresh access token for an application",
		Long: `Run curl with a fresh access token for an application where you have signed in with
"claimproxy login". All arguments are curl's. The token stands in no argument, goes to the
address that you name and follows no redirect to another one. The exit code is curl's.`,
		Example: `  claimproxy curl -s https://telemetry.example.org/analytics/products`,
		// Only a --help that comes first is for this command.
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && (args[0] == "--help" || args[0] == "-h") {
				return cmd.Help()
			}
			program, err := exec.LookPath("curl")
			if err != nil {
				return errors.New("curl is not installed")
			}
			origin, err := checkCurl(program, args)
			if err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			return withAgent(cmd, stderr, func(ctx context.Context, a *signin.Agent) error {
				t, err := a.Token(ctx, origin)
				if err != nil {
					return err
				}
				return runCurl(ctx, program, args, t, stdout, stderr)
			})
		},
	}
}

// checkCurl asks curl which options it has, and looks at the arguments with that.
func checkCurl(program string, args []string) (origin string, err error) {
	for _, help := range [][]string{{"--help", "all"}, {"--help"}} { // the latter before 7.73
		out, err := exec.Command(program, help...).Output()
		if options := signin.ParseCurlHelp(string(out)); err == nil && options.Known() {
			return options.CheckCurl(args)
		}
	}
	return "", fmt.Errorf("%s does not tell its options", program)
}

// runCurl runs curl with options that it reads from a pipe of its own, or from standard input
// where there is no such pipe.
func runCurl(ctx context.Context, program string, args []string, t signin.Token, stdout, stderr io.Writer) error {
	cmd := exec.CommandContext(ctx, program)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // whoever ends this ends curl
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, stdout, stderr
	config := "-"
	if runtime.GOOS == "windows" {
		cmd.Stdin = strings.NewReader(t.CurlConfig())
	} else {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		defer r.Close()
		go func() {
			defer w.Close()
			_, _ = io.WriteString(w, t.CurlConfig()) // curl has ended, and says why
		}()
		cmd.ExtraFiles, config = []*os.File{r}, "/dev/fd/3"
	}
	cmd.Args = append([]string{program, "--config", config}, args...)
	err := cmd.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return exit{max(ended.ExitCode(), exitFailed)}
	}
	return err
}
