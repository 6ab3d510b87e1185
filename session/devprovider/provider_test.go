package devprovider_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

const callback = "http://127.0.0.1:4180/callback"

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

// start serves a provider with two people and four clients.
func start(t *testing.T, change ...func(*devprovider.Options)) *devprovider.Server {
	t.Helper()
	opts := devprovider.Options{
		People: []devprovider.Person{
			{Name: "ada", FullName: "Ada Lovelace", Email: "ada@kde.example", Groups: []string{"teams/kde-developers", "teams"},
				Direct: []string{"teams/kde-developers"}, Developer: []string{"teams/kde-developers"}},
			{Name: "eve"},
		},
		Clients: []devprovider.Client{
			{ID: "web", Secret: "web secret+&%", RedirectURIs: []string{callback}},
			{ID: "other", Secret: "other-secret", RedirectURIs: []string{callback}},
			{ID: "native", Native: true, RedirectURIs: []string{"http://127.0.0.1/callback"}},
			{ID: "jwt", Native: true, JWT: true, RedirectURIs: []string{"http://127.0.0.1/callback"}},
		},
	}
	for _, f := range change {
		f(&opts)
	}
	s := devprovider.NewServer(opts)
	t.Cleanup(s.Close)
	return s
}

// reply is an answer that has been read.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) object(t *testing.T) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal([]byte(r.body), &doc); err != nil {
		t.Fatalf("body %q is not a JSON object: %v", r.body, err)
	}
	return doc
}

// send sends a request without following redirects.
func send(t *testing.T, req *http.Request) reply {
	t.Helper()
	client := &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DisableKeepAlives: true},
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, string(body)}
}

func get(t *testing.T, target, token string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return send(t, req)
}

// post posts a form, given as name, value, name, value; a client with a secret
// authenticates by client_secret_basic.
func post(t *testing.T, target, client, secret string, form ...string) reply {
	t.Helper()
	values := url.Values{}
	for i := 0; i < len(form); i += 2 {
		values.Add(form[i], form[i+1])
	}
	if secret == "" && client != "" {
		values.Set("client_id", client)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(values.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if secret != "" {
		req.SetBasicAuth(url.QueryEscape(client), url.QueryEscape(secret))
	}
	return send(t, req)
}

// TestBrowserSignsIn walks through the code flow with the libraries that
// claimproxy uses: discovery, page, code, tokens, ID token, userinfo.
func TestBrowserSignsIn(t *testing.T) {
	for _, algorithm := range []string{"RS256", "ES256"} {
		t.Run(algorithm, func(t *testing.T) {
			s := start(t, func(o *devprovider.Options) { o.Algorithm = algorithm; o.ResponseIssuer = true })
			ctx := t.Context()
			provider, err := oidc.NewProvider(ctx, s.Issuer())
			if err != nil {
				t.Fatal(err)
			}
			config := oauth2.Config{
				ClientID: "web", ClientSecret: "web secret+&%", RedirectURL: callback,
				Endpoint: provider.Endpoint(), Scopes: []string{"openid", "email"},
			}
			verifier := oauth2.GenerateVerifier()
			start := config.AuthCodeURL("the state", oauth2.S256ChallengeOption(verifier), oidc.Nonce("the nonce"))
			back := pick(t, start, "ada")
			if got := back.Get("state"); got != "the state" {
				t.Errorf("state %q, want %q", got, "the state")
			}
			if got := back.Get("iss"); got != s.Issuer() {
				t.Errorf("iss %q, want %q", got, s.Issuer())
			}
			tokens, err := config.Exchange(ctx, back.Get("code"), oauth2.VerifierOption(verifier))
			if err != nil {
				t.Fatal(err)
			}
			if len(tokens.AccessToken) != 64 || len(tokens.RefreshToken) != 64 {
				t.Errorf("access token %d long, refresh token %d, want 64 both", len(tokens.AccessToken), len(tokens.RefreshToken))
			}
			raw, _ := tokens.Extra("id_token").(string)
			id, err := provider.VerifierContext(context.Background(), &oidc.Config{ClientID: "web"}).Verify(ctx, raw)
			if err != nil {
				t.Fatal(err)
			}
			if id.Subject != "1" || id.Nonce != "the nonce" || id.Expiry.Sub(id.IssuedAt) != 2*time.Minute {
				t.Errorf("ID token: sub %q nonce %q life %v, want 1, the nonce, 2m", id.Subject, id.Nonce, id.Expiry.Sub(id.IssuedAt))
			}
			var claims map[string]any
			if err := id.Claims(&claims); err != nil {
				t.Fatal(err)
			}
			if _, there := claims["groups"]; there {
				t.Error("the ID token has groups, want none as at GitLab")
			}
			info, err := provider.UserInfo(ctx, config.TokenSource(ctx, tokens))
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]any
			if err := info.Claims(&got); err != nil {
				t.Fatal(err)
			}
			delete(got, "sub_legacy")
			want := map[string]any{
				"sub": "1", "name": "Ada Lovelace", "nickname": "ada", "preferred_username": "ada",
				"email": "ada@kde.example", "email_verified": true, "profile": s.URL + "/ada",
				"groups": []any{"teams/kde-developers", "teams"},
				"https://gitlab.org/claims/groups/developer": []any{"teams/kde-developers"},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("userinfo (-want +got):\n%s", diff)
			}
		})
	}
}

// pick opens the page, presses the person's button and returns the parameters
// that come back.
func pick(t *testing.T, start, name string) url.Values {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	page := get(t, start, "")
	if page.status != http.StatusOK || !strings.Contains(page.body, `name="person" value="`+name+`"`) {
		t.Fatalf("page: status %d, want 200 and a button for %s:\n%s", page.status, name, page.body)
	}
	u, err := url.Parse(start)
	if err != nil {
		t.Fatal(err)
	}
	form := u.Query()
	form.Set("person", name)
	u.RawQuery = ""
	client := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.PostForm(u.String(), form)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	back, err := res.Location()
	if err != nil {
		t.Fatalf("status %d: %v", res.StatusCode, err)
	}
	return back.Query()
}
