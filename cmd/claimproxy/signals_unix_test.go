//go:build unix

package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets a test start this very program in a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("CLAIMPROXY_TEST_MAIN") != "" {
		main()
	}
	os.Exit(m.Run())
}

func TestASignalOpensTheAuditFileAgain(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "audit.log")
	r := start(t, echo, "audit: {file: "+file+"}", routes)
	r.ask("GET", r.public+"/open/before")
	eventually(t, "the first line is written", func() bool {
		info, err := os.Stat(file)
		return err == nil && info.Size() > 0
	})
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the file is there again", func() bool { _, err := os.Stat(file); return err == nil })
	r.ask("GET", r.public+"/open/after")
	r.stop()
	for name, want := range map[string]string{file + ".1": "/open/before", file: "/open/after"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := entries(t, string(data)); len(got) != 1 || got[0].Path != want {
			t.Errorf("%s has %+v, want %s alone", filepath.Base(name), got, want)
		}
	}
}

// TestTheSignalIsHarmlessWithoutAnAuditFile: by default it would end the process.
func TestTheSignalIsHarmlessWithoutAnAuditFile(t *testing.T) {
	r := start(t, echo, "", routes)
	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the log says so", func() bool { return strings.Contains(r.stderr.String(), "no audit file") })
	r.stop()
}

// TestAReaderThatGoesAwayDoesNotEndTheProxy: the audit log goes through a pipe, and
// its other end is closed.
func TestAReaderThatGoesAwayDoesNotEndTheProxy(t *testing.T) {
	path := write(t, "claimproxy.yaml", `
public_url: http://localhost
listen: 127.0.0.1:0
admin: {listen: 127.0.0.1:0}
state_dir: state
audit: {stdout: true}
routes:
  - {path: /, upstream: "http://127.0.0.1:9", allow: nobody}
`)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "serve", "-c", path)
	cmd.Env = append(os.Environ(), "CLAIMPROXY_TEST_MAIN=1")
	cmd.Dir = filepath.Dir(path)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	var log lines
	serving := make(chan string, 1)
	go func() {
		for s := bufio.NewScanner(stderr); s.Scan(); {
			log.Write(append(s.Bytes(), '\n'))
			if _, rest, ok := strings.Cut(s.Text(), `"listen":"[`); ok {
				address, _, _ := strings.Cut(rest, "]")
				serving <- address
			}
		}
	}()
	var r running
	r.t = t
	select {
	case address := <-serving:
		r.public = "http://" + address
	case <-time.After(20 * time.Second):
		t.Fatalf("it does not serve:\n%s", log.String())
	}
	defer r.client.CloseIdleConnections()
	stdout.Close()
	for range 3 {
		if status, _ := r.ask("GET", r.public+"/x"); status != 403 {
			t.Errorf("got %d, want 403", status)
		}
	}
	eventually(t, "the loss is said", func() bool {
		return strings.Contains(log.String(), "audit lines were lost") && strings.Contains(log.String(), "broken pipe")
	})
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v:\n%s", err, log.String())
	}
}
