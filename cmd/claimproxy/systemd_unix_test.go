//go:build unix

package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// TestAProcessThatHangsIsNotSaidToLive: systemd hears nothing of it until whoever answers
// requests does again.
func TestAProcessThatHangsIsNotSaidToLive(t *testing.T) {
	dir, err := os.MkdirTemp("", "s") // the path of a socket has to be short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "notify")
	manager, err := net.ListenPacket("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("WATCHDOG_USEC", strconv.Itoa(2000))
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	letGo := make(chan struct{})
	stop := background(func(ctx context.Context) {
		systemd{slog.New(slog.DiscardHandler)}.watchdog(ctx, func() { <-letGo })
	})
	defer stop()
	text := make([]byte, 100)
	manager.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, _, err := manager.ReadFrom(text); err == nil {
		t.Errorf("while it hangs systemd hears %q", text[:n])
	}
	close(letGo)
	manager.SetReadDeadline(time.Now().Add(20 * time.Second))
	for range 3 {
		if n, _, err := manager.ReadFrom(text); err != nil || string(text[:n]) != "WATCHDOG=1" {
			t.Errorf("got %q, %v", text[:n], err)
		}
	}
}
