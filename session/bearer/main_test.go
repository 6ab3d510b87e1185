package bearer_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/bearer"
	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	webSecret = "s3cret: +&%/="
	cacheMax  = 5 * time.Minute
)

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// rig is a development provider, which is as GitLab, and a Verifier of its tokens.
type rig struct {
	*devprovider.Server
	v     *bearer.Verifier
	clock *clock
	log   *logBuffer
}

// logBuffer keeps what was logged.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// setup is what a test may change before it starts.
type setup struct {
	dev      devprovider.Options
	provider provider.Config
	verifier bearer.Config
}

func start(t testing.TB, change ...func(*setup)) *rig {
	t.Helper()
	c := &clock{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	log := &logBuffer{}
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := setup{
		dev: devprovider.Options{
			Algorithm: "ES256", Now: c.Now,
			People: []devprovider.Person{
				{Name: "ada", Email: "ada@kde.example", Groups: []string{"teams", "teams/kde-developers"}},
				{Name: "eve"},
			},
			Clients: []devprovider.Client{
				{ID: "web", Secret: webSecret},
				{ID: "native", Native: true},
				{ID: "tool", Secret: "tool secret"},
				{ID: "stranger", Secret: "strange"},
				{ID: "endless", Native: true, NoExpiry: true},
			},
		},
		provider: provider.Config{
			ID: "dev", Name: "Development", UserClaim: "preferred_username", Now: c.Now, Log: logger,
			Client:  provider.Client{ID: "web", Secret: webSecret},
			Clients: []provider.Client{{ID: "native"}, {ID: "tool", Secret: "tool secret"}, {ID: "endless"}},
			Bearer:  provider.Bearer{AccessToken: true, CacheMax: cacheMax},
		},
		verifier: bearer.Config{Needs: []string{"groups"}, Now: c.Now, Log: logger},
	}
	for _, f := range change {
		f(&s)
	}
	server := devprovider.NewServer(s.dev)
	t.Cleanup(server.Close)
	s.provider.Issuer = server.Issuer()
	p := provider.New(s.provider)
	t.Cleanup(p.Close)
	s.verifier.Providers = append([]*provider.Provider{p}, s.verifier.Providers...)
	v := bearer.New(s.verifier)
	t.Cleanup(v.Close)
	return &rig{Server: server, v: v, clock: c, log: log}
}

func (r *rig) verify(t testing.TB, token string) (*session.Identity, error) {
	t.Helper()
	return r.v.Verify(t.Context(), session.Presented{Token: token, Host: "api.example", Path: "/x"})
}

func (r *rig) wantIdentity(t testing.TB, token string) *session.Identity {
	t.Helper()
	id, err := r.verify(t, token)
	if err != nil {
		t.Fatalf("got %v, want an identity", err)
	}
	return id
}

func (r *rig) wantRejected(t testing.TB, token string, reason session.Reason) {
	t.Helper()
	id, err := r.verify(t, token)
	wantReason(t, id, err, reason)
}

func wantReason(t testing.TB, id *session.Identity, err error, reason session.Reason) {
	t.Helper()
	var rejected *session.Rejected
	if !errors.As(err, &rejected) || id != nil {
		t.Fatalf("got %v, %v, want it rejected as %s", id, err, reason)
	}
	if rejected.Reason != reason || rejected.Sentence == "" {
		t.Errorf("got %s (%q, cause %v), want %s", rejected.Reason, rejected.Sentence, rejected.Cause, reason)
	}
}

func (r *rig) wantUnavailable(t testing.TB, token string) {
	t.Helper()
	id, err := r.verify(t, token)
	var u *session.Unavailable
	if !errors.As(err, &u) || id != nil {
		t.Fatalf("got %v, %v, want *session.Unavailable", id, err)
	}
	if u.Reason != session.ReasonProviderUnavailable || u.Sentence == "" {
		t.Errorf("got %s (%q), want %s", u.Reason, u.Sentence, session.ReasonProviderUnavailable)
	}
}

func (r *rig) wantCalls(t testing.TB, name devprovider.Endpoint, want int) {
	t.Helper()
	if got := r.Calls(name); got != want {
		t.Errorf("calls of %s: got %d, want %d", name, got, want)
	}
}

// asked is the number of all calls about tokens.
func (r *rig) asked() int {
	return r.Calls(devprovider.Introspection) + r.Calls(devprovider.UserInfo) + r.Calls(devprovider.TokenInfo)
}

func (r *rig) block(t testing.TB, name string, blocked bool) {
	t.Helper()
	p := r.Person(name)
	p.Blocked = blocked
	r.SetPerson(p)
}

// introspectionSays has introspection give that answer to everybody.
func (r *rig) introspectionSays(body string) {
	r.Override(devprovider.Introspection, devprovider.Answer(http.StatusOK, "application/json", body))
}

func (r *rig) userInfoSays(status int, body string) {
	r.Override(devprovider.UserInfo, devprovider.Answer(status, "application/json", body))
}

// without takes members off the discovery document.
func (r *rig) without(members ...string) {
	r.Rewrite(devprovider.DiscoveryDocument, func(doc map[string]any) {
		for _, m := range members {
			if m == "doorkeeper" { // no longer recognised, so no token information
				doc["userinfo_endpoint"] = r.Issuer() + "/oauth/userinfo?"
				continue
			}
			delete(doc, m)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// wantQuiet checks that nothing logged contains a token or a secret.
func (r *rig) wantQuiet(t testing.TB, secrets ...string) {
	t.Helper()
	log := r.log.String()
	for _, s := range append(secrets, webSecret, "tool secret", "Bearer ", "Basic ") {
		if s != "" && strings.Contains(log, s) {
			t.Errorf("the log contains %q:\n%s", s, log)
		}
	}
}

// jsonReply is an answer of a network in a function.
func jsonReply(req *http.Request, body string) *http.Response {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}
}
