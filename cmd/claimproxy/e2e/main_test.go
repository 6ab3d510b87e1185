package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// scratch is the directory of this run: the binary and the state of the servers
// that tests share. It goes when the run ends.
var scratch string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "claimproxy-e2e-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	defer stopShared()
	flag.Parse()
	if asked := flag.Lookup("test.parallel"); asked.Value.String() == asked.DefValue {
		// These tests wait for programs and clocks far more than they compute.
		if err := asked.Value.Set("6"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// binary builds claimproxy, once in a run, and returns the path of it. It has
// the race detector when the tests have it.
func binary(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var build = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "claimproxy")
	args := []string{"build", "-o", path}
	if raceDetector {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "..")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building claimproxy: %w\n%s", err, out)
	}
	return path, nil
})

// shared are the ends of what several tests use.
var shared struct {
	sync.Mutex
	ends []func()
}

// share lets a server live until the end of the run.
func share(p *process) { atTheEnd(p.kill) }

// atTheEnd has something done when the run ends.
func atTheEnd(end func()) {
	shared.Lock()
	defer shared.Unlock()
	shared.ends = append(shared.ends, end)
}

func stopShared() {
	shared.Lock()
	defer shared.Unlock()
	for _, end := range shared.ends {
		end()
	}
}
