// Command load measures claimproxy against a bare httputil.ReverseProxy and, where
// Debian has installed them, nginx, HAProxy and Apache with mod_auth_openidc:
//
//	go run ./cmd/claimproxy/e2e/load
//
// It starts everything that it needs on loopback: the development provider, an
// upstream, a bare ReverseProxy, the built claimproxy, and the others. All that is
// measured in one row of the table runs in turns of a few seconds, so that whatever
// else the machine does hits each of them alike. An answer counts only if it is the
// one that is expected: from the upstream, which says there whom it was told the request
// is from, or the refusal that is measured; and the upstream's own count must agree.
//
// The column to trust is the CPU time, which the kernel counts for the process alone,
// and of it the ratio to the bare ReverseProxy in the same turn. Requests per second
// and latencies are those of a machine on which nothing else runs, or are nothing.
//
// It is for Linux: it reads /proc, and pins what is measured to the last core, and
// everything else to the others, with taskset.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	only    *regexp.Regexp // rows
	against *regexp.Regexp // contenders beside the bare one
	seconds float64
	rounds  int
	conns   int
	json    bool
	binary  string
}

func main() {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role))
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run() error {
	var o options
	only := flag.String("only", "", "measure only the rows whose name matches this `expression`")
	against := flag.String("against", "", "measure only the contenders whose name matches this `expression`, beside the bare one")
	flag.Float64Var(&o.seconds, "seconds", 3, "how long a turn is")
	flag.IntVar(&o.rounds, "rounds", 5, "how many turns each contender has")
	flag.IntVar(&o.conns, "connections", 32, "how many connections a client has")
	flag.BoolVar(&o.json, "json", false, "print the figures as JSON")
	flag.StringVar(&o.binary, "claimproxy", "", "measure this `program` instead of building it")
	flag.Parse()
	var err error
	if o.only, err = regexp.Compile(*only); err != nil {
		return err
	}
	if o.against, err = regexp.Compile(*against); err != nil {
		return err
	}
	if flag.NArg() > 0 || o.seconds <= 0 || o.rounds < 1 || o.conns < 1 {
		flag.Usage()
		os.Exit(2)
	}
	if pinned, err := pin(); pinned || err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	w, err := newWorld(ctx, &o)
	if err != nil {
		return err
	}
	defer w.close()
	about := describe(&o)
	if !o.json {
		fmt.Println(about)
	}
	var results []result
	for _, r := range rows {
		if !o.only.MatchString(r.name) {
			continue
		}
		measured, err := w.measure(r)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		if !o.json {
			printRow(os.Stdout, measured, results == nil)
		}
		results = append(results, measured...)
	}
	var tables []*table
	for _, e := range extras {
		if !o.only.MatchString(e.name) {
			continue
		}
		t, err := e.measure(w)
		if errors.Is(err, errNotInstalled) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		t.Name = e.name
		tables = append(tables, t)
		if !o.json {
			t.print(os.Stdout)
		}
	}
	if o.json {
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(map[string]any{"about": about, "results": results, "tables": tables})
	}
	return nil
}

// pinnedVariable is set in the environment of a program that pin has started anew.
const pinnedVariable = "CLAIMPROXY_LOAD_PINNED"

// pin starts this program again on all cores but the last, and reports whether it has
// run. With one core, or without taskset, nothing is pinned.
func pin() (bool, error) {
	taskset, err := exec.LookPath("taskset")
	if os.Getenv(pinnedVariable) != "" || err != nil || runtime.NumCPU() < 2 {
		return false, nil
	}
	self, err := os.Executable()
	if err != nil {
		return false, err
	}
	last := runtime.NumCPU() - 1
	argv := append([]string{taskset, "-c", fmt.Sprintf("0-%d", last-1), self}, os.Args[1:]...)
	return true, syscall.Exec(taskset, argv, append(os.Environ(), fmt.Sprintf("%s=%d", pinnedVariable, last)))
}

// measuredCore is the core that contenders are pinned to, empty for none.
func measuredCore() string { return os.Getenv(pinnedVariable) }

// describe says where and of what the figures are.
func describe(o *options) string {
	model := "unknown processor"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if m := regexp.MustCompile(`(?m)^model name\s*: (.*)$`).FindSubmatch(info); m != nil {
			model = string(m[1])
		}
	}
	commit := "an unknown commit"
	if out, err := exec.Command("git", "describe", "--always", "--dirty", "--exclude=*").Output(); err == nil {
		commit = strings.TrimSpace(string(out))
	}
	pinning := "nothing pinned"
	if core := measuredCore(); core != "" {
		pinning = "what is measured pinned to core " + core + " and everything else to the others"
	}
	return fmt.Sprintf("%s, %s, %s, commit %s; %d connections, %d turns of %gs, %s; others on the machine used %.1f cores before",
		model, runtime.Version(), time.Now().Format(time.DateOnly), commit, o.conns, o.rounds, o.seconds, pinning, othersBusy())
}

// build builds claimproxy as it is shipped.
func build(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "claimproxy")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "github.com/claimproxy/claimproxy/cmd/claimproxy")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building claimproxy: %w\n%s", err, out)
	}
	return path, nil
}
