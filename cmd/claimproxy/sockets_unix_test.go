//go:build unix

package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestSocketsAtPaths(t *testing.T) {
	dir, err := os.MkdirTemp("", "s") // the path of a socket has to be short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	open := func() (net.Listener, error) {
		l, err := new(opener).open("unix:" + path)
		return l[0], err
	}
	first, err := open()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(); err == nil || !strings.Contains(err.Error(), "another process listens there") {
		t.Errorf("a socket that is in use: got %v", err)
	}
	first.(*net.UnixListener).SetUnlinkOnClose(false)
	first.Close() // as if it had been killed
	again, err := open()
	if err != nil {
		t.Fatalf("a socket that was left: %v", err)
	}
	again.Close()
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("a file: got %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
		t.Error("a file was removed that is no socket")
	}
}

// TestSocketsFromSystemd: claimproxy is started with two sockets that are open already, and
// listens on the one that it names.
func TestSocketsFromSystemd(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	begin := func(name string) (*exec.Cmd, *lines) {
		path := write(t, "claimproxy.yaml", `
public_url: http://localhost
listen: systemd:`+name+`
state_dir: state
routes:
  - {path: /, upstream: "http://127.0.0.1:9", allow: nobody}
`)
		// What systemd does: the process knows by its own id that the sockets are for it.
		cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" serve -c "$1"`, self, path)
		cmd.Env = append(os.Environ(), "CLAIMPROXY_TEST_MAIN=1", "LISTEN_FDS=1", "LISTEN_FDNAMES=web")
		cmd.Dir = filepath.Dir(path)
		cmd.ExtraFiles = []*os.File{file}
		log := new(lines)
		cmd.Stderr = log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd, log
	}
	cmd, log := begin("web")
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	// It waits in the socket until claimproxy is there: nobody is refused.
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+listener.Addr().String()+"/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "localhost"
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	res.Body.Close()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	if res.StatusCode != 403 {
		t.Errorf("got %d, want 403", res.StatusCode)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v:\n%s", err, log.String())
	}
	other, log := begin("other")
	var failed *exec.ExitError
	if err := other.Wait(); !errors.As(err, &failed) || !strings.Contains(log.String(), "no socket of that name, but: web") {
		t.Errorf("another name: %v\n%s", err, log.String())
	}
}
