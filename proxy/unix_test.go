package proxy

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
)

// TestUnixSocketsHaveNoAddress, whatever their peers have called themselves: a socket
// may have the name 192.0.2.7:80.
func TestUnixSocketsHaveNoAddress(t *testing.T) {
	u := newWire(t)
	for _, unix := range []bool{true, false} {
		h := trustingHouse(t, u, func(c *Config) { c.Trusted.Unix = unix })
		get := overSocket(t, h)
		for _, name := range []string{"", "192.0.2.7:80", "127.0.0.1:80", "[::1]:80", "10.0.0.1"} {
			if status, e := get(name, "/lan/"); status != 401 || e.ClientIP != "" {
				t.Errorf("from %q: got %d, client_ip %q; want 401 and none", name, status, e.ClientIP)
			}
			status, e := get(name, "/lan/", "X-Forwarded-For: 203.0.113.9, 192.0.2.7, 10.0.0.1")
			want, client := 401, ""
			if unix {
				want, client = 200, "192.0.2.7"
			}
			if status != want || e.ClientIP != client {
				t.Errorf("from %q, unix trusted: %v: got %d, client_ip %q; want %d, %q", name, unix, status, e.ClientIP, want, client)
			}
			u.took()
		}
	}
}

// TestFrontProxiesOnUnixSockets may ask where they are trusted, whatever they have
// called their end of the socket.
func TestFrontProxiesOnUnixSockets(t *testing.T) {
	for _, trusted := range []Trusted{{Unix: true}, {Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}} {
		h := newCheckHouse(t, ForwardAuthXForwarded, func(c *Config) { c.Trusted = trusted })
		get := overSocket(t, h.house)
		want := map[bool]int{true: 200, false: 400}[trusted.Unix]
		for _, name := range []string{"", "127.0.0.1:80", "[::1]:80"} {
			status, _ := get(name, "/.auth/check", questionOf("GET", publicHost, "/public/")...)
			if status != want {
				t.Errorf("trusted %+v, from %q: got %d, want %d", trusted, name, status, want)
			}
		}
	}
}

// overSocket serves a house on a unix socket too, and returns a way to ask there from
// a socket that has a name of its own.
func overSocket(t *testing.T, h *house) func(name, target string, lines ...string) (int, Event) {
	t.Helper()
	t.Chdir(t.TempDir()) // names of sockets are short, and here they look like addresses
	l, err := net.Listen("unix", "s")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h.proxy}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	t.Cleanup(func() { srv.Close(); <-done })
	return func(name, target string, lines ...string) (int, Event) {
		t.Helper()
		d := net.Dialer{}
		if name != "" {
			d.LocalAddr = &net.UnixAddr{Net: "unix", Name: name}
			defer os.Remove(name)
		}
		c, err := d.DialContext(context.Background(), "unix", "s")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if len(lines) == 0 || !strings.HasPrefix(lines[0], "Host:") {
			lines = append([]string{"Host: " + publicHost}, lines...)
		}
		if _, err := io.WriteString(c, "GET "+target+" HTTP/1.1\r\n"+strings.Join(append(lines, "\r\n"), "\r\n")); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode, h.events.next(t)
	}
}
