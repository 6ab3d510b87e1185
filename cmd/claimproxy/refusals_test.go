package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/proxy"
)

// TestACallerWhoIsRefusedAgainAndAgainIsExplained in one line, and not each time.
func TestACallerWhoIsRefusedAgainAndAgainIsExplained(t *testing.T) {
	var out bytes.Buffer
	var r refusals
	log := slog.New(slog.NewJSONHandler(&out, nil))
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	refuse := func(n int, every time.Duration, change func(*proxy.Event)) int {
		out.Reset()
		for range n {
			at = at.Add(every)
			e := proxy.Event{Time: at, RequestID: "k7m2x9qa4hw3tz5b", ClientIP: "192.0.2.7", Route: "a.example/api/", Decision: "deny", Reason: "token-client", Status: 401}
			change(&e)
			r.observe(log, e)
		}
		return strings.Count(out.String(), "again and again")
	}
	as := func(*proxy.Event) {}
	if n := refuse(refusedAfter-1, time.Second, as); n != 0 {
		t.Errorf("told %d times before it was certain", n)
	}
	if n := refuse(1, time.Second, as); n != 1 {
		t.Fatalf("told %d times, want once", n)
	}
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"reason": "token-client", "because": "the token was issued to a client that is not among the provider's clients in the configuration",
		"look_at": "whether the program's client id belongs into the provider's clients; claimproxy check --live --token FILE shows it",
		"route":   "a.example/api/", "client_ip": "192.0.2.7", "request_id": "k7m2x9qa4hw3tz5b", "within": "1m0s",
	} {
		if line[key] != want {
			t.Errorf("%s: got %v, want %s", key, line[key], want)
		}
	}
	if n := refuse(500, time.Second, as); n != 0 {
		t.Errorf("told %d more times within ten minutes", n)
	}
	at = at.Add(refusedQuiet)
	if n := refuse(refusedAfter, time.Second, as); n != 1 {
		t.Errorf("told %d times after a while, want once", n)
	}
	for name, change := range map[string]func(*proxy.Event){
		"slowly":        func(e *proxy.Event) { e.ClientIP = "192.0.2.8" },
		"let in":        func(e *proxy.Event) { e.Decision, e.ClientIP = "allow", "192.0.2.9" },
		"an own page":   func(e *proxy.Event) { e.Decision, e.ClientIP = "", "192.0.2.10" },
		"a provider":    func(e *proxy.Event) { e.Reason = "provider-unavailable" },
		"other callers": func(e *proxy.Event) { e.ClientIP = fmt.Sprint(at) },
	} {
		every := time.Second
		if name == "slowly" {
			every = 4 * time.Second
		}
		if n := refuse(3*refusedAfter, every, change); n != 0 {
			t.Errorf("%s: told %d times", name, n)
		}
	}
	refuse(10*maxRefused, time.Millisecond, func(e *proxy.Event) { e.ClientIP = fmt.Sprint(at) })
	if len(r.seen) > maxRefused {
		t.Errorf("%d callers are remembered, want at most %d", len(r.seen), maxRefused)
	}
}

// TestWhatIsAdvisedIsAboutReasonsThatThereAre.
func TestWhatIsAdvisedIsAboutReasonsThatThereAre(t *testing.T) {
	for reason := range advice {
		if reason.Meaning() == "" {
			t.Errorf("there is no reason %s", reason)
		}
	}
}

// TestRefusalsReachTheLog of a program that runs.
func TestRefusalsReachTheLog(t *testing.T) {
	r := start(t, echo, adminKey, routes)
	r.token = "nobody-s"
	for range refusedAfter {
		r.wantStatus("/closed", 401)
	}
	r.told(1, `"msg":"the same caller is refused again and again","reason":"token-`)
	r.stop()
}
