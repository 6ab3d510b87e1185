//go:build unix

package audit

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestANamedPipeNeedsAReader: a start that waits for one would wait for ever.
func TestANamedPipeNeedsAReader(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := Open(Config{File: pipe}); err == nil {
		l.Close(patience)
		t.Fatal("it was opened")
	}
	reader, err := os.OpenFile(pipe, os.O_RDWR, 0) // which does not wait for a writer
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	l := open(t, Config{File: pipe})
	l.Observe(decision(1))
	line, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil || !strings.Contains(line, `"request_id":"1"`) {
		t.Errorf("got %q (%v)", line, err)
	}
}
