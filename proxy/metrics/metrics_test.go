package metrics

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/claimproxy/claimproxy/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ours are the metrics that are not of the Go runtime and the process.
var ours = []string{
	"claimproxy_requests_total", "claimproxy_request_duration_seconds", "claimproxy_shadow_differences_total",
	"claimproxy_header_values_left_out_total", "claimproxy_audit_lost_total", "claimproxy_build_info",
	"claimproxy_config_reloads_total", "claimproxy_config_last_reload_successful", "claimproxy_config_last_reload_success_timestamp_seconds",
	"claimproxy_provider_requests_total", "claimproxy_provider_request_duration_seconds", "claimproxy_provider_key_fetches_total",
	"claimproxy_token_lookups_total", "claimproxy_token_cache_hits_total", "claimproxy_logins_total", "claimproxy_session_renewals_total",
	"claimproxy_upstream_errors_total", "claimproxy_upstream_up", "claimproxy_sessions_in_memory", "claimproxy_sessions", "claimproxy_accept_errors_total",
	"claimproxy_limited_total", "claimproxy_requests_in_flight",
}

var names = Names{Routes: []string{"a.example/", "a.example/api/", "a.example/"}, Policies: []string{"developers", "admins"}}

func allowed() proxy.Event {
	return proxy.Event{Route: "a.example/", Policy: "developers", Decision: "allow", Reason: "policy", Status: 200, Duration: 20 * time.Millisecond}
}

func with(change func(*proxy.Event)) proxy.Event {
	e := allowed()
	change(&e)
	return e
}

