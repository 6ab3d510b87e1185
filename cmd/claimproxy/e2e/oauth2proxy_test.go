package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// oauth2ProxyNginx is what people have who asked oauth2-proxy until now, with the address
// changed and, in its question, the two lines of docs/forward-auth.md.
const oauth2ProxyNginx = `
server {
	listen 127.0.0.1:FRONT;
	server_name localhost;

	location /oauth2/ {
		proxy_pass http://CLAIMPROXY;
		proxy_set_header Host $host:FRONT;
		proxy_set_header X-Forwarded-For $remote_addr;
		proxy_set_header X-Real-IP $remote_addr;
		proxy_set_header X-Auth-Request-Redirect $request_uri;
	}
	location = /oauth2/auth {
		proxy_pass http://CLAIMPROXY;
		proxy_set_header Host $host:FRONT;
		proxy_set_header X-Forwarded-For $remote_addr;
		proxy_set_header X-Real-IP $remote_addr;
		proxy_set_header X-Original-URL $scheme://$host:FRONT$request_uri;
		proxy_set_header X-Original-Method $request_method;
		proxy_set_header Content-Length "";
		proxy_pass_request_body off;
	}
	OWN
	location / {
		auth_request /oauth2/auth;
		error_page 401 = /oauth2/sign_in;
		auth_request_set $user $upstream_http_x_auth_request_user;
		auth_request_set $email $upstream_http_x_auth_request_email;
		proxy_set_header X-User $user;
		proxy_set_header X-Email $email;
		auth_request_set $auth_cookie $upstream_http_set_cookie;
		add_header Set-Cookie $auth_cookie;
		proxy_pass http://APPLICATION;
	}
}`

// inPlaceOfOAuth2Proxy starts claimproxy behind such an nginx: with all of its own below
// /oauth2, or below /.auth, for which nginx has one location more.
func inPlaceOfOAuth2Proxy(t *testing.T, endpoints string) (*site, *recorder, *devprovider.Server) {
	t.Helper()
	need(t, nginx)
	s, app, provider := asked(t, "x-original")
	s.config += "compat: [oauth2-proxy]\nendpoints: " + endpoints + "\n"
	own := ""
	if endpoints == "/oauth2" {
		s.config = strings.Replace(s.config, "client_id: proxy-web,", "client_id: proxy-web, callback_path: /oauth2/callback,", 1)
	} else {
		own = "location " + endpoints + "/ { proxy_pass http://CLAIMPROXY; proxy_set_header Host $host:FRONT; proxy_set_header X-Forwarded-For $remote_addr; }"
	}
	s.startBehindNginxAt(strings.NewReplacer("FRONT", mustParse(t, s.url).Port(), "CLAIMPROXY", s.Listen, "APPLICATION", mustParse(t, app.url).Host).
		Replace(strings.Replace(oauth2ProxyNginx, "OWN", own, 1)), endpoints)
	return s, app, provider
}

func TestASetUpForOAuth2ProxyGoesOn(t *testing.T) {
	t.Parallel()
	for _, endpoints := range []string{"/oauth2", "/.auth"} {
		t.Run("with endpoints at "+endpoints[1:], func(t *testing.T) {
			t.Parallel()
			s, app, provider := inPlaceOfOAuth2Proxy(t, endpoints)
			b := s.browser()
			const page = "/reports/caf%C3%A9?x=1&y=2"
			got := b.signIn(s.url+page, s.idp, person{Username: "ada"}).arrival(t)
			if got.URI != page {
				t.Errorf("the application got %s, want %s", got.URI, page)
			}
			got.wantHeader(t, "X-User", "ada")
			got.wantHeader(t, "X-Email", "ada@example.test")
			got = b.fetch(http.MethodGet, s.url+"/api", "X-User: admin", "X-Auth-Request-User: admin", "X-Original-URL: http://localhost/open/").arrival(t)
			got.wantHeader(t, "X-User", "ada")

			var info struct {
				User, Email string
				Groups      []string
			}
			a := b.fetch(http.MethodGet, s.url+"/oauth2/userinfo").wantStatus(t, http.StatusOK)
			if err := json.Unmarshal([]byte(a.body), &info); err != nil || info.User != "ada" || info.Email != "ada@example.test" || len(info.Groups) != 1 {
				t.Errorf("userinfo: got %s, %v", a.body, err)
			}
			// Her own question, for which nginx sets what is asked about.
			if a := b.fetch(http.MethodGet, s.url+"/oauth2/auth", "X-Original-URL: "+s.url+"/open/"); a.status != http.StatusForbidden {
				t.Errorf("a question about itself: got %d, want 403", a.status)
			}

			other := s.browser()
			if a := other.signIn(s.url+page, s.idp, person{Username: "bob"}); a.status != http.StatusForbidden {
				t.Errorf("bob: got %d, want 403", a.status)
			}
			token := "Authorization: Bearer " + provider.Issue("ada", "proxy-web", "openid profile email").AccessToken
			get(t, s.url+"/api", token).arrival(t).wantHeader(t, "X-User", "ada")

			// Signing out asks first; what it asks for ends the session.
			out := b.followWithin(b.visit(s.url+"/oauth2/sign_out?rd=https://evil.example/"), mustParse(t, s.url).Host)
			b.followWithin(b.button(out.wantStatus(t, http.StatusOK), endpoints+"/sign-out", nil), mustParse(t, s.url).Host)
			before := app.count()
			if a := b.visit(s.url + page); a.status != http.StatusFound {
				t.Errorf("after signing out: got %d, want 302", a.status)
			}
			get(t, s.url+"/oauth2/userinfo").wantStatus(t, http.StatusUnauthorized)
			if app.count() != before {
				t.Error("the application was reached after signing out")
			}
		})
	}
}

