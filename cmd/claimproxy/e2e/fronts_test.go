package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// nginxConfig is an nginx that asks: the piece of docs/forward-auth.md, to the letter
// but for addresses and certificates.
const nginxConfig = `
daemon off;
master_process off;
pid nginx.pid;
events {}
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
%s
}
`

const askedConfig = `
public_url: {{.URL}}
listen: {{.Listen}}
state_dir: {{.Dir}}/state
trusted_proxies: [127.0.0.1]
forward_auth: {{.Asked}}
providers:
  - {id: invent, issuer: "{{.Issuer}}", client_id: proxy-web, client_secret: {file: client-secret}}
policies:
  developers: groups contains teams/kde-developers
routes:
  - {path: /open/, allow: public}
  - {path: /near/, allow: developers, public_from: 127.0.0.2}
  - {path: /, allow: developers}
`

// URL is where people go.
func (s *site) URL() string { return s.url }

// asked prepares a site that a proxy in front asks, by headers of one family, and starts
// the application and a provider with the developer ada and the visitor bob. There can be
// more routes, also of hosts below localhost.
func asked(t *testing.T, family string, routes ...string) (s *site, app *recorder, provider *devprovider.Server) {
	t.Helper()
	front, behind := freePort(t), freePort(t)
	app = newRecorder(t)
	s = &site{t: t, dir: t.TempDir(), url: fmt.Sprintf("http://localhost:%d", front), Listen: loopback(behind), Asked: family, config: askedConfig + strings.Join(routes, "")}
	s.Dir = s.dir
	s.write("client-secret", "proxy-web-secret")
	s.leaks.add("proxy-web-secret")
	provider = devprovider.NewServer(devprovider.Options{
		People:  []devprovider.Person{{Name: "ada", Email: "ada@example.test", Groups: []string{"teams/kde-developers"}}, {Name: "bob"}},
		Clients: []devprovider.Client{{ID: "proxy-web", Secret: "proxy-web-secret", RedirectURIs: []string{s.url + "/.auth/callback/invent", s.url + "/oauth2/callback"}}},
	})
	t.Cleanup(provider.Close)
	s.idp = &idp{kind: "development provider", issuer: provider.Issuer()}
	s.Issuer = provider.Issuer()
	return s, app, provider
}

// changed is a piece of docs/forward-auth.md with other addresses. All of what is to be
// changed is in it.
func changed(t *testing.T, language string, changes ...string) string {
	t.Helper()
	piece := documented(t, "forward-auth.md", language)
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(piece, changes[i]) {
			t.Fatalf("docs/forward-auth.md has no %q for %s any more", changes[i], language)
		}
		piece = strings.ReplaceAll(piece, changes[i], changes[i+1])
	}
	return piece
}

// behindNginx starts claimproxy and an nginx in front that asks it.
func behindNginx(t *testing.T, routes ...string) (s *site, app *recorder, provider *devprovider.Server) {
	t.Helper()
	need(t, nginx)
	s, app, provider = asked(t, "x-original", routes...)
	front := mustParse(t, s.url).Port()
	server := changed(t, "nginx",
		"listen 443 ssl;", "listen 127.0.0.1:"+front+";",
		"server_name telemetry.example.org;", "server_name localhost *.localhost;",
		"127.0.0.1:8080", s.Listen,
		"http://127.0.0.1:8000", app.url,
		"$host", "$host:"+front, // the port is not the scheme's own
	)
	server = regexp.MustCompile(`(?m)^\s*ssl_certificate.*$`).ReplaceAllString(server, "")
	s.startBehindNginx(server)
	return s, app, provider
}

// startBehindNginx starts an nginx with this in its http block, and claimproxy behind it.
func (s *site) startBehindNginx(servers string) { s.startBehindNginxAt(servers, "/.auth") }

