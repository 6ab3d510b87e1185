//go:build !windows && !plan9

package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestEachLineIsAMessageOfSyslog, and one that syslog does not take is not counted as
// written.
func TestEachLineIsAMessageOfSyslog(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "log")
	server, err := net.ListenPacket("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	w, err := openSyslog("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	lines := "\n{\"request_id\":\"a\"}\n{\"request_id\":\"b\"}\n"
	if n, err := w.Write([]byte(lines)); n != len(lines) || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	for _, want := range []string{`{"request_id":"a"}`, `{"request_id":"b"}`} {
		buf := make([]byte, 1<<10)
		server.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, _, err := server.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		got := string(buf[:n])
		// authpriv (10) and info (6), RFC 5424 section 6.2.1
		if !strings.HasPrefix(got, "<86>") || !strings.Contains(got, "claimproxy[") || !strings.HasSuffix(strings.TrimSuffix(got, "\n"), want) {
			t.Errorf("got %q, want a message with %q", got, want)
		}
	}
	server.Close()
	if n, err := w.Write([]byte("{}\n{}\n")); n != 0 || err == nil {
		t.Errorf("without a server: got %d, %v", n, err)
	}
}
