package provider_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	callback  = "http://127.0.0.1:4180/callback"
	webSecret = "s3cret: +&%/=ü"
)

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)} }

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

// rig is a development provider, a Provider that speaks with it, and their clock.
type rig struct {
	*devprovider.Server
	p     *provider.Provider
	clock *clock
}

// start makes a rig. The Provider is closed before the server.
func start(t *testing.T, change ...func(*provider.Config)) *rig {
	t.Helper()
	return startWith(t, devprovider.Options{Algorithm: "ES256"}, change...)
}

func startWith(t *testing.T, opts devprovider.Options, change ...func(*provider.Config)) *rig {
	t.Helper()
	c := newClock()
	opts.Now = c.Now
	opts.People = []devprovider.Person{
		{Name: "ada", Email: "ada@kde.example", Groups: []string{"teams/kde-developers"}},
		{Name: "eve"},
	}
	opts.Clients = []devprovider.Client{
		{ID: "web", Secret: webSecret, RedirectURIs: []string{callback}},
		{ID: "native", Native: true},
		{ID: "stranger", Secret: "strange"},
	}
	s := devprovider.NewServer(opts)
	t.Cleanup(s.Close)
	return &rig{Server: s, clock: c, p: speakWith(t, s.Issuer(), c, change...)}
}

// speakWith makes a Provider for an issuer.
func speakWith(t *testing.T, issuer string, c *clock, change ...func(*provider.Config)) *provider.Provider {
	t.Helper()
	conf := provider.Config{
		ID: "dev", Name: "Development", Issuer: issuer,
		Client:  provider.Client{ID: "web", Secret: webSecret},
		Clients: []provider.Client{{ID: "native"}},
		Scopes:  []string{"openid", "email"}, RedirectURI: callback, UserClaim: "preferred_username",
		Bearer: provider.Bearer{AccessToken: true, CacheMax: 5 * time.Minute},
	}
	if c != nil {
		conf.Now = c.Now
	}
	for _, f := range change {
		f(&conf)
	}
	p := provider.New(conf)
	t.Cleanup(p.Close)
	return p
}

// serve starts a server for what the development provider cannot do.
func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s
}

// roundTrip is a network in a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// wantUnavailable checks that an error is the outcome "cannot know now" and that
// nothing in it tells more than it should.
func wantUnavailable(t *testing.T, err error) *session.Unavailable {
	t.Helper()
	var u *session.Unavailable
	if !errors.As(err, &u) {
		t.Fatalf("got error %v, want *session.Unavailable", err)
	}
	if u.Reason != session.ReasonProviderUnavailable || u.Sentence == "" || !strings.Contains(u.Cause.Error(), "provider dev: ") {
		t.Errorf("got reason %q, sentence %q, cause %q, want all filled in for provider dev", u.Reason, u.Sentence, u.Cause)
	}
	return u
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
	var u *session.Unavailable
	if errors.As(err, &u) {
		t.Errorf("got an outage, %v, want %v", err, want)
	}
}

// wantCalls checks how often an endpoint was called.
func (r *rig) wantCalls(t *testing.T, name devprovider.Endpoint, want int) {
	t.Helper()
	if got := r.Calls(name); got != want {
		t.Errorf("calls of %s: got %d, want %d", name, got, want)
	}
}

// sign makes a token of the provider for now: claims are added to iss, exp and iat
// or replace them, and one that is nil is left out.
func (r *rig) sign(key devprovider.Key, header, claims map[string]any) string {
	now := r.clock.Now()
	all := map[string]any{"iss": r.Issuer(), "sub": "1", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	for name, v := range claims {
		all[name] = v
		if v == nil {
			delete(all, name)
		}
	}
	return devprovider.SignJWT(key, header, all)
}

// verify checks a token as bearer tokens are checked.
func (r *rig) verify(t *testing.T, token string) (*provider.JWT, error) {
	t.Helper()
	u, ok := provider.Peek(token)
	if !ok {
		return nil, provider.ErrMalformed
	}
	return r.p.VerifyJWT(t.Context(), u)
}