// TestEventsAreCounted is about one event each.
func TestEventsAreCounted(t *testing.T) {
	for name, test := range map[string]struct {
		event proxy.Event
		want  string // the lines with a count, the durations aside
	}{
		"allowed": {allowed(),
			`claimproxy_requests_total{decision="allow",policy="developers",reason="policy",route="a.example/",status="2xx"} 1`},
		"a condition without a name": {with(func(e *proxy.Event) { e.Policy = "groups contains a" }),
			`claimproxy_requests_total{decision="allow",policy="",reason="policy",route="a.example/",status="2xx"} 1`},
		"no route": {proxy.Event{Host: "b.example", Path: "/x", Method: "BREW", Decision: "deny", Reason: "no-route", Status: 404},
			`claimproxy_requests_total{decision="deny",policy="",reason="no-route",route="",status="4xx"} 1`},
		"an own page": {proxy.Event{Host: "a.example", Path: "/.auth/me", Status: 200},
			`claimproxy_requests_total{decision="",policy="",reason="",route="",status="2xx"} 1`},
		"a websocket": {with(func(e *proxy.Event) { e.Status = 101 }),
			`claimproxy_requests_total{decision="allow",policy="developers",reason="policy",route="a.example/",status="1xx"} 1`},
		"the client went away": {with(func(e *proxy.Event) { e.Status = 499 }),
			`claimproxy_requests_total{decision="allow",policy="developers",reason="policy",route="a.example/",status="4xx"} 1`},
		"words that nobody knows": {with(func(e *proxy.Event) { e.Decision, e.Reason, e.Status, e.Route = "maybe", "moon", 999, "c.example/" }),
			`claimproxy_requests_total{decision="other",policy="developers",reason="other",route="",status="other"} 1`},
		"a shadow that agrees": {with(func(e *proxy.Event) { e.Shadow, e.ShadowPolicy = "allow", "admins" }),
			`claimproxy_requests_total{decision="allow",policy="developers",reason="policy",route="a.example/",status="2xx"} 1`},
		"a shadow that differs": {with(func(e *proxy.Event) { e.Shadow, e.ShadowPolicy, e.ShadowDiffers = "deny", "admins", true }),
			`claimproxy_requests_total{decision="allow",policy="developers",reason="policy",route="a.example/",status="2xx"} 1
claimproxy_shadow_differences_total{decision="allow",policy="developers",route="a.example/",shadow="deny"} 1`},
		"values left out": {with(func(e *proxy.Event) { e.LeftOut = 3 }),
			`claimproxy_header_values_left_out_total 3
claimproxy_requests_total{decision="allow",policy="developers",reason="policy",route="a.example/",status="2xx"} 1`},
	} {
		t.Run(name, func(t *testing.T) {
			m := New(Config{})
			m.Observer(names).Observe(test.event)
			var got []string
			for line := range strings.Lines(exposition(t, m)) {
				if strings.HasPrefix(line, "claimproxy_") && !strings.HasPrefix(line, "claimproxy_build_info") &&
					!strings.HasPrefix(line, "claimproxy_request_duration_seconds") && !strings.HasSuffix(line, " 0\n") {
					got = append(got, line)
				}
			}
			if got := strings.TrimSpace(strings.Join(got, "")); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func exposition(t testing.TB, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler(nil).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestDurationsAreByRouteAndWithoutWebsockets(t *testing.T) {
	m := New(Config{})
	o := m.Observer(names)
	o.Observe(allowed())
	o.Observe(with(func(e *proxy.Event) { e.Status, e.Duration = 101, 8*time.Hour }))
	o.Observe(with(func(e *proxy.Event) { e.Route, e.Duration = "", time.Millisecond }))
	got := exposition(t, m)
	for _, want := range []string{
		`claimproxy_request_duration_seconds_sum{route="a.example/"} 0.02`,
		`claimproxy_request_duration_seconds_count{route="a.example/"} 1`,
		`claimproxy_request_duration_seconds_bucket{route="a.example/",le="0.01"} 0`,
		`claimproxy_request_duration_seconds_bucket{route="a.example/",le="0.025"} 1`,
		`claimproxy_request_duration_seconds_count{route="a.example/api/"} 0`,
		`claimproxy_request_duration_seconds_count{route=""} 1`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("got\n%s\nwant %s", got, want)
		}
	}
}

func TestBuildAndLostLinesAreTold(t *testing.T) {
	lost := uint64(0)
	m := New(Config{Version: "v1.2.3", Revision: "2b34ea8", GoVersion: "go1.26.8", AuditLost: func() uint64 { return lost }})
	lost = 7
	got := exposition(t, m)
	for _, want := range []string{
		`claimproxy_build_info{goversion="go1.26.8",revision="2b34ea8",version="v1.2.3"} 1`, "claimproxy_audit_lost_total 7",
		"go_goroutines ", "process_open_fds ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant %s", got, want)
		}
	}
}

// TestCountingGoesOnWithAnotherConfiguration: counters never go back.
func TestCountingGoesOnWithAnotherConfiguration(t *testing.T) {
	m := New(Config{})
	m.Observer(names).Observe(allowed())
	m.Observer(Names{Routes: []string{"a.example/"}, Policies: []string{"developers"}}).Observe(allowed())
	if got := testutil.ToFloat64(m.requests.WithLabelValues("a.example/", "developers", "allow", "policy", "2xx")); got != 2 {
		t.Errorf("got %v, want 2", got)
	}
}

// TestAConfigurationThatFailsLeavesTheTimeOfTheOneAtWork.
func TestAConfigurationThatFailsLeavesTheTimeOfTheOneAtWork(t *testing.T) {
	m := New(Config{})
	at := time.Unix(1_800_000_000, 0)
	m.Reloaded(true, at)
	m.Reloaded(false, at.Add(time.Hour))
	if loaded, since := testutil.ToFloat64(m.loaded), testutil.ToFloat64(m.loadedAt); loaded != 0 || since != 1.8e9 {
		t.Errorf("got successful %v at %v, want 0 at 1.8e9", loaded, since)
	}
	m.Reloaded(true, at.Add(2*time.Hour))
	if loaded, since := testutil.ToFloat64(m.loaded), testutil.ToFloat64(m.loadedAt); loaded != 1 || since != 1.8e9+7200 {
		t.Errorf("got successful %v at %v, want 1 two hours later", loaded, since)
	}
}

// TestTheExpositionIsWellMade, as Prometheus' own linter sees it.
func TestTheExpositionIsWellMade(t *testing.T) {
	m := New(Config{Servers: func() []proxy.ServerState {
		return []proxy.ServerState{{Upstream: "app", Server: "http://app.example"}}
	}, Sessions: func() (int, bool) { return 5, true }, SessionsInMemory: func() (int, bool) { return 3, true }})
	o := m.Observer(names)
	o.Observe(allowed())
	o.Observe(with(func(e *proxy.Event) { e.Shadow, e.ShadowDiffers = "deny", true }))
	everythingElse(m)
	m.Reloaded(true, time.Unix(1_800_000_000, 0))
	problems, err := testutil.GatherAndLint(m.registry, ours...)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "claimproxy_") {
			found++
		}
	}
	if found != len(ours) {
		t.Errorf("%d metrics of ours, want the %d that are listed here", found, len(ours))
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	m.Handler(nil).ServeHTTP(w, r)
	if !strings.HasSuffix(w.Body.String(), "# EOF\n") {
		t.Error("OpenMetrics does not end as it must")
	}
}

// TestNobodyMakesSeriesBySendingRequests: twenty thousand requests, each with
// another host, path, method and subject, and with conditions and words as no
// configuration has them.
func TestNobodyMakesSeriesBySendingRequests(t *testing.T) {
	m := New(Config{})
	o := m.Observer(names)
	const evil = "evil"
	text := func() string { return fmt.Sprint(evil, rand.Uint64()) }
	pick := func(list ...string) string { return list[rand.IntN(len(list))] }
	for range 20_000 {
		o.Observe(proxy.Event{
			RequestID: text(), Host: text(), Path: text(), Method: text(), ClientIP: text(), Auth: text(), Provider: text(), Subject: text(), Upstream: text(),
			Route: pick("a.example/", "a.example/api/", "", text()), Policy: pick("developers", "admins", "", text()),
			Decision: pick("allow", "deny", "sign-in", "", text()), Reason: proxy.Reason(pick("policy", "no-route", text())),
			Shadow: pick("allow", "deny", text()), ShadowPolicy: text(), ShadowDiffers: rand.IntN(2) == 0, Status: rand.IntN(1200),
		})
	}
	// Two routes or none; two policies or none; five words; three reasons; six classes.
	if got, most := testutil.CollectAndCount(m.requests), 3*3*5*3*6; got > most {
		t.Errorf("%d series of requests, want at most %d", got, most)
	}
	if got, most := testutil.CollectAndCount(m.shadows), 3*3*5*3; got > most {
		t.Errorf("%d series of shadows, want at most %d", got, most)
	}
	if strings.Contains(exposition(t, m), evil) {
		t.Error("something that was sent is in a label")
	}
}

func BenchmarkObserve(b *testing.B) {
	o := New(Config{}).Observer(names)
	for _, bench := range []struct {
		name  string
		event proxy.Event
	}{
		{"allowed", allowed()},
		{"shadow-differs", with(func(e *proxy.Event) { e.Shadow, e.ShadowDiffers = "deny", true })},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				o.Observe(bench.event)
			}
		})
	}
}

// BenchmarkScrape is with a thousand routes.
func BenchmarkScrape(b *testing.B) {
	m := New(Config{})
	var n Names
	for i := range 1000 {
		n.Routes = append(n.Routes, fmt.Sprintf("host-%d.example/", i))
	}
	o := m.Observer(n)
	for _, r := range n.Routes {
		o.Observe(with(func(e *proxy.Event) { e.Route = r }))
	}
	h := m.Handler(nil)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		_, _ = io.Copy(io.Discard, w.Body)
	}
}
