package login

import (
	"bytes"
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/answer"
	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

// The canaries that are known beforehand.
const clientSecret = "s3cret-of-the-web-client"

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

// buffer is a log that goroutines may write to at once.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// site is the pages on a server of their own, and a provider to sign in at. Nothing
// else of claimproxy runs: whatever path is no page of ours is an application that
// says which address it was asked for.
type site struct {
	*Handler
	t     *testing.T
	url   string
	clock *clock
	idp   *devprovider.Server
	store *session.Store
	keep  *flaky
	logs  *buffer
	tls   *http.Client

	mu     sync.Mutex
	canary []string
	reply  func(map[string]any)
}

// setup is what a test changes of a site before it serves.
type setup struct {
	tls     bool
	idp     devprovider.Options
	store   session.StoreOptions
	config  Config
	more    []provider.Config // beside "invent"
	alter   func(*provider.Config)
	comeTo  string // callback path
	publicU string // public_url where it is not the server's own address
}

func newSite(t *testing.T, change ...func(*setup)) *site {
	t.Helper()
	s := &site{
		t: t, clock: &clock{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}, logs: &buffer{},
		canary: []string{clientSecret},
	}
	log := slog.New(slog.NewJSONHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	set := setup{comeTo: "/.auth/callback/invent"}
	set.idp = devprovider.Options{
		People: []devprovider.Person{
			{Name: "ada", FullName: "Ada Lovelace", Email: "ada@kde.example", Groups: []string{"teams/kde-developers"}, Direct: []string{"teams/direct"}},
			{Name: "eve", Groups: []string{"guests"}},
		},
		Algorithm: "ES256", Now: s.clock.Now,
	}
	for _, f := range change {
		f(&set)
	}
	s.idp = devprovider.NewServer(set.idp)
	t.Cleanup(s.idp.Close)
	s.idp.SignInAs("ada")
	s.idp.Rewrite(devprovider.TokenReply, s.overhearTokens)

	var mux http.ServeMux
	server := httptest.NewUnstartedServer(&mux)
	if set.tls {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	s.url, s.tls = server.URL, server.Client()
	public := set.publicU
	if public == "" {
		public = s.url
	}
	publicURL, err := url.Parse(public)
	if err != nil {
		t.Fatal(err)
	}

	s.idp.SetClient(devprovider.Client{
		ID: "web", Secret: clientSecret, RedirectURIs: []string{public + set.comeTo},
		PostLogoutRedirectURIs: []string{public + "/.auth/sign-out"}, BackchannelLogoutURI: s.url + "/.auth/backchannel-logout/invent",
	})
	c := provider.Config{
		ID: "invent", Name: "KDE Invent", Issuer: s.idp.Issuer(), Client: provider.Client{ID: "web", Secret: clientSecret},
		Scopes: []string{"openid", "profile", "email"}, RedirectURI: public + set.comeTo, UserClaim: "preferred_username",
		Now: s.clock.Now, Log: log,
	}
	if set.alter != nil {
		set.alter(&c)
	}
	var providers []*provider.Provider
	for _, c := range append([]provider.Config{c}, set.more...) {
		c.Now, c.Log = s.clock.Now, log
		p := provider.New(c)
		t.Cleanup(p.Close)
		providers = append(providers, p)
	}

	sealer, err := session.NewSealer([][]byte{[]byte(strings.Repeat("state secret ", 4))})
	if err != nil {
		t.Fatal(err)
	}
	s.keep = &flaky{Memory: session.NewMemory()}
	set.store.Backend, set.store.Sealer, set.store.CookieName, set.store.Secure = s.keep, sealer, "claimproxy", set.tls
	set.store.Idle, set.store.Lifetime = cmp.Or(set.store.Idle, time.Hour), 8*time.Hour
	set.store.Now, set.store.Log = s.clock.Now, log
	if s.store, err = session.NewStore(set.store); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.store.Close)

	set.config.Remote = s.store
	set.config.Providers, set.config.Sessions, set.config.Sealer, set.config.Cookies = providers, s.store, sealer, s.store.Cookies()
	set.config.Handover = s.store
	set.config.Answers = answer.New(answer.Options{Endpoints: "/.auth", Site: "telemetry", Log: log})
	set.config.PublicURL, set.config.Endpoints, set.config.Now, set.config.Log = publicURL, "/.auth", s.clock.Now, log
	s.Handler = New(set.config)
	mux.HandleFunc("/", s.serve)
	t.Cleanup(s.wantNoLeak)
	return s
}

// serve stands in for the proxy: it sets the request id, and everything that is not
// ours is an application's.
func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	if below := strings.HasPrefix(r.URL.Path, "/.auth/"); below || s.CallbackPaths[r.URL.Path] != "" {
		w.Header().Set("X-Request-Id", "kq3v5n7x2m4p6r8t")
		s.ServeHTTP(w, r)
		return
	}
	w.Header().Set("X-Application", "yes")
	_, _ = w.Write([]byte("application: " + r.RequestURI))
}

// secret adds a text that may not be found in the log.
func (s *site) secret(texts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range texts {
		if len(text) >= 8 {
			s.canary = append(s.canary, text)
		}
	}
}

// rewriteTokens lets change alter each token reply.
func (s *site) rewriteTokens(change func(map[string]any)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reply = change
}

func (s *site) overhearTokens(reply map[string]any) {
	s.mu.Lock()
	change := s.reply
	s.mu.Unlock()
	if change != nil {
		change(reply)
	}
	for _, name := range []string{"access_token", "refresh_token", "id_token"} {
		text, _ := reply[name].(string)
		s.secret(text)
	}
}

// wantNoLeak fails the test when the log, at its most talkative, has a secret.
func (s *site) wantNoLeak() {
	s.mu.Lock()
	defer s.mu.Unlock()
	logs := s.logs.String()
	for _, text := range s.canary {
		if strings.Contains(logs, text) || strings.Contains(logs, url.QueryEscape(text)) {
			s.t.Errorf("the log contains the secret %q:\n%s", text, logs)
		}
	}
}

// Find fails as the others do.
func (f *flaky) Find(ctx context.Context, tag session.Tag) ([]session.Key, error) {
	if err := f.fault(); err != nil {
		return nil, err
	}
	return f.Memory.Find(ctx, tag)
}

// flaky is a backend that fails on demand.
type flaky struct {
	*session.Memory
	mu  sync.Mutex
	err error
}

func (f *flaky) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *flaky) fault() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *flaky) Load(ctx context.Context, key session.Key) (session.Entry, error) {
	if err := f.fault(); err != nil {
		return session.Entry{}, err
	}
	return f.Memory.Load(ctx, key)
}

func (f *flaky) Create(ctx context.Context, key session.Key, e session.Entry) error {
	if err := f.fault(); err != nil {
		return err
	}
	return f.Memory.Create(ctx, key, e)
}

func (f *flaky) Delete(ctx context.Context, key session.Key) error {
	if err := f.fault(); err != nil {
		return err
	}
	return f.Memory.Delete(ctx, key)
}
