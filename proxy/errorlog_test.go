package proxy

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestStrangersDoNotFloodTheLog: what a scanner causes is told once a minute, with how often it
// was, and nothing else waits for that.
func TestStrangersDoNotFloodTheLog(t *testing.T) {
	var to bytes.Buffer
	now := time.Unix(1_800_000_000, 0)
	e := &errorLog{to: slog.New(slog.NewTextHandler(&to, nil)), now: func() time.Time { return now }, told: make(map[string]telling)}
	for i := range 1000 {
		fmt.Fprintf(e, "http: TLS handshake error from 192.0.2.%d:1: EOF\n", i%256)
		fmt.Fprintf(e, "http2: server connection error from 192.0.2.%d:1: COMPRESSION_ERROR\n", i%256)
	}
	for range 3 {
		fmt.Fprintln(e, "http: panic serving 192.0.2.1:1: x")
	}
	now = now.Add(strangersEvery)
	fmt.Fprintln(e, "http: TLS handshake error from 192.0.2.1:1: EOF")
	for what, want := range map[string]int{"TLS handshake": 2, "COMPRESSION_ERROR": 1, "panic serving": 3, "more_since_the_last=999": 1} {
		if got := strings.Count(to.String(), what); got != want {
			t.Errorf("%s: told %d times, want %d:\n%s", what, got, want, &to)
		}
	}
}
