package proxy

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
)

// judge asks about literal bytes, as they would come from a peer on loopback.
func (h *house) judge(t testing.TB, request string) Judgement {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(request)))
	if err != nil {
		t.Fatal(err)
	}
	r.RemoteAddr = "127.0.0.1:1234"
	return h.proxy.Judge(r)
}

// TestJudgeSaysWhatTheProxyDoes: asking without forwarding comes to the same as
// sending the request, whatever the request, and touches no upstream.
func TestJudgeSaysWhatTheProxyDoes(t *testing.T) {
	u := newWire(t)
	h := credentialHouse(t, u)
	for name, request := range map[string]string{
		"public":                   "GET /public/x?q HTTP/1.1\r\nHost: APP.example.org.\r\n\r\n",
		"allowed by cookie":        "GET / HTTP/1.1\r\nHost: " + publicHost + "\r\nCookie: " + cookieName + "=jane\r\n\r\n",
		"allowed by token":         "GET / HTTP/1.1\r\nHost: " + publicHost + "\r\nAuthorization: Bearer jane\r\n\r\n",
		"denied":                   "GET / HTTP/1.1\r\nHost: " + publicHost + "\r\nCookie: " + cookieName + "=joe\r\n\r\n",
		"nobody known":             "GET / HTTP/1.1\r\nHost: " + publicHost + "\r\n\r\n",
		"bad token":                "GET / HTTP/1.1\r\nHost: " + publicHost + "\r\nAuthorization: Bearer bad\r\n\r\n",
		"two credentials":          "GET /public/ HTTP/1.1\r\nHost: " + publicHost + "\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n",
		"store down":               "GET / HTTP/1.1\r\nHost: " + publicHost + "\r\nCookie: " + cookieName + "=down\r\n\r\n",
		"closed":                   "GET /nobody/ HTTP/1.1\r\nHost: " + publicHost + "\r\n\r\n",
		"no route":                 "GET / HTTP/1.1\r\nHost: other.example\r\n\r\n",
		"a method that is none":    "TRACE / HTTP/1.1\r\nHost: " + publicHost + "\r\n\r\n",
		"a path with two meanings": "GET /public/%2e%2e/ HTTP/1.1\r\nHost: " + publicHost + "\r\n\r\n",
		"a path encoded twice":     "GET /%2570ublic/ HTTP/1.1\r\nHost: " + publicHost + "\r\n\r\n",
		"no host":                  "GET / HTTP/1.1\r\nHost: a..b\r\n\r\n",
		"one of our own pages":     "GET /.auth/me HTTP/1.1\r\nHost: " + publicHost + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			j := h.judge(t, request)
			u.none(t)
			h.raw(t, request)
			event := h.events.next(t)
			decision, route := j.Verdict.Outcome.String(), ""
			if j.Own {
				decision = ""
			}
			if j.Route != nil {
				route = j.Route.Name
			}
			if decision != event.Decision || j.Verdict.Reason != event.Reason || route != event.Route || j.Target.Host != event.Host {
				t.Errorf("Judge says %q %q on %q at %q, the proxy %q %q on %q at %q",
					decision, j.Verdict.Reason, route, j.Target.Host, event.Decision, event.Reason, event.Route, event.Host)
			}
			if allowed := len(u.took()) == 1; allowed != (j.Verdict.Outcome == Allow) {
				t.Errorf("the upstream was asked: %v; Judge says %v", allowed, j.Verdict.Outcome)
			}
		})
	}
}

// TestZeroJudgementRefuses: what was never judged is not let in.
func TestZeroJudgementRefuses(t *testing.T) {
	if (Judgement{}).Verdict.Outcome == Allow {
		t.Error("a zero judgement allows")
	}
}
