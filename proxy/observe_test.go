package proxy

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestEventTellsWhatHappened and nothing that must not be in a log.
func TestEventTellsWhatHappened(t *testing.T) {
	began := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	u := newWire(t)
	h := build(t, []Route{
		{Name: "public", Path: "/public/", Allow: newRules(t).of("public"), Upstream: u.upstream()},
		{Name: "everything", Path: "/", SignIn: Browser | Bearer, Allow: newRules(t).of("developers"), Upstream: u.upstream()},
	}, func(c *Config) {
		ticks := 0
		c.Now = func() time.Time {
			ticks++
			return began.Add(time.Duration(ticks-1) * 250 * time.Millisecond)
		}
	})
	const secret = "sesame"
	for name, test := range map[string]struct {
		request string
		want    Event
	}{
		"let in": {
			"POST /caf\xc3\xa9?" + secret + " HTTP/1.1\r\nHost: APP.example.org:8443\r\nAuthorization: Bearer jane\r\nContent-Length: 0\r\n\r\n",
			Event{Route: "everything", Host: publicHost, Path: "/caf%C3%A9", Method: "POST", Decision: "allow", Reason: "policy", Policy: "developers",
				Auth: "bearer", Provider: "invent", Subject: "jane", Status: 200, Upstream: "wire"},
		},
		"public": {
			"GET /public/?" + secret + " HTTP/1.1\r\nHost: " + publicHost + "\r\nAuthorization: Bearer " + secret + "\r\n\r\n",
			Event{Route: "public", Host: publicHost, Path: "/public/", Method: "GET", Decision: "allow", Reason: "public", Status: 200, Upstream: "wire"},
		},
		"sign-in": {
			"GET /x?" + secret + " HTTP/1.1\r\nHost: " + publicHost + "\r\nAccept: text/html\r\n\r\n",
			Event{Route: "everything", Host: publicHost, Path: "/x", Method: "GET", Decision: "sign-in", Reason: "no-credentials", Policy: "developers", Status: 302},
		},
		"not allowed": {
			"GET /x HTTP/1.1\r\nHost: " + publicHost + "\r\nCookie: " + cookieName + "=joe\r\n\r\n",
			Event{Route: "everything", Host: publicHost, Path: "/x", Method: "GET", Decision: "deny", Reason: "not-allowed", Policy: "developers",
				Auth: "browser", Provider: "invent", Subject: "joe", Status: 403},
		},
		"bad token": {
			"GET /x HTTP/1.1\r\nHost: " + publicHost + "\r\nAuthorization: Bearer " + secret + "\r\n\r\n",
			Event{Route: "everything", Host: publicHost, Path: "/x", Method: "GET", Decision: "deny", Reason: "token-invalid", Status: 401},
		},
		"bad target": {
			"GET /a//\x80b?" + secret + " HTTP/1.1\r\nHost: " + publicHost + "\r\n\r\n",
			Event{Path: "/a//?b", Method: "GET", Decision: "deny", Reason: "bad-target", Status: 400},
		},
		"absolute form with a password": {
			"GET http://user:" + secret + "@app.example.org/x HTTP/1.1\r\nHost: " + publicHost + "\r\n\r\n",
			Event{Path: "app.example.org/x", Method: "GET", Decision: "deny", Reason: "bad-target", Status: 400},
		},
		"authority form with a password": {
			"CONNECT user:" + secret + "@app.example.org:443 HTTP/1.1\r\nHost: " + publicHost + "\r\n\r\n",
			Event{Path: "app.example.org:443", Method: "CONNECT", Decision: "deny", Reason: "method", Status: 405},
		},
		"a token in a fragment": {
			"GET /x#access_token=" + secret + " HTTP/1.1\r\nHost: " + publicHost + "\r\n\r\n",
			Event{Path: "/x", Method: "GET", Decision: "deny", Reason: "bad-target", Status: 400},
		},
		"a session id in the path": {
			"GET /x;jsessionid=" + secret + " HTTP/1.1\r\nHost: " + publicHost + "\r\n\r\n",
			Event{Path: "/x", Method: "GET", Decision: "deny", Reason: "bad-target", Status: 400},
		},
		"an at sign in a path": {
			"GET //x@y HTTP/1.1\r\nHost: " + publicHost + "\r\n\r\n",
			Event{Path: "//x@y", Method: "GET", Decision: "deny", Reason: "bad-target", Status: 400},
		},
		"bad host": {
			"GET /x HTTP/1.1\r\nHost: a..b\r\n\r\n",
			Event{Path: "/x", Method: "GET", Decision: "deny", Reason: "bad-host", Status: 400},
		},
		"no route": {
			"GET /x HTTP/1.1\r\nHost: other.example\r\n\r\n",
			Event{Host: "other.example", Path: "/x", Method: "GET", Decision: "deny", Reason: "no-route", Status: 404},
		},
		"own page": {
			"GET /.auth/me HTTP/1.1\r\nHost: " + publicHost + "\r\n\r\n",
			Event{Host: publicHost, Path: "/.auth/me", Method: "GET", Status: 200},
		},
	} {
		t.Run(name, func(t *testing.T) {
			res := h.raw(t, test.request)
			got := h.events.next(t)
			if got.Duration < 250*time.Millisecond || got.Time.Before(began) {
				t.Errorf("time %v, duration %v", got.Time, got.Duration)
			}
			if got.RequestID != res.Header.Get("X-Request-Id") || got.ClientIP != "127.0.0.1" {
				t.Errorf("request id %q, client %q", got.RequestID, got.ClientIP)
			}
			got.Context, got.Time, got.Duration, got.RequestID, got.ClientIP = nil, time.Time{}, 0, "", ""
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(h.events.all) != 0 {
				t.Error("more than one event")
			}
		})
	}
}

// TestPanicsAreObserved: whatever breaks, there is one event.
func TestPanicsAreObserved(t *testing.T) {
	h := build(t, []Route{{Path: "/", Allow: newRules(t).of("public"), Upstream: newWire(t).upstream()}}, func(c *Config) {
		c.Own = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "late") {
				_, _ = io.WriteString(w, "something")
			}
			panic("a fault of ours")
		})
	})
	client := h.client(t)
	for path, want := range map[string]int{"/.auth/early": 500, "/.auth/late": 200} {
		if res, err := client.Get(base + path); err == nil {
			_, err = io.ReadAll(res.Body)
			res.Body.Close()
			if err == nil {
				t.Errorf("%s: the answer ends well", path)
			}
		}
		if event := h.events.next(t); event.Status != want {
			t.Errorf("%s: event status %d, want %d", path, event.Status, want)
		}
	}
}

func TestRequestIDsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := newRequestID()
		if len(id) != 16 || seen[id] || strings.Trim(id, "abcdefghijkmnpqrstuvwxyz23456789") != "" {
			t.Fatalf("request id %q", id)
		}
		seen[id] = true
	}
}

func TestClientAddresses(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:1234": "192.0.2.1", "[2001:db8::1]:1234": "2001:db8::1", "[fe80::1%eth0]:1234": "fe80::1", "[::ffff:192.0.2.1]:1234": "192.0.2.1", "@": "", "": "",
	} {
		if got := clientIP(&http.Request{RemoteAddr: remote}); got != want {
			t.Errorf("clientIP(%q) = %q, want %q", remote, got, want)
		}
	}
}