// TestNobodyIsLedAwayByOAuth2ProxysAddresses: rd has been an open redirect in oauth2-proxy
// again and again (CVE-2020-5233, CVE-2020-11053, CVE-2021-21291).
func TestNobodyIsLedAwayByOAuth2ProxysAddresses(t *testing.T) {
	t.Parallel()
	s, _, _ := inPlaceOfOAuth2Proxy(t, "/oauth2")
	here := mustParse(t, s.url).Host
	// signedIn is where somebody gets to who begins at /oauth2/start and signs in.
	signedIn := func(rd string) *answer {
		b := s.browser()
		return b.followWithin(b.atProvider(b.followWithin(b.visit(s.url+"/oauth2/start?rd="+rd), here), s.idp, person{Username: "ada"}, true), here)
	}
	for _, rd := range []string{
		"https://evil.example/", "//evil.example/", "/%5cevil.example/", "/%09/evil.example/", "/%0a/evil.example", "https:evil.example", "https://" + here + "@evil.example/",
		"http://localhost.evil.example/", "///evil.example", "/%2f%2fevil.example", "javascript:alert(1)", "/a/..//evil.example", "%20//evil.example",
	} {
		a := signedIn(rd)
		if to := a.location(); to != nil && to.Host != here || a.url.Host != here {
			t.Errorf("rd=%s leads to %v", rd, to)
		}
	}
	for _, rd := range []string{"/reports?a=b", s.url + "/reports?a=b"} {
		if a := signedIn(rd); a.url.String() != s.url+"/reports?a=b" || a.status != http.StatusOK {
			t.Errorf("rd=%s leads to %s with %d", rd, a.url, a.status)
		}
	}
}

// TestRawRequestsGetNowhereInPlaceOfOAuth2Proxy are forms that no client library writes.
func TestRawRequestsGetNowhereInPlaceOfOAuth2Proxy(t *testing.T) {
	t.Parallel()
	s, app, _ := inPlaceOfOAuth2Proxy(t, "/oauth2")
	here := mustParse(t, s.url).Host
	for _, target := range []string{
		"/oauth2/../reports", "/oauth2/..%2freports", "/oauth2/%2e%2e/reports", "/open/../reports", "/open/..%2freports", "/open/..;/reports", "//open/../reports",
		"/reports?/oauth2/", "/oauth2%2f../reports", "/oauth2/auth/../../reports", "http://" + here + "/reports", "/OAUTH2/../reports", "/open%00/reports", "/open/%2e%2e%2freports",
	} {
		for _, header := range []string{"", "X-Auth-Request-User: ada\r\n", "X-Original-URL: " + s.url + "/open/\r\nX-Original-Method: GET\r\n", "X_Original_URL: " + s.url + "/open/\r\n", "X-Forwarded-Uri: /open/\r\n", "Connection: X-Original-URL, X-Original-Method\r\n"} {
			before := app.count()
			conn, err := net.Dial("tcp", here[strings.Index(here, ":"):])
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetDeadline(time.Now().Add(patience))
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n%sConnection: close\r\n\r\n", target, here, header)
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(res.Body)
			conn.Close()
			if res.StatusCode < 300 || app.count() != before {
				t.Errorf("%s with %q: got %d, and %d requests at the application\n%s", target, header, res.StatusCode, app.count()-before, clip(string(body)))
			}
		}
	}
	// A path that is open is, in the same form.
	if a := get(t, s.url+"/open/reports"); a.status != http.StatusOK {
		t.Errorf("what is public: got %d", a.status)
	}
}
