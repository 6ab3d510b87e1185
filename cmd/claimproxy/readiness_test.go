package main

import (
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/config"
	"github.com/claimproxy/claimproxy/proxy"
	"github.com/claimproxy/claimproxy/proxy/audit"
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
	s.ask("store", func() standing { asked++; return standing{Ready: asked != 2, Why: "number two"} })
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
