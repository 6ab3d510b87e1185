package e2e

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// victim is a claimproxy that is killed again and again while people sign in and their
// sessions are refreshed, and what it has promised them.
type victim struct {
	t        *testing.T
	dir, url string
	process  *process
	// answered gets a word whenever the provider has answered with tokens, which are not
	// kept here yet.
	answered chan struct{}

	mu       sync.Mutex
	cookies  []*http.Cookie // sessions that somebody was given
	lost     map[string]bool
	asked    atomic.Int64 // requests that were answered
	repeated *atomic.Int64
}

const victimConfig = `
public_url: %[1]s
listen: %[2]s
state_dir: %[3]s/state
providers:
  - {id: dev, issuer: "%[4]s", client_id: web, client_secret: {file: %[3]s/client-secret}}
session: {recheck: 1s, grace: 1s}
upstreams: {app: {url: "%[5]s"}}
routes: [{path: /, upstream: app, allow: signed-in}]
`

// newVictim prepares one in front of a provider of its own, whose access tokens are over
// at once: every check of a session is a refresh, and every refresh rotates the tokens.
func newVictim(t *testing.T, app string, repeated *atomic.Int64) *victim {
	port := freePort(t)
	v := &victim{t: t, dir: t.TempDir(), url: "http://" + loopback(port), answered: make(chan struct{}, 1), lost: make(map[string]bool), repeated: repeated}
	issuer := "http://" + loopback(freePort(t))
	p := devprovider.New(devprovider.Options{
		Issuer: issuer, Algorithm: "ES256", AccessTokenLife: 5 * time.Second, // of which the last ten are not used
		People: []devprovider.Person{{Name: "jane"}},
		Clients: []devprovider.Client{{
			ID: "web", Secret: "client-secret-of-web", RedirectURIs: []string{v.url + "/.auth/callback/dev"}, RevokeOnUse: true,
		}},
	})
	p.SignInAs("jane")
	l, err := devprovider.Listen(mustParse(t, issuer).Host)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	var mu sync.Mutex
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/oauth/token" {
			p.ServeHTTP(w, r)
			return
		}
		if token := r.PostFormValue("refresh_token"); token != "" {
			mu.Lock()
			if seen[token] {
				v.repeated.Add(1)
			}
			seen[token] = true
			mu.Unlock()
		}
		p.ServeHTTP(w, r)
		if err := http.NewResponseController(w).Flush(); err == nil {
			select {
			case v.answered <- struct{}{}:
			default:
			}
		}
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
	for name, text := range map[string]string{
		"client-secret":   "client-secret-of-web",
		"claimproxy.yaml": fmt.Sprintf(victimConfig, v.url, loopback(port), v.dir, issuer, app),
	} {
		if err := os.WriteFile(filepath.Join(v.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// start starts it, again.
func (v *victim) start() {
	v.t.Helper()
	var err error
	v.process, err = startProcess("claimproxy", v.dir, nil, binary(v.t), "serve", "--config", filepath.Join(v.dir, "claimproxy.yaml"))
	if err != nil {
		v.t.Fatal(err)
	}
	if err := v.process.ready(v.url + "/.auth/style.css"); err != nil {
		v.t.Fatal(err)
	}
}

// get asks for a page as a browser does: one with a jar follows redirects, one without
// shows what the first answer is.
func (v *victim) get(ctx context.Context, jar http.CookieJar, transport http.RoundTripper) (status int, err error) {
	client := &http.Client{Jar: jar, Transport: transport, Timeout: patience}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.url+"/page", nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Accept", acceptPage)
	if jar == nil {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// signIn has somebody sign in, and remembers the session if there is one: what came of
// the page after it is nobody's promise.
func (v *victim) signIn(ctx context.Context, transport http.RoundTripper) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err)
	}
	if status, err := v.get(ctx, jar, transport); err == nil && status != http.StatusOK {
		v.t.Errorf("signing in: got status %d", status)
	}
	home, err := url.Parse(v.url)
	if err != nil {
		panic(err)
	}
	for _, c := range jar.Cookies(home) {
		if c.Name == "claimproxy" {
			v.mu.Lock()
			v.cookies = append(v.cookies, c)
			v.mu.Unlock()
		}
	}
}

// use uses one session. It is an error when it is not one any more.
func (v *victim) use(ctx context.Context, c *http.Cookie, transport http.RoundTripper) (good bool) {
	status, err := v.get(ctx, nil, withOneCookie{c, transport})
	if err != nil {
		return false // nobody knows
	}
	v.asked.Add(1)
	if status == http.StatusFound || status == http.StatusUnauthorized {
		v.mu.Lock()
		defer v.mu.Unlock()
		if !v.lost[c.Value] {
			v.lost[c.Value] = true
			v.t.Errorf("a session that was begun is no more: got status %d", status)
		}
	}
	return status == http.StatusOK
}

type withOneCookie struct {
	cookie *http.Cookie
	next   http.RoundTripper
}

func (w withOneCookie) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.AddCookie(w.cookie)
	return w.next.RoundTrip(r)
}

func (v *victim) any() *http.Cookie {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.cookies) == 0 {
		return nil
	}
	return v.cookies[rand.IntN(len(v.cookies))]
}

// round starts it, lets people sign in and come back, and kills it: in the middle of
// something, and every second time when the provider has just answered with tokens.
func (v *victim) round(n int) {
	v.start()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	ctx, stop := context.WithCancel(v.t.Context())
	var people sync.WaitGroup
	before := v.asked.Load()
	for range 2 {
		people.Go(func() {
			for ctx.Err() == nil {
				v.signIn(ctx, transport)
			}
		})
		people.Go(func() {
			for ctx.Err() == nil {
				if c := v.any(); c != nil {
					v.use(ctx, c, transport)
				}
			}
		})
	}
	eventually(v.t, patience, "some of them are served", func() bool { return v.asked.Load() > before+5 })
	time.Sleep(rand.N(60 * time.Millisecond))
	if n%2 == 0 {
		select {
		case <-v.answered: // of before
		default:
		}
		<-v.answered
		time.Sleep(rand.N(4 * time.Millisecond))
	}
	v.process.kill()
	stop()
	people.Wait()
}

// TestNothingThatWasPromisedIsLostWhenTheProcessIsKilled: kill -9, a hundred times, while
// people sign in and tokens are refreshed. Whoever was given a session has it, refreshed
// or not; a provider that has answered with new tokens honours the old ones as long as
// the new ones were not used.
func TestNothingThatWasPromisedIsLostWhenTheProcessIsKilled(t *testing.T) {
	t.Parallel()
	const victims, kills = 4, 25
	app := newRecorder(t).url
	var repeated, sessions atomic.Int64
	t.Run("each with a state directory of its own", func(t *testing.T) {
		for n := range victims {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				v := newVictim(t, app, &repeated)
				t.Cleanup(func() { v.process.kill() })
				for n := range kills {
					v.round(n)
				}
				v.start()
				for _, c := range v.cookies {
					if !v.use(t.Context(), c, http.DefaultTransport) {
						t.Error("a session is not served after the last start")
					}
				}
				sessions.Add(int64(len(v.cookies)))
			})
		}
	})
	t.Logf("%d kills, %d sessions, of which %d asked with a token a second time", victims*kills, sessions.Load(), repeated.Load())
	if repeated.Load() == 0 {
		t.Error("no kill came between the provider's answer and what became of it: this proves little")
	}
}
