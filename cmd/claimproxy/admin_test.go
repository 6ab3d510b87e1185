package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const adminKey = "admin: {listen: 127.0.0.1:0}"

// TestTheAdminListenerIsNeverThePublicOne: what one answers the other does not know.
func TestTheAdminListenerIsNeverThePublicOne(t *testing.T) {
	r := start(t, echo, adminKey, "  - {path: /, upstream: app, allow: public}")
	for _, path := range []string{"/metrics", "/healthz", "/readyz"} {
		if status, body := r.ask("GET", r.public+path); status != 200 || body != "the application: "+path {
			t.Errorf("public %s: got %d %q, want the application's", path, status, body)
		}
	}
	for _, path := range []string{"/", "/.auth/sign-in", "/.auth/style.css", "/metrics/", "//metrics", "/healthz/x", "/x/../healthz", "/debug/pprof/"} {
		if status, _ := r.ask("GET", r.admin+path); status != 404 {
			t.Errorf("admin %s: got %d, want 404", path, status)
		}
	}
	for _, path := range []string{"/metrics", "/healthz", "/readyz"} {
		for method, want := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405, "OPTIONS": 405, "DELETE": 405} {
			if status, _ := r.ask(method, r.admin+path); status != want {
				t.Errorf("admin %s %s: got %d, want %d", method, path, status, want)
			}
		}
	}
	if status, body := r.ask("GET", r.admin+"/readyz"); status != 200 || body != `{"ready":true,"parts":{"configuration":{"ready":true},"proxy":{"ready":true},"sessions":{"ready":true}}}`+"\n" {
		t.Errorf("readyz: got %d %q", status, body)
	}
	if _, body := r.ask("GET", r.admin+"/healthz"); body != "ok\n" {
		t.Errorf("healthz: got %q", body)
	}
}

// TestMetricsCountWhatWasDecided, and differences of shadows.
func TestMetricsCountWhatWasDecided(t *testing.T) {
	r := start(t, echo, adminKey, routes)
	r.asked()
	var metrics string
	eventually(t, "four requests are counted", func() bool {
		_, metrics = r.ask("GET", r.admin+"/metrics")
		return strings.Contains(metrics, `claimproxy_requests_total{decision="allow",policy="developers",reason="policy",route="localhost/",status="2xx"} 1`)
	})
	for _, want := range []string{
		`claimproxy_requests_total{decision="",policy="",reason="",route="",status="2xx"} 1`,
		`claimproxy_requests_total{decision="allow",policy="",reason="public",route="localhost/open/",status="2xx"} 1`,
		`claimproxy_requests_total{decision="sign-in",policy="developers",reason="no-credentials",route="localhost/",status="4xx"} 1`,
		`claimproxy_shadow_differences_total{decision="allow",policy="developers",route="localhost/",shadow="deny"} 1`,
		`claimproxy_request_duration_seconds_count{route="localhost/"} 2`,
		"claimproxy_audit_lost_total 0", "claimproxy_build_info{",
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("got\n%s\nwant %s", metrics, want)
		}
	}
}

// TestMetricsCountWhatIsBehindADecision: what a provider was asked, tokens, people who come
// back from it, servers of upstreams.
func TestMetricsCountWhatIsBehindADecision(t *testing.T) {
	r := start(t, echo, adminKey, "  - {path: /away/, upstream: \"http://127.0.0.1:1\", allow: public}\n  - {path: /, upstream: app, allow: signed-in}")
	r.signIn("ada")
	for range 3 {
		if status, body := r.ask("GET", r.public+"/"); status != 200 {
			t.Fatalf("got %d %s", status, body)
		}
	}
	r.token = ""
	for path, want := range map[string]int{"/away/": 502, "/.auth/callback/idp?state=unknown&code=1": 400} {
		if status, _ := r.ask("GET", r.public+path); status != want {
			t.Errorf("%s: got %d, want %d", path, status, want)
		}
	}
	_, metrics := r.ask("GET", r.admin+"/metrics")
	for _, want := range []string{
		`claimproxy_provider_requests_total{endpoint="discovery",provider="idp",result="ok"} 1`,
		`claimproxy_provider_requests_total{endpoint="jwks",provider="idp",result="ok"} 1`,
		`claimproxy_provider_request_duration_seconds_count{endpoint="jwks",provider="idp"} 1`,
		`claimproxy_provider_key_fetches_total{provider="idp",result="ok"} 1`,
		`claimproxy_token_lookups_total{kind="jwt",provider="idp",result="good"} 1`,
		`claimproxy_token_cache_hits_total{kind="jwt",provider="idp",result="good"} 2`,
		`claimproxy_logins_total{provider="idp",result="session-expired"} 1`,
		`claimproxy_sessions_in_memory 0`, "\nclaimproxy_sessions 0\n",
		`claimproxy_upstream_errors_total{result="unreachable",server="http://127.0.0.1:1",upstream="127.0.0.1:1"} 1`,
		`claimproxy_upstream_up{server="http://127.0.0.1:1",upstream="127.0.0.1:1"} 1`,
		`",upstream="app"} 1`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("got\n%s\nwant %s", metrics, want)
		}
	}
}

