package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestOnlyNavigationsAreSentToSignIn(t *testing.T) {
	t.Parallel()
	s := setups[1].site(t)
	upstream := newRecorder(t)
	s.Recorder = upstream.url
	s.start()

	navigate := []string{"Accept: " + acceptPage, "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-Site: none"}
	for _, tc := range []struct {
		name    string
		method  string
		headers []string
	}{
		{"a browser that opens a page", "GET", navigate},
		{"a browser without Fetch metadata", "GET", []string{"Accept: " + acceptPage}},
		{"a browser that looks whether a page is there", "HEAD", navigate},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := send(t, plainClient, request(t, tc.method, s.url+"/recorder/a%20b?c=%zz&d", nil, tc.headers...))
			a.wantStatus(t, http.StatusFound).wantOwn(t)
			to := a.location()
			if to == nil || to.Path != "/.auth/sign-in" || to.Host != a.url.Host {
				t.Fatalf("got %v, want /.auth/sign-in", to)
			}
			if got := to.Query().Get("return_to"); got != "/recorder/a%20b?c=%zz&d" {
				t.Errorf("got return_to %q, want the address byte for byte", got)
			}
		})
	}

	for _, tc := range []struct {
		name    string
		method  string
		headers []string
	}{
		{"curl", "GET", []string{"Accept: */*", "User-Agent: curl/8.0"}},
		{"a Qt program, with a browser's name and no Accept", "GET", []string{"User-Agent: Mozilla/5.0"}},
		{"a script in a page", "GET", []string{"Accept: */*", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"}},
		{"a script that asks for HTML", "GET", []string{"Accept: text/html", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"}},
		{"an event stream", "GET", []string{"Accept: text/event-stream", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"}},
		{"an image", "GET", []string{"Accept: image/*", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"}},
		{"a frame", "GET", []string{"Accept: " + acceptPage, "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"}},
		{"a websocket", "GET", []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}},
		{"a form that is sent", "POST", []string{"Accept: " + acceptPage, "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}},
		{"UserFeedbackConsole", "GET", []string{"Authorization: Basic YWRtaW46YWRtaW4=", "User-Agent: UserFeedbackConsole/1.0", "Accept: text/html"}},
		{"a program with a token of its own", "GET", []string{"Authorization: Token abcdef", "Accept: application/json"}},
		{"a deletion", "DELETE", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := send(t, plainClient, request(t, tc.method, s.url+"/recorder/", nil, tc.headers...))
			if strings.Contains(a.header.Get("Content-Type"), "html") {
				// A browser that navigates with a scheme that cannot be used gets a page.
				a.wantStatus(t, http.StatusUnauthorized).wantOwn(t)
			} else {
				p := a.wantProblem(t, http.StatusUnauthorized, "no-credentials")
				if !strings.HasPrefix(p.SignInURL, s.url+"/.auth/sign-in") {
					t.Errorf("got sign_in_url %q, want an address below %s/.auth/sign-in", p.SignInURL, s.url)
				}
			}
			a.wantChallenge(t, "")
			if len(a.header.Values("Set-Cookie")) != 0 {
				t.Error("a program was given a cookie")
			}
		})
	}
	if upstream.count() != 0 {
		t.Errorf("%d anonymous requests reached the upstream", upstream.count())
	}
}

func TestAnUploadIsRefusedBeforeItsBodyIsSent(t *testing.T) {
	t.Parallel()
	s := setups[1].site(t).start()
	// What curl sends first. The answer must be the refusal, not "100 Continue".
	resp := rawRequest(t, s, "POST /recorder/ HTTP/1.1\r\nHost: "+strings.TrimPrefix(s.url, "http://")+
		"\r\nExpect: 100-continue\r\nContent-Length: 1000000000\r\n\r\n")
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("got status %d, want 401", resp.StatusCode)
	}
	if !resp.Close {
		t.Error("the connection stays open, and the body would be taken for the next request")
	}
}

func TestTheChallengeLeadsToTheProvider(t *testing.T) {
	t.Parallel()
	s := setups[1].site(t).start()
	challenge := get(t, s.url+"/recorder/").wantStatus(t, http.StatusUnauthorized).header.Get("WWW-Authenticate")
	_, rest, _ := strings.Cut(challenge, `resource_metadata="`)
	address, _, found := strings.Cut(rest, `"`)
	if !found || !strings.HasPrefix(address, s.url+"/.well-known/oauth-protected-resource") {
		t.Fatalf("got the challenge %q, want resource_metadata below %s", challenge, s.url)
	}
	var metadata struct {
		Resource             string   `json:"resource"`
		AuthorizationServers []string `json:"authorization_servers"`
	}
	get(t, address).wantStatus(t, http.StatusOK).decode(t, &metadata)
	if !strings.HasPrefix(metadata.Resource, s.url) || len(metadata.AuthorizationServers) != 1 || metadata.AuthorizationServers[0] != s.idp.issuer {
		t.Errorf("got %+v, want a resource of %s and the issuer %s", metadata, s.url, s.idp.issuer)
	}
}

func TestNativeProgramsFindTheProviderAndItsClient(t *testing.T) {
	t.Parallel()
	s := setups[1].site(t).start()
	a := get(t, s.url+"/.auth/providers").wantStatus(t, http.StatusOK)
	var list []struct {
		ID, Name, Issuer string
		ClientID         string `json:"client_id"`
		RedirectURI      string `json:"redirect_uri"`
	}
	a.decode(t, &list)
	if len(list) != 1 || list[0].ID != "invent" || list[0].Name != "KDE Invent" || list[0].Issuer != s.idp.issuer ||
		list[0].ClientID != "native-public" || list[0].RedirectURI != "http://127.0.0.1/" {
		t.Errorf("got %+v, want the provider with its first native client", list)
	}
	if strings.Contains(a.body, "secret") {
		t.Error("the list speaks of a secret")
	}
}

func TestPublicPathsAskNobodyAnything(t *testing.T) {
	t.Parallel()
	s := setups[0].site(t)
	upstream := newRecorder(t)
	s.Recorder = upstream.url
	s.start()

	// KUserFeedback's library looks first and posts then, and must never be
	// redirected: it would post telemetry to a sign-in page.
	got := get(t, s.url+"/receiver/submit/org.kde.kate").arrival(t)
	if got.URI != "/receiver/submit/org.kde.kate" {
		t.Errorf("upstream got %s", got.URI)
	}
	req := request(t, http.MethodPost, s.url+"/receiver/submit/org.kde.kate", strings.NewReader(`{"startCount":42}`),
		"Content-Type: application/json", "Authorization: Bearer nonsense", "X-Forwarded-User: alice")
	got = send(t, plainClient, req).arrival(t)
	if got.Body != `{"startCount":42}` {
		t.Errorf("upstream got the body %q", got.Body)
	}
	got.wantHeader(t, "Authorization")
	got.wantHeader(t, "X-Forwarded-User")

	a := send(t, plainClient, request(t, http.MethodDelete, s.url+"/receiver/submit/org.kde.kate", nil))
	a.wantProblem(t, http.StatusMethodNotAllowed, "method")
	if got := a.header.Get("Allow"); !strings.Contains(got, "POST") {
		t.Errorf("got Allow %q, want the methods of the route", got)
	}
}

func TestAClosedPathIsClosedToEverybody(t *testing.T) {
	t.Parallel()
	s := setups[1].site(t)
	upstream := newRecorder(t)
	s.Recorder = upstream.url
	s.start()
	get(t, s.url+"/closed/").wantProblem(t, http.StatusForbidden, "nobody")
	newBrowser(t).visit(s.url+"/closed/").wantStatus(t, http.StatusForbidden)
	token := s.native("native-public", "").signIn(people()["alice"]).Access
	s.bearer("/closed/", token).wantProblem(t, http.StatusForbidden, "nobody")
	b := s.browser()
	b.signIn(s.url+"/recorder/", s.idp, people()["alice"]).wantStatus(t, http.StatusOK)
	b.visit(s.url+"/closed/").wantStatus(t, http.StatusForbidden)
	if upstream.count() != 1 {
		t.Errorf("the upstream got %d requests, want the one to /recorder/", upstream.count())
	}
}

func TestSignInReturnsNowhereElse(t *testing.T) {
	t.Parallel()
	s := setups[1].site(t)
	s.Recorder = newRecorder(t).url
	s.start()
	for _, evil := range []string{
		"https://evil.example/", "//evil.example/", `/\evil.example/`, "https:evil.example", "javascript:alert(1)",
		"https://localhost@evil.example/", "/\t/evil.example/", "/%09/evil.example", "http://127.0.0.1:1/",
	} {
		t.Run(evil, func(t *testing.T) {
			b := newBrowser(t)
			a := b.open(s.url + "/.auth/start/invent?return_to=" + url.QueryEscape(evil))
			if to := a.location(); to == nil || !strings.HasPrefix(to.String(), s.idp.issuer) {
				if a.status < 400 || a.status >= 500 {
					t.Fatalf("got %d %v, want a refusal or the provider", a.status, to)
				}
				return
			}
			a = b.follow(b.atProvider(a, s.idp, people()["alice"], true))
			if to := a.location(); to == nil || to.Host != a.url.Host {
				t.Errorf("signing in leads to %v, want a path of the site", to)
			}
		})
	}
}
