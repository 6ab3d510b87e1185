package signin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a provider, an application that takes its tokens, and a person's machine.
type world struct {
	t     *testing.T
	idp   *devprovider.Server
	app   *application
	agent *Agent
	said  *bytes.Buffer
	ring  *ring
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, said: new(bytes.Buffer), ring: &ring{secrets: map[string]string{}}}
	w.idp = devprovider.NewServer(devprovider.Options{
		ResponseIssuer: true,
		People:         []devprovider.Person{{Name: "ada", Email: "ada@example.org"}},
		Clients:        []devprovider.Client{{ID: "tool", Native: true, RequirePKCE: true, RedirectURIs: []string{"http://127.0.0.1/", "http://127.0.0.1/back"}}},
	})
	t.Cleanup(w.idp.Close)
	w.idp.SignInAs("ada")
	w.app = newApplication(t, w.idp.Issuer())
	w.agent = w.onMachine(filepath.Join(t.TempDir(), "claimproxy"))
	return w
}

// onMachine is another process of the same person, when dir is the same.
func (w *world) onMachine(dir string) *Agent {
	client := newHTTPClient(nil)
	w.t.Cleanup(client.CloseIdleConnections)
	return &Agent{Dir: dir, Keyring: w.ring, Say: w.said, Open: visit, Confirm: func(string) bool { return false }, HTTP: unpooled(client)}
}

// unpooled keeps no connections, so that none outlives a test.
func unpooled(c *http.Client) *http.Client {
	c.Transport.(bounded).next.(*http.Transport).DisableKeepAlives = true
	return c
}

// visit is a browser that does what it is told.
func visit(address string) error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(address)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the browser shows status %d", res.StatusCode)
	}
	return nil
}

func (w *world) login(o Options) error {
	w.t.Helper()
	return w.agent.Login(w.t.Context(), w.app.url+"/data", o)
}

func (w *world) mustLogin() {
	w.t.Helper()
	if err := w.login(Options{}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) mustToken(a *Agent) Token {
	w.t.Helper()
	t, err := a.Token(w.t.Context(), w.app.url)
	if err != nil {
		w.t.Fatal(err)
	}
	return t
}

// wantNoSecrets fails the test when a person, or the disk, was shown a token.
func (w *world) wantNoSecrets(l *login) {
	w.t.Helper()
	for _, secret := range []string{l.Tokens.Access, l.Tokens.Refresh} {
		if secret != "" && strings.Contains(w.said.String(), secret) {
			w.t.Errorf("a token was printed: %s", w.said)
		}
	}
}

// application is a protected resource that says how to sign in.
type application struct {
	url string

	mu        sync.Mutex
	challenge string
	metadata  map[string]any
	offers    []map[string]any
	asked     []*http.Request
	override  map[string]http.HandlerFunc
}

func newApplication(t *testing.T, issuer string) *application {
	t.Helper()
	a := &application{override: map[string]http.HandlerFunc{}}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	a.url = server.URL
	a.challenge = `Bearer resource_metadata="` + a.url + wellKnown + `"`
	a.metadata = map[string]any{"resource": a.url, "authorization_servers": []string{issuer}, "claimproxy_providers": a.url + "/p"}
	a.offers = []map[string]any{{
		"id": "invent", "name": "KDE Invent", "issuer": issuer, "client_id": "tool", "scopes": []string{"openid", "email"}, "redirect_uri": "http://127.0.0.1/back",
	}}
	return a
}

func (a *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, r)
	if serve := a.override[r.URL.Path]; serve != nil {
		serve(w, r)
		return
	}
	switch r.URL.Path {
	case wellKnown:
		_ = json.NewEncoder(w).Encode(a.metadata)
	case "/p":
		_ = json.NewEncoder(w).Encode(a.offers)
	default:
		if a.challenge != "" {
			w.Header().Set("WWW-Authenticate", a.challenge)
		}
		w.WriteHeader(http.StatusUnauthorized)
	}
}

func (a *application) change(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

// ring is a keyring in memory.
type ring struct {
	mu      sync.Mutex
	secrets map[string]string
	broken  error
}

func (r *ring) do(work func()) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken == nil {
		work()
	}
	return r.broken
}

func (r *ring) Get(name string) (secret string, err error) {
	there := false
	if err = r.do(func() { secret, there = r.secrets[name] }); err == nil && !there {
		err = ErrNotInKeyring
	}
	return secret, err
}

func (r *ring) Set(name, secret string) error { return r.do(func() { r.secrets[name] = secret }) }
func (r *ring) Delete(name string) error      { return r.do(func() { delete(r.secrets, name) }) }

// noted is the login of the application as it is kept.
func (w *world) noted() *login {
	w.t.Helper()
	l, err := w.agent.load(w.app.url)
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("got no error, want one with %q", parts)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("got the error %q, want %q in it", err, part)
		}
	}
	if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == 0x7f }) {
		t.Errorf("the error has control characters: %q", err)
	}
}
