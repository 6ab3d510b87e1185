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

// thisBuild is the released version, else the module's, and the commit that the
// program was made from.
func thisBuild() buildInfo {
	b := buildInfo{version: version, goVersion: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		if b.version == "" {
			b.version = info.Main.Version
		}
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				b.revision = s.Value[:min(len(s.Value), 12)]
			case s.Key == "vcs.modified":
				b.modified = s.Value == "true"
			}
		}
	}
	if b.version == "" {
		b.version = "(devel)"
	}
	return b
}

type buildInfo struct {
	version, goVersion string
	revision           string // of the commit, empty if it is not known
	modified           bool   // the files were not those of the commit
}

// buildLine names the build.
func buildLine() string {
	b := thisBuild()
	line := fmt.Sprintf("claimproxy %s, %s %s/%s", b.version, b.goVersion, runtime.GOOS, runtime.GOARCH)
	if b.revision != "" {
		line += ", commit " + b.revision
		if b.modified {
			line += ", modified"
		}
	}
	return line
}