// startBehindNginxAt is startBehindNginx for a site whose endpoints are elsewhere.
func (s *site) startBehindNginxAt(servers, endpoints string) {
	t := s.t
	t.Helper()
	if err := os.Mkdir(filepath.Join(s.dir, "nginx"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := s.write("nginx/nginx.conf", fmt.Sprintf(nginxConfig, servers))
	p, err := startProcess("nginx", s.dir, nil, nginxProgram(), "-e", "stderr", "-p", filepath.Dir(file), "-c", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	p.showOnFailure(t)
	eventually(t, patience, "nginx listens", func() bool {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	s.start()
	// Until claimproxy is there, nginx answers with an error of its own.
	eventually(t, patience, "claimproxy answers behind nginx", func() bool { return get(t, s.url+endpoints+"/style.css").status == http.StatusOK })
}

// documented is the only piece of code of a language in a file of docs.
func documented(t *testing.T, file, language string) string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/" + file)
	if err != nil {
		t.Fatal(err)
	}
	_, code, found := strings.Cut(string(text), "```"+language+"\n")
	code, _, ended := strings.Cut(code, "```")
	if !found || !ended || strings.Contains(code, "```"+language) {
		t.Fatalf("docs/%s has not one piece of %s", file, language)
	}
	return code
}

// forged are headers by which a client would like to be somebody else.
var forged = []string{
	"X-Forwarded-User: admin", "X-Forwarded-Email: admin", "X-Forwarded-Groups: admin", "X-Forwarded-Preferred-Username: admin",
	"X_Forwarded_User: admin", "X.Forwarded.User: admin", "x-forwarded-groups: admin",
	"X-Original-Method: GET", "X-Original-URL: http://localhost/open/", "X-Forwarded-Uri: /open/", "X-Forwarded-Host: localhost", "X-Forwarded-For: 127.0.0.2", "X-Real-IP: 127.0.0.2",
}

// fronts are the proxies that forward by themselves, and ask.
var fronts = map[string]func(*testing.T, ...string) (*site, *recorder, *devprovider.Server){
	"nginx": behindNginx, "Caddy": behindCaddy, "HAProxy": behindHAProxy,
}

// eachFront runs a test behind each of them.
func eachFront(t *testing.T, run func(*testing.T, *site, *recorder, *devprovider.Server)) {
	t.Helper()
	t.Parallel()
	for name, behind := range fronts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, app, provider := behind(t)
			run(t, s, app, provider)
		})
	}
}

func TestAProxyInFrontAsksAndPeopleSignIn(t *testing.T) {
	eachFront(t, testPeopleSignIn)
}

func testPeopleSignIn(t *testing.T, s *site, app *recorder, _ *devprovider.Server) {
	b := s.browser()
	const page = "/wiki/caf%C3%A9?x=1&y=%2F"

	// Nobody is known: a person is sent to sign in, and comes back to the page.
	a := b.visit(s.url+page).wantStatus(t, http.StatusFound)
	if to := a.location(); to == nil || to.Path != "/.auth/sign-in" || to.Query().Get("return_to") != page {
		t.Fatalf("a navigation is sent to %v, want the sign-in and back to %s", to, page)
	}
	if app.count() != 0 {
		t.Fatal("the application was asked before anybody had signed in")
	}
	got := b.signIn(s.url+page, s.idp, person{Username: "ada"}).arrival(t)
	if got.URI != page || got.Method != http.MethodGet {
		t.Errorf("the application got %s %s, want GET %s", got.Method, got.URI, page)
	}
	got.wantHeader(t, "X-Forwarded-User", "ada")
	got.wantHeader(t, "X-Forwarded-Email", "ada@example.test")
	got.wantHeader(t, "X-Forwarded-Groups", "teams/kde-developers")
	got.wantHeader(t, "X-Forwarded-Preferred-Username", "ada")

	// What she says about herself does not get through, a form's body does.
	got = b.fetch(http.MethodGet, s.url+page, forged...).arrival(t)
	got.wantHeader(t, "X-Forwarded-User", "ada")
	got.wantHeader(t, "X-Forwarded-Groups", "teams/kde-developers")
	got.wantNowhere(t, "admin")
	post := send(t, b.client, request(t, http.MethodPost, s.url+"/form", strings.NewReader("a=b"))).arrival(t)
	if post.Method != http.MethodPost || post.Body != "a=b" {
		t.Errorf("the application got %s with %q, want POST with a=b", post.Method, post.Body)
	}

	// Somebody else may not; a program is not sent anywhere.
	other := s.browser()
	before := app.count()
	if a := other.signIn(s.url+page, s.idp, person{Username: "bob"}); a.status != http.StatusForbidden {
		t.Errorf("bob: got %d, want 403", a.status)
	}
	a = get(t, s.url+page, "Accept: */*")
	if a.wantStatus(t, http.StatusUnauthorized); !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer ") {
		t.Errorf("a program: got WWW-Authenticate %q, want Bearer", a.header.Get("WWW-Authenticate"))
	}
	if app.count() != before {
		t.Error("the application was asked for somebody who may not")
	}
}

func TestAProxyInFrontAsksForPrograms(t *testing.T) {
	eachFront(t, testProgramsAreAskedAbout)
}

func testProgramsAreAskedAbout(t *testing.T, s *site, app *recorder, provider *devprovider.Server) {
	ada := "Authorization: Bearer " + provider.Issue("ada", "proxy-web", "openid profile email").AccessToken
	bob := "Authorization: Bearer " + provider.Issue("bob", "proxy-web", "openid profile email").AccessToken
	got := get(t, s.url+"/api", ada).arrival(t)
	got.wantHeader(t, "X-Forwarded-User", "ada")
	got = get(t, s.url+"/open/x", append(forged, ada)...).arrival(t)
	if user := got.Header.Get("X-Forwarded-User"); user != "" { // Caddy says that it is empty
		t.Errorf("on a public page the application is told of %q", user)
	}
	got.wantNowhere(t, "admin")

	before := app.count()
	for name, test := range map[string]struct {
		path    string
		headers []string
		status  int
	}{
		"bob":                         {"/api", []string{bob}, 403},
		"a bad token":                 {"/api", []string{"Authorization: Bearer x"}, 401},
		"nobody, with forged headers": {"/api", forged, 401},
		"an address that is forged":   {"/near/", forged, 401},
		"dots in the path":            {"/open/..%2fapi", []string{ada}, 403},
		"a path that nginx merges":    {"//open//x", []string{ada}, 403},
		"a question of one's own":     {"/.auth/check?policy=developers", append(forged, ada), 404},
		"another way to ask":          {"/.auth/check/envoy/open/", append(forged, ada), 404},
	} {
		if a := get(t, s.url+test.path, test.headers...); a.status != test.status {
			t.Errorf("%s: got %d, want %d\n%s", name, a.status, test.status, clip(a.body))
		}
	}
	// The host that the application is chosen by is the one that is asked about; HAProxy
	// takes no request that names two.
	c, err := net.Dial("tcp", mustParse(t, s.url).Host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET http://%s/api HTTP/1.1\r\nHost: open.example.test\r\nConnection: close\r\n\r\n", mustParse(t, s.url).Host)
	if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != http.StatusUnauthorized && res.StatusCode != http.StatusBadRequest {
		t.Errorf("two hosts: got %v (%v), want 401 or 400", res, err)
	}
	if app.count() != before {
		t.Error("the application was asked for somebody who may not")
	}
}
