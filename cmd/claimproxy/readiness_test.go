package main

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/proxy"
	"github.com/claimproxy/claimproxy/proxy/audit"
	"github.com/claimproxy/claimproxy/session"
)

// TestAnAuditLogThatFailsIsGivenAnotherChance: whoever sends no requests to what is not
// ready would never learn that there is room again.
func TestAnAuditLogThatFailsIsGivenAnotherChance(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full")
	}
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	log, err := audit.Open(audit.Config{File: "/dev/full", Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close(time.Second)
	w := &watch{audit: log}
	refuse, goOn := &config.Config{Audit: &config.Audit{OnFailure: config.OnFailureRefuse}}, &config.Config{Audit: &config.Audit{}}
	if got := w.auditStanding(refuse, at); !got.Ready || got.Why != "" {
		t.Errorf("before anything was lost: got %+v", got)
	}
	log.Observe(proxy.Event{Decision: "allow"})
	eventually(t, "the line is lost", func() bool { return log.Failing() != nil })
	for _, test := range []struct {
		name   string
		config *config.Config
		after  time.Duration
		ready  bool
		says   string
	}{
		{"refusing", refuse, time.Second, false, "nobody is let in without: write /dev/full: no space left on device"},
		{"refusing, a while later", refuse, auditPause, true, "the next request shows whether there is room again"},
		{"going on", goOn, time.Second, true, "requests go on without"},
	} {
		if got := w.auditStanding(test.config, at.Add(test.after)); got.Ready != test.ready || !strings.Contains(got.Why, test.says) {
			t.Errorf("%s: got %+v", test.name, got)
		}
	}
}

// TestPartsAreAskedWhenSomebodyWantsToKnow, and not before.
func TestPartsAreAskedWhenSomebodyWantsToKnow(t *testing.T) {
	var s readiness
	asked := 0
	s.ask("store", func(context.Context) standing { asked++; return standing{Ready: asked != 2, Why: "number two"} })
	for want, status := range []int{200, 503, 200} {
		if asked != want {
			t.Errorf("asked %d times, want %d", asked, want)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
		if w.Code != status || !strings.Contains(w.Body.String(), "number two") {
			t.Errorf("got %d %s, want %d", w.Code, w.Body, status)
		}
	}
}

// TestSessionsThatCannotBeKeptAreToldToThoseWhoWatch: a store that can be read serves
// everybody who is signed in, so the proxy stays where requests come to.
func TestSessionsThatCannotBeKeptAreToldToThoseWhoWatch(t *testing.T) {
	var s readiness
	s.set("proxy", "")
	for _, step := range []struct {
		says   error
		status int
		body   string
	}{
		{nil, 200, `{"ready":true,"parts":{"proxy":{"ready":true},"sessions":{"ready":true}}}`},
		{fmt.Errorf("%w: no space left on device", session.ErrNotKept), 200,
			`{"ready":true,"parts":{"proxy":{"ready":true},"sessions":{"ready":true,"why":"sessions can be looked up, and none can be kept: no space left on device"}}}`},
		{errors.New("redis answers NOAUTH"), 503, `{"ready":false,"parts":{"proxy":{"ready":true},"sessions":{"ready":false,"why":"redis answers NOAUTH"}}}`},
	} {
		s.ask("sessions", standingOf(func(context.Context) error { return step.says }))
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
		if body := strings.TrimSpace(w.Body.String()); w.Code != step.status || body != step.body {
			t.Errorf("got %d %s, want %d %s", w.Code, body, step.status, step.body)
		}
	}
	s.ask("sessions", nil) // a configuration that keeps them in cookies
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
	if body := strings.TrimSpace(w.Body.String()); body != `{"ready":true,"parts":{"proxy":{"ready":true}}}` {
		t.Errorf("got %s, want the proxy alone", body)
	}
}
