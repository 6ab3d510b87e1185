package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a started program may take to answer, and a stopped one
// to end, before the test gives up. It is generous: CI machines are slow, and
// nobody waits for it when all is well.
const patience = 60 * time.Second

// process is a program that a test started.
type process struct {
	name string
	cmd  *exec.Cmd
	out  output
	// ended is closed when the program is gone; err is then how it went.
	ended chan struct{}
	err   error
}

// startProcess starts a program in dir with env added to the environment. The
// caller ends it with stop or kill.
func startProcess(name, dir string, env []string, argv ...string) (*process, error) {
	return startProcessWith(nil, name, dir, env, argv...)
}

// startProcessWith is startProcess with files that the program has open, from number 3 on.
func startProcessWith(files []*os.File, name, dir string, env []string, argv ...string) (*process, error) {
	p := &process{name: name, ended: make(chan struct{})}
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.ExtraFiles = files
	p.cmd.Dir = dir
	p.cmd.Env = buildEnvironment(env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.SysProcAttr = ownGroup()
	// A grandchild that keeps the pipe open must not keep Wait from returning.
	p.cmd.WaitDelay = 5 * time.Second
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// ready waits until url gives any HTTP answer.
func (p *process) ready(url string) error {
	client := &http.Client{
		Timeout:       5 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if resp, err := client.Get(url); err == nil {
			resp.Body.Close()
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended while it was starting: %v\n%s", p.name, p.err, p.out.since(0))
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s did not answer at %s within %v\n%s", p.name, url, patience, p.out.since(0))
}

// stop asks the program to end with SIGTERM, waits until it has and returns its
// exit code. A program that does not end is killed, and that is an error.
func (p *process) stop() (int, error) {
	if err := p.signal(syscall.SIGTERM); err != nil {
		return -1, err
	}
	return p.wait()
}

// wait waits for a program that has been asked to end.
func (p *process) wait() (int, error) {
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.kill()
		return -1, fmt.Errorf("%s did not end within %v of SIGTERM", p.name, patience)
	}
	return p.exitCode()
}

// exitCode says how a program that has ended went.
func (p *process) exitCode() (int, error) {
	var exit *exec.ExitError
	switch {
	case p.err == nil:
		return 0, nil
	case errors.As(p.err, &exit):
		return exit.ExitCode(), nil
	}
	return -1, fmt.Errorf("%s: %w", p.name, p.err)
}

// kill ends the program and its children at once.
func (p *process) kill() {
	if p.running() {
		_ = p.signal(syscall.SIGKILL)
	}
	<-p.ended
}

func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

func (p *process) signal(sig syscall.Signal) error {
	if !p.running() {
		return nil
	}
	// The group, not the process: puma and npm scripts have children.
	if err := syscall.Kill(-p.cmd.Process.Pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("sending %v to %s: %w", sig, p.name, err)
	}
	return nil
}

// peakMemory is the most memory that the program has had so far, in KiB.
func (p *process) peakMemory(t testing.TB) (kib int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Skipf("memory is measured on Linux alone: %v", err)
	}
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(peak, &kib); err != nil {
		t.Fatalf("VmHWM: %v", err)
	}
	return kib
}

// showOnFailure prints what the program writes from now on, should the test fail.
func (p *process) showOnFailure(t testing.TB) {
	from := p.out.size()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s wrote:\n%s", p.name, p.out.since(from))
		}
	})
}

// output collects what a program writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) size() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Len()
}

// since returns what was written after the first n bytes.
func (o *output) since(n int) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.buf.Bytes()[min(n, o.buf.Len()):])
}

// Ports are taken from below the range that systems hand out by themselves
// (32768 and up), so that nobody else's connection sits on the port of a program
// that was stopped and is about to come back.
const firstPort, lastPort = 20000, 32000

var ports struct {
	sync.Mutex
	given map[int]bool
}

// freePort finds a port of 127.0.0.1 that nobody listens on. The same one is
// never given twice in a run.
func freePort(t testing.TB) int {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	if ports.given == nil {
		ports.given = make(map[int]bool)
	}
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if ports.given[port] {
			continue
		}
		ports.given[port] = true
		if l, err := net.Listen("tcp", loopback(port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("found no free port")
	return 0
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// eventually asks until the answer is yes, and fails the test when it is not
// within the given time.
func eventually(t testing.TB, within time.Duration, what string, yes func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	for !yes() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
