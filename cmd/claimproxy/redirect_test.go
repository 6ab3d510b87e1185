package main

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/certificates"
)

// redirecting serves the listener for plain HTTP of a site, and returns how to send a
// request as it is written.
func redirecting(t *testing.T, d *redirect) func(raw string) (*http.Response, string) {
	t.Helper()
	server := httptest.NewUnstartedServer(d)
	server.Config.DisableGeneralOptionsHandler = true
	server.Start()
	t.Cleanup(server.Close)
	return func(raw string) (*http.Response, string) {
		t.Helper()
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.WriteString(conn, raw); err != nil {
			t.Fatal(err)
		}
		method, _, _ := strings.Cut(raw, " ")
		res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return res, string(body)
	}
}

func exampleOrigin(host string) string {
	return map[string]string{"telemetry.example.org": "https://telemetry.example.org", "wiki.example.org": "https://wiki.example.org:8443"}[host]
}

func TestPlainHTTPLeadsToTheSamePlaceOverHTTPS(t *testing.T) {
	send := redirecting(t, &redirect{origin: exampleOrigin})
	for request, want := range map[string]struct {
		status   int
		location string
	}{
		"GET /a/b?c=d HTTP/1.1\r\nHost: telemetry.example.org\r\n\r\n":                  {301, "https://telemetry.example.org/a/b?c=d"},
		"HEAD / HTTP/1.1\r\nHost: TELEMETRY.example.org.:80\r\n\r\n":                    {301, "https://telemetry.example.org/"},
		"GET / HTTP/1.1\r\nHost: wiki.example.org\r\n\r\n":                              {301, "https://wiki.example.org:8443/"},
		"POST /a%2Fb? HTTP/1.1\r\nHost: telemetry.example.org\r\n\r\n":                  {308, "https://telemetry.example.org/a%2Fb?"},
		"PROPFIND /dav HTTP/1.1\r\nHost: telemetry.example.org\r\n\r\n":                 {308, "https://telemetry.example.org/dav"},
		"OPTIONS * HTTP/1.1\r\nHost: telemetry.example.org\r\n\r\n":                     {308, "https://telemetry.example.org/"},
		"GET http://wiki.example.org/x HTTP/1.1\r\nHost: telemetry.example.org\r\n\r\n": {301, "https://wiki.example.org:8443/x"},
		// A proof that nobody looks for is a path like any other, as long as none are ordered.
		"GET /.well-known/acme-challenge/x HTTP/1.1\r\nHost: telemetry.example.org\r\n\r\n": {301, "https://telemetry.example.org/.well-known/acme-challenge/x"},
	} {
		res, body := send(request)
		if res.StatusCode != want.status || res.Header.Get("Location") != want.location {
			t.Errorf("%q: got %d to %q, want %d to %q", request, res.StatusCode, res.Header.Get("Location"), want.status, want.location)
		}
		if body != "" || res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("X-Request-Id") == "" {
			t.Errorf("%q: got headers %v and body %q", request, res.Header, body)
		}
	}
}

// The attack: a link to our port 80 that leads to a place of the attacker's.
func TestRedirectToHTTPSIsNoOpenRedirect(t *testing.T) {
	send := redirecting(t, &redirect{origin: exampleOrigin})
	for _, host := range []string{"evil.example.net", "telemetry.example.org.evil.example.net", "telemetry.example.org@evil.example.net", "telemetry.example.org:80@evil.example.net",
		"evil.example.net#.telemetry.example.org", "[telemetry.example.org", "telemetry.example.org/evil", "", "192.0.2.1"} {
		res, _ := send("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
		if got := res.Header.Get("Location"); got != "" || res.StatusCode != http.StatusMisdirectedRequest && res.StatusCode != http.StatusBadRequest {
			t.Errorf("Host %q: got %d to %q, want 421 or 400", host, res.StatusCode, got)
		}
	}
	res, _ := send("GET http://evil.example.net/ HTTP/1.1\r\nHost: telemetry.example.org\r\n\r\n")
	if got := res.Header.Get("Location"); got != "" || res.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("absolute form: got %d to %q, want 421", res.StatusCode, got)
	}
	for _, path := range []string{"//evil.example.net/", "/\\evil.example.net/", "/%0d%0aSet-Cookie:x", "/@evil.example.net", "///evil.example.net"} {
		res, _ := send("GET " + path + " HTTP/1.1\r\nHost: telemetry.example.org\r\n\r\n")
		if got := res.Header.Get("Location"); !strings.HasPrefix(got, "https://telemetry.example.org/") || len(res.Cookies()) > 0 {
			t.Errorf("%s: got %d to %q and %v, want another place of the same host", path, res.StatusCode, got, res.Cookies())
		}
	}
}

// What an authority asks for is answered here, and what strangers ask for is not.
func TestProofsOverPlainHTTPAreForTheAuthorityAlone(t *testing.T) {
	ordered := certificates.New(certificates.Config{Plain: true, Log: slog.New(slog.DiscardHandler)})
	store := certificates.Directory(t.TempDir())
	ordered.Follow(certificates.Plan{Hosts: []string{"telemetry.example.org"}, Store: store})
	if err := store.Put(t.Context(), "proof-telemetry.example.org", []byte(`{"kind": "http-01", "token": "abc", "text": "abc.print"}`), 0); err != nil {
		t.Fatal(err)
	}
	send := redirecting(t, &redirect{origin: exampleOrigin, shown: &shown{ordered: ordered}})
	ask := func(host, token string) (int, string) {
		res, body := send("GET /.well-known/acme-challenge/" + token + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
		if got := res.Header.Get("Location"); got != "" {
			t.Errorf("%s %s leads to %s", host, token, got)
		}
		return res.StatusCode, body
	}
	if status, body := ask("telemetry.example.org", "abc"); status != 200 || body != "abc.print" {
		t.Errorf("got %d %q, want the proof", status, body)
	}
	for _, stranger := range [][2]string{{"telemetry.example.org", "abd"}, {"telemetry.example.org", ""}, {"telemetry.example.org", "../account"}, {"wiki.example.org", "abc"}} {
		if status, body := ask(stranger[0], stranger[1]); status != http.StatusNotFound || strings.Contains(body, "print") {
			t.Errorf("%v: got %d %q, want 404", stranger, status, body)
		}
	}
	if status, _ := ask("evil.example.net", "abc"); status != http.StatusMisdirectedRequest {
		t.Errorf("a stranger's host: got %d, want 421", status)
	}
}