// TestNothingThatIsSentBecomesALabel: other hosts, paths and methods, all refused.
func TestNothingThatIsSentBecomesALabel(t *testing.T) {
	r := start(t, echo, adminKey, "  - {path: /, methods: GET, upstream: app, allow: public}")
	for i := range 50 {
		evil := fmt.Sprint("evil", i)
		for _, send := range []struct{ method, host, path string }{
			{"GET", evil + ".example", "/"}, {"GET", "localhost", "/" + evil}, {strings.ToUpper(evil), "localhost", "/"},
		} {
			req, err := http.NewRequest(send.method, r.public+send.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = send.host
			res, err := r.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
		}
	}
	var metrics string
	eventually(t, "everything is counted", func() bool {
		_, metrics = r.ask("GET", r.admin+"/metrics")
		return strings.Contains(metrics, `reason="method",route="localhost/",status="4xx"} 50`)
	})
	if strings.Contains(strings.ToLower(metrics), "evil") {
		t.Errorf("something that was sent is in the metrics:\n%s", metrics)
	}
	if n := strings.Count(metrics, "\nclaimproxy_requests_total{"); n != 3 {
		t.Errorf("%d series of requests, want 3", n)
	}
}

// TestReadinessEndsBeforeTheService: from the signal on /readyz says no, and says why,
// while requests that are under way end and the admin listener still answers.
func TestReadinessEndsBeforeTheService(t *testing.T) {
	arrived, leave := make(chan struct{}), make(chan struct{})
	r := start(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-leave
		echo(w, r)
	}, adminKey, "  - {path: /, upstream: app, allow: public}")
	answered := make(chan string)
	go func() {
		_, body := r.ask("GET", r.public+"/slow")
		answered <- body
	}()
	<-arrived
	r.cancel()
	var status int
	var body string
	eventually(t, "readyz fails", func() bool {
		status, body = r.ask("GET", r.admin+"/readyz")
		return status != 200
	})
	var got struct {
		Ready bool
		Parts map[string]standing
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != 503 || got.Ready || got.Parts["proxy"].Ready || !strings.Contains(got.Parts["proxy"].Why, "draining") {
		t.Errorf("readyz: got %d %q (%v)", status, body, err)
	}
	for _, path := range []string{"/healthz", "/metrics"} {
		if status, _ := r.ask("GET", r.admin+path); status != 200 {
			t.Errorf("%s while draining: got %d", path, status)
		}
	}
	close(leave)
	if body := <-answered; body != "the application: /slow" {
		t.Errorf("the request under way: got %q", body)
	}
	r.stop()
	if c, err := net.Dial("tcp", strings.TrimPrefix(r.admin, "http://")); err == nil {
		c.Close()
		t.Error("the admin listener is still there")
	}
}

func TestNothingIsReadyThatWasNotSaidToBe(t *testing.T) {
	var s readiness
	ask := func() (int, string) {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
		return w.Code, strings.TrimSpace(w.Body.String())
	}
	for _, step := range []struct {
		part, why string
		status    int
		body      string
	}{
		{"", "", 503, `{"ready":false,"parts":{}}`},
		{"proxy", "it is starting", 503, `{"ready":false,"parts":{"proxy":{"ready":false,"why":"it is starting"}}}`},
		{"store", "", 503, `{"ready":false,"parts":{"proxy":{"ready":false,"why":"it is starting"},"store":{"ready":true}}}`},
		{"proxy", "", 200, `{"ready":true,"parts":{"proxy":{"ready":true},"store":{"ready":true}}}`},
		{"store", "it does not answer", 503, `{"ready":false,"parts":{"proxy":{"ready":true},"store":{"ready":false,"why":"it does not answer"}}}`},
	} {
		if step.part != "" {
			s.set(step.part, step.why)
		}
		if status, body := ask(); status != step.status || body != step.body {
			t.Errorf("got %d %s, want %d %s", status, body, step.status, step.body)
		}
	}
}

func TestAnAdminAddressThatIsTakenIsSaid(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	path := write(t, "claimproxy.yaml", "listen: 127.0.0.1:0\nadmin: {listen: "+taken.Addr().String()+"}"+strings.Replace(smallConfig, ", client_secret: {file: secret}", "", 1))
	code, _, stderr := command(t, "serve", "-c", path)
	if want := "claimproxy: admin: listening on " + taken.Addr().String() + ": address already in use\n"; code != exitFailed || stderr != want {
		t.Errorf("got %d %q, want %d %q", code, stderr, exitFailed, want)
	}
}
