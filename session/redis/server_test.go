package redis_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/claimproxy/claimproxy/session/redis"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if shared != nil {
		shared.kill()
		os.RemoveAll(shared.dir)
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// server is a Redis of the tests' own.
type server struct {
	name string // for messages
	dir  string
	addr string // host:port, or a socket
	args []string
	cmd  *exec.Cmd
}

// shared is one server on a socket for all tests that do nothing to it.
var shared *server

// needServer skips the test where there is no redis-server; not in CI.
func needServer(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("redis-server is missing; .ci/install installs it")
		}
		t.Skip("redis-server is missing: install it to run this test")
	}
}

func sharedServer(t testing.TB) *server {
	t.Helper()
	needServer(t)
	if shared == nil {
		dir, err := os.MkdirTemp("", "redis") // short: a socket's path has 108 bytes
		if err != nil {
			t.Fatal(err)
		}
		shared = &server{name: "shared", dir: dir, addr: filepath.Join(dir, "s")}
		shared.args = []string{"--port", "0", "--unixsocket", shared.addr}
		shared.start(t)
	}
	return shared
}

// startServer starts a server for one test, on a port that is free.
func startServer(t testing.TB, args ...string) *server {
	t.Helper()
	needServer(t)
	s := &server{name: "own", dir: t.TempDir()}
	port := freePort(t)
	s.addr = "127.0.0.1:" + port
	s.args = append([]string{"--port", port, "--bind", "127.0.0.1"}, args...)
	s.start(t)
	t.Cleanup(s.kill)
	return s
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// start starts it, also again, and waits until it listens.
func (s *server) start(t testing.TB) {
	t.Helper()
	s.startAs(t, "--save", "", "--daemonize", "no")
}

// startAs does so with arguments before the others.
func (s *server) startAs(t testing.TB, first ...string) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.cmd = exec.Command("redis-server", slices.Concat(first, []string{"--dir", s.dir}, s.args)...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	network := "tcp"
	if s.addr[0] == '/' {
		network = "unix"
	}
	for range 500 {
		if c, err := net.Dial(network, s.addr); err == nil {
			c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	t.Fatalf("the server %s does not start:\n%s", s.name, text)
}

// kill ends it as a power cut does.
func (s *server) kill() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// client asks the server past claimproxy.
func (s *server) client(t testing.TB) *goredis.Client {
	t.Helper()
	network := "tcp"
	if s.addr[0] == '/' {
		network = "unix"
	}
	c := goredis.NewClient(&goredis.Options{Network: network, Addr: s.addr, DisableIdentity: true})
	t.Cleanup(func() { c.Close() })
	return c
}

var prefixes atomic.Int64

// prefix is new for each test, which so has a Redis of its own for all it can see.
func prefix() string { return fmt.Sprintf("claimproxy:%d:", prefixes.Add(1)) }

// open opens a backend that hears what others do.
func open(t testing.TB, o redis.Options) *redis.Backend {
	t.Helper()
	b := openNow(t, o)
	waitFor(t, "the subscription", b.Fresh)
	return b
}

// openNow does not wait for it.
func openNow(t testing.TB, o redis.Options) *redis.Backend {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	b, err := redis.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b
}

func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	waitAtMost(t, 20*time.Second, what, ok)
}

func waitAtMost(t testing.TB, d time.Duration, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited %s for %s", d, what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
