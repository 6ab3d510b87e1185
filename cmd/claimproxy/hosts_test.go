package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// hostsBrowser is somebody at several hosts of this machine.
type hostsBrowser struct {
	t      *testing.T
	client http.Client
	way    []string // host and path of each request
}

func (r *running) hostsBrowser() *hostsBrowser {
	r.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	public := strings.TrimPrefix(r.public, "http://")
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if strings.HasSuffix(addr, ":80") { // which is of every name in these tests
			addr = public
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	r.t.Cleanup(transport.CloseIdleConnections)
	b := &hostsBrowser{t: r.t}
	b.client = http.Client{Jar: jar, Transport: transport, CheckRedirect: func(req *http.Request, _ []*http.Request) error {
		b.way = append(b.way, req.URL.Host+req.URL.Path)
		return nil
	}}
	return b
}

// open opens a page, and returns where that ends.
func (b *hostsBrowser) open(method, target string, headers ...string) (status int, body string, end *url.URL) {
	b.t.Helper()
	req, err := http.NewRequest(method, target, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	b.way = append(b.way, req.URL.Host+req.URL.Path)
	for _, line := range append([]string{"Accept: text/html", "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}, headers...) {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if to, ok := strings.CutPrefix(res.Header.Get("Refresh"), "0; url="); ok {
		return b.open(http.MethodGet, to) // the page goes on by itself
	}
	return res.StatusCode, string(text), res.Request.URL
}

// TestCheckSaysWhichHostsHaveToLeadHere: nobody could sign in there otherwise.
func TestCheckSaysWhichHostsHaveToLeadHere(t *testing.T) {
	const text = `
public_url: https://id.int.example.org
trusted_proxies: [127.0.0.1]
providers: [{id: invent, issuer: "https://invent.example.org", client_id: abc}]
session: {cookie: {domain: %s}}
routes:
  - {allow: signed-in}
  - {host: wiki.example.net, path: /b/, allow: signed-in}
  - {host: [wiki.example.net, chat.int.example.org], allow: signed-in}
  - {host: both.example.net, path: /a/, allow: signed-in}
  - {host: both.example.net, upstream: "http://127.0.0.1:1", allow: signed-in}
  - {host: open.example.net, allow: public}
  - {host: tokens.example.net, allow: signed-in, sign_in: bearer}
  - {host: "*.int.example.org", allow: signed-in}
`
	for domain, want := range map[string]string{`""`: "sign in: wiki.example.net, chat.int.example.org, *.int.example.org\n", "int.example.org": "sign in: wiki.example.net\n"} {
		path := filepath.Join(t.TempDir(), "claimproxy.yaml")
		if err := os.WriteFile(path, fmt.Appendf(nil, text, domain), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, out, stderr := command(t, "check", "-c", path); code != exitFine || !strings.Contains(out, "/.auth/ have to lead here") || !strings.Contains(out, want) {
			t.Errorf("domain %s: got %d\n%s%s", domain, code, out, stderr)
		}
	}
}

// TestOneSignInOnAllHostsOfThisMachine: localhost, where people sign in, and names below it.
func TestOneSignInOnAllHostsOfThisMachine(t *testing.T) {
	r := start(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Host+r.URL.Path+" for "+r.Header.Get("X-Forwarded-User")+r.Header.Get("Cookie"))
	}, "", `
  - {path: /, upstream: app, allow: signed-in}
  - {host: [app.localhost, "*.dev.localhost"], upstream: app, allow: developers}`)
	r.provider.SetClient(devprovider.Client{
		ID: "web", Secret: "s3cr3t-of-web", RedirectURIs: []string{"http://localhost/.auth/callback/idp"},
		PostLogoutRedirectURIs: []string{"http://localhost/.auth/sign-out"},
	})
	r.provider.SignInAs("ada")
	b := r.hostsBrowser()

	status, body, end := b.open(http.MethodGet, "http://app.localhost/pages/1?a=b")
	if status != http.StatusOK || body != "app.localhost/pages/1 for ada" || end.String() != "http://app.localhost/pages/1?a=b" {
		t.Fatalf("ends at %s with %d %q", end, status, body)
	}
	provider, err := url.Parse(r.provider.Issuer())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"app.localhost/pages/1", "app.localhost/.auth/sign-in", "localhost/.auth/sign-in", "localhost/.auth/start/idp", provider.Host + "/oauth/authorize",
		"localhost/.auth/callback/idp", "app.localhost/.auth/accept", "app.localhost/pages/1",
	}
	if !slices.Equal(b.way, want) {
		t.Errorf("the way was\n%s\nwant\n%s", strings.Join(b.way, "\n"), strings.Join(want, "\n"))
	}
	b.way = nil
	status, body, _ = b.open(http.MethodGet, "http://ui.dev.localhost/")
	if status != http.StatusOK || body != "ui.dev.localhost/ for ada" || slices.ContainsFunc(b.way, func(s string) bool { return strings.HasPrefix(s, provider.Host) }) {
		t.Errorf("another host: %d %q by %q", status, body, b.way)
	}
	if status, body, _ = b.open(http.MethodGet, "http://localhost/x"); status != http.StatusOK || body != "localhost/x for ada" {
		t.Errorf("public_url's host: %d %q", status, body)
	}

	// A host that no route names is led nowhere, and nobody is led to it.
	if status, _, end = b.open(http.MethodGet, "http://ui.dev.localhost/.auth/sign-in?return_to=http://evil.localhost/"); end.Host != "ui.dev.localhost" || status != http.StatusOK {
		t.Errorf("return_to a stranger: ends at %s with %d", end, status)
	}
	if status, _, end = b.open(http.MethodGet, "http://evil.localhost/"); status != http.StatusNotFound || end.Host != "evil.localhost" {
		t.Errorf("a host without a route: ends at %s with %d", end, status)
	}

	// Signing out on one host is for all, and only that host's pages can ask for it.
	if status, _, _ = b.open(http.MethodPost, "http://app.localhost/.auth/sign-out", "Origin: http://ui.dev.localhost", "Sec-Fetch-Site: same-site"); status != http.StatusForbidden {
		t.Errorf("signing out from another host's page: got %d", status)
	}
	status, body, end = b.open(http.MethodPost, "http://app.localhost/.auth/sign-out", "Origin: http://app.localhost", "Sec-Fetch-Site: same-origin")
	if status != http.StatusOK || !strings.Contains(body, "You are signed out") {
		t.Errorf("signing out ends at %s with %d\n%s", end, status, body)
	}
	for _, target := range []string{"http://app.localhost/", "http://ui.dev.localhost/", "http://localhost/x"} {
		if status, _, _ = b.open(http.MethodGet, target, "Accept: application/json"); status != http.StatusUnauthorized {
			t.Errorf("%s: got %d after signing out", target, status)
		}
	}
	if log := r.stderr.String(); strings.Contains(log, "code=") || !strings.Contains(log, "signed in on another host") {
		t.Errorf("the log:\n%s", log)
	}
}
