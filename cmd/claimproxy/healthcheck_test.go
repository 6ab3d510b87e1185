package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealthcheckSaysWhatIsNotReady(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		code   int
		out    string
	}{
		"ready":              {200, `{"ready":true,"parts":{"proxy":{"ready":true}}}`, exitFine, "ready\n"},
		"draining":           {503, `{"ready":false,"parts":{"proxy":{"ready":false,"why":"it is draining"},"store":{"ready":true}}}`, exitFailed, "claimproxy: not ready: proxy: it is draining\n"},
		"somebody else":      {200, "<html>", exitFailed, "expected the answer of claimproxy's admin listener, got status 200"},
		"a redirect":         {302, "", exitFailed, "got status 302"},
		"an escape sequence": {503, `{"parts":{"proxy":{"why":"\u001b[2J"}}}`, exitFailed, `proxy: "\x1b[2J"`},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/readyz" {
					t.Errorf("asked for %s", r.URL.Path)
				}
				w.WriteHeader(test.status)
				w.Write([]byte(test.body))
			}))
			defer s.Close()
			code, stdout, stderr := command(t, "healthcheck", "--admin", s.URL)
			if code != test.code || !strings.Contains(stdout+stderr, test.out) {
				t.Errorf("got %d %q, want %d %q", code, stdout+stderr, test.code, test.out)
			}
		})
	}
}

// TestHealthcheckFindsTheListenerInTheConfiguration, without its secrets, and says no
// when nobody is there.
func TestHealthcheckFindsTheListenerInTheConfiguration(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{"ready":true}`)) }))
	address := s.Listener.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	withAdmin := write(t, "claimproxy.yaml", "admin: {listen: '0.0.0.0:"+port+"', allow_remote: true}\nlisten: 127.0.0.1:1"+smallConfig)
	withoutAdmin := write(t, "claimproxy.yaml", "listen: "+address+smallConfig)
	if code, stdout, stderr := command(t, "healthcheck", "-c", withAdmin); code != exitFine || stdout != "ready\n" {
		t.Errorf("got %d %q %q", code, stdout, stderr)
	}
	if code, stdout, stderr := command(t, "healthcheck", "-c", withoutAdmin); code != exitFine || !strings.Contains(stdout, "connections are taken") {
		t.Errorf("without an admin listener: got %d %q %q", code, stdout, stderr)
	}
	s.Close()
	for _, file := range []string{withAdmin, withoutAdmin} {
		if code, _, stderr := command(t, "healthcheck", "-c", file); code != exitFailed || !strings.Contains(stderr, "connection refused") {
			t.Errorf("nobody is there: got %d %q", code, stderr)
		}
	}
}
