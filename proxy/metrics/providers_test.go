package metrics

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/claimproxy/claimproxy/proxy"
)

// everythingElse counts one of everything that is no request.
func everythingElse(m *Metrics) {
	p := m.Provider("invent")
	p.Called("userinfo", "ok", 30*time.Millisecond)
	p.Called("token", "unanswered", 10*time.Second)
	p.KeysFetched(true)
	p.KeysFetched(false)
	m.LookedUp("invent", "jwt", "good")
	found := m.Found("invent", "opaque", "refused")
	found()
	found()
	m.SignedIn("invent", "ok")
	m.SignedIn("invent", "session-expired")
	m.Renewed("invent", "session-ended")
	m.UpstreamFailed("app", "http://app.example", proxy.FailedTimeout)
}

func TestEverythingElseIsCounted(t *testing.T) {
	m := New(Config{})
	everythingElse(m)
	got := exposition(t, m)
	for _, want := range []string{
		`claimproxy_provider_requests_total{endpoint="userinfo",provider="invent",result="ok"} 1`,
		`claimproxy_provider_requests_total{endpoint="token",provider="invent",result="unanswered"} 1`,
		`claimproxy_provider_request_duration_seconds_bucket{endpoint="userinfo",provider="invent",le="0.05"} 1`,
		`claimproxy_provider_request_duration_seconds_bucket{endpoint="token",provider="invent",le="5"} 0`,
		`claimproxy_provider_key_fetches_total{provider="invent",result="ok"} 1`,
		`claimproxy_provider_key_fetches_total{provider="invent",result="failed"} 1`,
		`claimproxy_token_lookups_total{kind="jwt",provider="invent",result="good"} 1`,
		`claimproxy_token_cache_hits_total{kind="opaque",provider="invent",result="refused"} 2`,
		`claimproxy_logins_total{provider="invent",result="ok"} 1`,
		`claimproxy_logins_total{provider="invent",result="session-expired"} 1`,
		`claimproxy_session_renewals_total{provider="invent",result="session-ended"} 1`,
		`claimproxy_upstream_errors_total{result="timeout",server="http://app.example",upstream="app"} 1`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("got\n%s\nwant %s", got, want)
		}
	}
}

// TestTheHealthOfServersIsThatOfNow: another configuration's servers are not there any
// more, and one that is written down twice has to work for both.
func TestTheHealthOfServersIsThatOfNow(t *testing.T) {
	var now []proxy.ServerState
	m := New(Config{Servers: func() []proxy.ServerState { return now }})
	for _, step := range []struct {
		servers []proxy.ServerState
		want    string
	}{
		{nil, ""},
		{[]proxy.ServerState{{Upstream: "a", Server: "http://1", Works: true}, {Upstream: "a", Server: "http://2", Works: false}},
			`claimproxy_upstream_up{server="http://1",upstream="a"} 1` + "\n" + `claimproxy_upstream_up{server="http://2",upstream="a"} 0` + "\n"},
		{[]proxy.ServerState{{Upstream: "b", Server: "http://1", Works: true}, {Upstream: "b", Server: "http://1", Works: false}}, `claimproxy_upstream_up{server="http://1",upstream="b"} 0` + "\n"},
		{[]proxy.ServerState{{Upstream: "b", Server: "http://1", Works: false}, {Upstream: "b", Server: "http://1", Works: true}}, `claimproxy_upstream_up{server="http://1",upstream="b"} 0` + "\n"},
	} {
		now = step.servers
		var got strings.Builder
		for line := range strings.Lines(exposition(t, m)) {
			if strings.HasPrefix(line, "claimproxy_upstream_up{") {
				got.WriteString(line)
			}
		}
		if got.String() != step.want {
			t.Errorf("got\n%s\nwant\n%s", &got, step.want)
		}
	}
}

// TestNoWordOfAProviderBecomesALabel: whatever it is called with, only words of lists, and
// names that are the configuration's, are in labels.
func TestNoWordOfAProviderBecomesALabel(t *testing.T) {
	m := New(Config{})
	text := func() string { return fmt.Sprint("evil", rand.Uint64()) }
	for range 1000 {
		m.Provider("invent").Called(text(), text(), time.Second)
		m.LookedUp("invent", text(), text())
		m.Found("invent", text(), text())()
		m.SignedIn("invent", text())
		m.Renewed("invent", text())
		m.UpstreamFailed("app", "http://app.example", text())
	}
	for _, c := range m.identities.all() {
		if n := testutil.CollectAndCount(c); n > 1 {
			t.Errorf("%d series, want 1", n)
		}
	}
	if strings.Contains(exposition(t, m), "evil") {
		t.Error("something that came from elsewhere is in a label")
	}
}

// BenchmarkFound is what counting adds to a request whose token is in the cache.
func BenchmarkFound(b *testing.B) {
	count := New(Config{}).Found("invent", "jwt", "good")
	b.ReportAllocs()
	for b.Loop() {
		count()
	}
}
