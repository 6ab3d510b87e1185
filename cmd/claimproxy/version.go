package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker in released builds.
var version = ""

func newVersion(stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print which build this is",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(stdout, buildLine())
			return err
		},
	}
}

// buildLine names the build: the released version, else the module's, and the
// commit it was made from.
func buildLine() string {
	v, revision, dirty := version, "", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if v == "" {
			v = info.Main.Version
		}
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				revision = s.Value[:min(len(s.Value), 12)]
			case s.Key == "vcs.modified" && s.Value == "true":
				dirty = ", modified"
			}
		}
	}
	if v == "" {
		v = "(devel)"
	}
	line := fmt.Sprintf("claimproxy %s, %s %s/%s", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if revision != "" {
		line += ", commit " + revision + dirty
	}
	return line
}
