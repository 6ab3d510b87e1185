package proxy

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/session"
)

const (
	navigation = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Site: none\r\nAccept: text/html,*/*;q=0.8"
	wantsHTML  = "Accept: text/html"
)

func TestNavigationsAreSentToSignIn(t *testing.T) {
	u := newWire(t)
	h := credentialHouse(t, u)
	tests := []struct {
		name     string
		request  string
		lines    []string
		status   int
		returnTo string
	}{
		{"browser", "GET /a?b=c", []string{navigation}, 302, "/a?b=c"},
		{"browser, HEAD", "HEAD /a", []string{navigation}, 302, "/a"},
		{"old browser", "GET /a", []string{wantsHTML}, 302, "/a"},
		{"browser whose session is over", "GET /a", []string{navigation, "Cookie: " + cookieName + "=expired"}, 302, "/a"},
		{"encoded path and raw query", "GET /caf\xc3\xa9/%41?x={\"y\":[1]}&z=%zz", []string{navigation}, 302, "/caf%C3%A9/%41?x=%7B%22y%22:[1]%7D&z=%zz"},
		{"long query", "GET /a?" + strings.Repeat("x", 3000), []string{navigation}, 302, "/a"},
		{"long path", "GET /" + strings.Repeat("x", 3000), []string{navigation}, 302, "/"},
		{"only browsers", "GET /browser/", []string{navigation}, 302, "/browser/"},
		{"only tokens", "GET /bearer/", []string{navigation}, 401, ""},
		{"nothing counts", "GET /none/", []string{navigation}, 401, ""},
		{"form", "POST /a", []string{navigation, "Content-Length: 0"}, 401, ""},
		{"script", "GET /a", []string{"Accept: */*"}, 401, ""},
		{"program that follows redirects", "GET /a", nil, 401, ""},
		{"frame", "GET /a", []string{"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe", wantsHTML}, 401, ""},
		{"navigation with Basic", "GET /a", []string{navigation, "Authorization: Basic YTpi"}, 401, ""},
		{"websocket", "GET /a", []string{wantsHTML, "Connection: Upgrade", "Upgrade: websocket"}, 401, ""},
		{"bad token", "GET /a", []string{wantsHTML, "Authorization: Bearer bad"}, 401, ""},
		{"lower-case get", "get /a", []string{navigation}, 401, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			method, target, _ := strings.Cut(test.request, " ")
			res := h.send(t, method, target, test.lines...)
			if res.StatusCode != test.status {
				t.Fatalf("got %d, want %d", res.StatusCode, test.status)
			}
			if got := res.Header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control: %q", got)
			}
			location := res.Header.Get("Location")
			if test.status != 302 {
				if location != "" {
					t.Errorf("Location: %q", location)
				}
				return
			}
			got, err := url.Parse(location)
			if err != nil {
				t.Fatal(err)
			}
			if place := got.Scheme + "://" + got.Host + got.Path; place != "https://"+publicHost+"/.auth/sign-in" {
				t.Errorf("redirected to %q", place)
			}
			if back := got.Query().Get("return_to"); back != test.returnTo {
				t.Errorf("return_to %q, want %q", back, test.returnTo)
			}
			if res.body != "" {
				t.Errorf("the redirect has a body: %q", res.body)
			}
		})
	}
	u.none(t)
}

func TestChallenges(t *testing.T) {
	h := credentialHouse(t, newWire(t))
	const metadata = `Bearer resource_metadata="https://` + publicHost + `/.well-known/oauth-protected-resource"`
	tests := []struct {
		name, target string
		lines        []string
		want         []string
	}{
		{"without credentials there is no error", "/", nil, []string{metadata}},
		{"an ended session is no bad token", "/", []string{"Cookie: " + cookieName + "=expired"}, []string{metadata}},
		{"bad token", "/", []string{"Authorization: Bearer bad"}, []string{metadata + `, error="invalid_token", error_description="The token is not known."`}},
		{"description is cleaned", "/", []string{"Authorization: Bearer expired"}, []string{metadata + `, error="invalid_token", error_description="The token ?has? expired."`}},
		{"scope", "/scoped/", []string{"Authorization: Bearer jane"}, []string{metadata + `, error="insufficient_scope", error_description="The token lacks a scope that this address needs.", scope="telemetry:write"`}},
		{"not allowed", "/", []string{"Authorization: Bearer joe"}, nil},
		{"port", "/", []string{"Host: " + publicHost + ":8443"}, []string{`Bearer resource_metadata="https://` + publicHost + `:8443/.well-known/oauth-protected-resource"`}},
		{"outage", "/", []string{"Authorization: Bearer down"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			res := h.get(t, test.target, test.lines...)
			if diff := cmp.Diff(test.want, res.Header.Values("WWW-Authenticate")); diff != "" {
				t.Errorf("WWW-Authenticate with %d (-want +got):\n%s", res.StatusCode, diff)
			}
		})
	}
}

func problemOf(t *testing.T, res *rawAnswer) map[string]any {
	t.Helper()
	if got := res.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("Content-Type %q, body %s", got, res.body)
	}
	var p map[string]any
	if err := json.Unmarshal([]byte(res.body), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProblemsForPrograms(t *testing.T) {
	h := credentialHouse(t, newWire(t))
	tests := []struct {
		name, target string
		lines        []string
		status       int
		code         string
		detail       string
		signIn       string
	}{
		{"no credentials", "/", nil, 401, "no-credentials", "This address is for people who are signed in. A program sends an access token with each request, as Authorization: Bearer.", "https://" + publicHost + "/.auth/sign-in"},
		{"no credentials where browsers are no use", "/bearer/", nil, 401, "no-credentials", "This address is for programs. A program sends an access token with each request, as Authorization: Bearer.", ""},
		{"expired session", "/", []string{"Cookie: " + cookieName + "=expired"}, 401, "session-expired", "Your session has expired.", "https://" + publicHost + "/.auth/sign-in"},
		{"bad token", "/", []string{"Authorization: Bearer bad"}, 401, "token-invalid", "The token is not known.", "https://" + publicHost + "/.auth/sign-in"},
		{"not allowed", "/", []string{"Cookie: " + cookieName + "=joe"}, 403, "not-allowed", "needs groups contains teams/kde-developers - you have groups: [teams/kde-developers-emeritus]", ""},
		{"claim missing", "/", []string{"Authorization: Bearer joe"}, 403, "not-allowed", "needs groups contains teams/kde-developers - groups is not among the claims: is the scope asked for?", ""},
		{"scope", "/scoped/", []string{"Authorization: Bearer jane"}, 403, "scope", "needs scope contains telemetry:write - you have scope: [openid, telemetry:read]", ""},
		{"nobody", "/nobody/", nil, 403, "nobody", "This address is closed to everybody.", ""},
		{"program alone", "/signed-in/", []string{"Authorization: Bearer robot"}, 403, "not-allowed", "needs a signed-in person - you have a token that names no person", ""},
		{"no route", "/", []string{"Host: other.example.org"}, 404, "no-route", "No application is set up at this address.", ""},
		{"bad target", "/a//b", nil, 400, "bad-target", "The path contains an empty segment.", ""},
		{"provider down", "/", []string{"Authorization: Bearer down"}, 503, "provider-unavailable", "The provider is away.", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			res := h.get(t, test.target, test.lines...)
			p := problemOf(t, res)
			want := map[string]any{
				"type": "about:blank", "title": http.StatusText(test.status), "status": float64(test.status),
				"code": test.code, "detail": test.detail, "message": test.detail, "request_id": res.Header.Get("X-Request-Id"),
			}
			if test.signIn != "" {
				want["sign_in_url"] = test.signIn
			}
			if diff := cmp.Diff(want, p); diff != "" || res.StatusCode != test.status {
				t.Errorf("%d (-want +got):\n%s", res.StatusCode, diff)
			}
		})
	}
}

func TestPagesForPeople(t *testing.T) {
	h := credentialHouse(t, newWire(t))
	const joe = "Cookie: " + cookieName + "=joe"
	tests := []struct {
		name   string
		method string
		target string
		lines  []string
		status int
		has    []string
		hasNot []string
	}{
		{"refusal", "GET", "/x?y", []string{joe, navigation}, 403,
			[]string{"You may not open this", "groups contains teams/kde-developers", "groups: [teams/kde-developers-emeritus]", "KDE developers",
				"https://community.example.org/ask", "Signed in as", ">joe<", "Sign in as somebody else", "sign-in?return_to=%2Fx%3Fy&amp;prompt=select_account"},
			[]string{"http-equiv", "<script"}},
		{"closed", "GET", "/nobody/", []string{joe, navigation}, 403, []string{"Nobody may open this"}, []string{"Sign in", "sign-in"}},
		{"form after the session ended", "POST", "/x", []string{navigation, "Cookie: " + cookieName + "=expired", "Content-Length: 0"}, 401,
			[]string{"Please sign in again", "Your session has expired.", "sign-in?return_to=%2F&#34;", ">Sign in<"}, nil},
		{"navigation with a scheme that cannot be used", "GET", "/x", []string{navigation, "Authorization: Basic YTpi"}, 401,
			[]string{"Please sign in", "sign-in?return_to=%2Fx", ">Sign in<"}, nil},
		{"address for programs", "GET", "/bearer/", []string{navigation}, 401, []string{"This address is for programs", "as Authorization: Bearer."}, []string{"sign-in", "sign in", "signed in"}},
		{"nothing here", "GET", "/", []string{navigation, "Host: other.example.org"}, 404, []string{"There is nothing here"}, []string{"sign-in"}},
		{"store down", "GET", "/x?y=1", []string{navigation, "Cookie: " + cookieName + "=down"}, 503,
			[]string{"Please try again", "The store is away.", `href="/x?y=1"`, "Try again"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			res := h.send(t, test.method, test.target, test.lines...)
			if got := res.Header.Get("Content-Type"); res.StatusCode != test.status || got != "text/html; charset=utf-8" {
				t.Fatalf("got %d %q, want %d and a page", res.StatusCode, got, test.status)
			}
			for _, want := range append(test.has, res.Header.Get("X-Request-Id")) {
				if want = strings.ReplaceAll(want, "&#34;", `"`); !strings.Contains(res.body, want) {
					t.Errorf("the page lacks %q:\n%s", want, res.body)
				}
			}
			for _, refused := range test.hasNot {
				if strings.Contains(res.body, refused) {
					t.Errorf("the page contains %q:\n%s", refused, res.body)
				}
			}
		})
	}
}

// TestClaimsAreTextOnPages: what a provider says about a person, and what a person
// wrote there, is shown as it is (class UI).
func TestClaimsAreTextOnPages(t *testing.T) {
	const script = `<script>alert(1)</script>"'&{{.}}`
	h := credentialHouse(t, newWire(t))
	h.proxy.sessions = fakeSessions{func(*http.Request) (*session.Identity, error) {
		return person(session.AuthBrowser, script, session.Claims{"groups": []any{script}}), nil
	}}
	res := h.get(t, "/?"+url.QueryEscape(script), navigation)
	if res.StatusCode != 403 || strings.Contains(res.body, "<script") || strings.Contains(res.body, "alert(1)</script>") {
		t.Errorf("got %d:\n%s", res.StatusCode, res.body)
	}
	if !strings.Contains(res.body, "&lt;script&gt;alert(1)&lt;/script&gt;") {
		t.Errorf("the claim is not shown:\n%s", res.body)
	}
}

func TestRetryAfter(t *testing.T) {
	h := credentialHouse(t, newWire(t))
	for lines, want := range map[string]string{
		"Cookie: " + cookieName + "=down":   "8", // 7.5 s, rounded up
		"Authorization: Bearer down":        "5", // not said
		"Cookie: " + cookieName + "=broken": "5",
	} {
		res := h.get(t, "/", lines)
		if got := res.Header.Get("Retry-After"); res.StatusCode != 503 || got != want {
			t.Errorf("%s: got %d, Retry-After %q; want 503, %q", lines, res.StatusCode, got, want)
		}
	}
}

// TestRefusalsDoNotWaitForABody: the answer comes at once, the connection closes,
// and what was sent on it is never taken for another request (SMG-08).
func TestRefusalsDoNotWaitForABody(t *testing.T) {
	u := newWire(t)
	h := credentialHouse(t, u)
	const smuggled = "GET /public/ HTTP/1.1\r\nHost: " + publicHost + "\r\n\r\n"
	for name, test := range map[string]struct {
		head, after string
	}{
		"announced and never sent":        {"POST / HTTP/1.1\r\nHost: " + publicHost + "\r\nContent-Length: 1000000\r\n\r\n", ""},
		"small and never sent":            {"POST / HTTP/1.1\r\nHost: " + publicHost + "\r\nContent-Length: 10\r\n\r\n", ""},
		"chunked and never sent":          {"POST / HTTP/1.1\r\nHost: " + publicHost + "\r\nTransfer-Encoding: chunked\r\n\r\n", ""},
		"waiting to be asked":             {"POST / HTTP/1.1\r\nHost: " + publicHost + "\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n", ""},
		"with another request inside":     {"POST / HTTP/1.1\r\nHost: " + publicHost + "\r\nContent-Length: 500\r\n\r\n", smuggled},
		"chunked, with a request inside":  {"POST / HTTP/1.1\r\nHost: " + publicHost + "\r\nTransfer-Encoding: chunked\r\n\r\n", "0\r\n\r\n" + smuggled},
		"length and chunked":              {"POST / HTTP/1.1\r\nHost: " + publicHost + "\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "0\r\n\r\n" + smuggled},
		"bad target with a body":          {"POST /a//b HTTP/1.1\r\nHost: " + publicHost + "\r\nContent-Length: 500\r\n\r\n", smuggled},
		"refused by a bad token":          {"PUT / HTTP/1.1\r\nHost: " + publicHost + "\r\nAuthorization: Bearer bad\r\nContent-Length: 500\r\n\r\n", smuggled},
		"not allowed, body partly coming": {"PUT / HTTP/1.1\r\nHost: " + publicHost + "\r\nAuthorization: Bearer joe\r\nContent-Length: 1000000\r\n\r\n", strings.Repeat("x", 10000)},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", h.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(5 * time.Second))
			if _, err := io.WriteString(c, test.head+test.after); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			if elapsed := time.Since(began); elapsed > time.Second {
				t.Errorf("the answer took %v", elapsed)
			}
			if res.StatusCode < 400 || !res.Close {
				t.Errorf("got %d, connection closes: %v; want a refusal that closes", res.StatusCode, res.Close)
			}
			// Everything up to the end of the connection: the answer's body and no more.
			rest, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			if n, _ := io.Copy(io.Discard, c); n != 0 {
				t.Errorf("%d bytes follow the answer %q", n, rest)
			}
			h.events.next(t)
			if len(h.events.all) != 0 {
				t.Errorf("a second request was answered: %+v", h.events.next(t))
			}
			u.none(t)
		})
	}
}

// TestOwnPagesDoNotWaitForABody: a stranger who announces a body and never sends it
// gets the answer at once, and does not keep the connection.
func TestOwnPagesDoNotWaitForABody(t *testing.T) {
	u := newWire(t)
	h := credentialHouse(t, u)
	for name, head := range map[string]string{
		"with a length":       "GET /.auth/me HTTP/1.1\r\nHost: " + publicHost + "\r\nContent-Length: 10\r\n\r\n",
		"chunked":             "POST /.auth/sign-out HTTP/1.1\r\nHost: " + publicHost + "\r\nTransfer-Encoding: chunked\r\n\r\n",
		"the stylesheet":      "GET /.auth/style.css HTTP/1.1\r\nHost: " + publicHost + "\r\nContent-Length: 10\r\n\r\n",
		"waiting to be asked": "POST /.auth/sign-out HTTP/1.1\r\nHost: " + publicHost + "\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("tcp", h.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(2 * ownBody))
			_, _ = io.WriteString(c, head)
			began := time.Now()
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			if elapsed := time.Since(began); elapsed > ownBody/2 {
				t.Errorf("the answer took %v", elapsed)
			}
			if _, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 200 || !res.Close {
				t.Errorf("got %d, %v, connection closes: %v; want 200 and a connection that closes", res.StatusCode, err, res.Close)
			}
			if n, err := io.Copy(io.Discard, c); n != 0 || err != nil {
				t.Errorf("%d bytes follow the answer, then %v; want the connection's end", n, err)
			}
		})
	}
}

// TestOwnPagesWithoutABodyKeepTheConnection is the positive twin.
func TestOwnPagesWithoutABodyKeepTheConnection(t *testing.T) {
	h := credentialHouse(t, newWire(t))
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	br := bufio.NewReader(c)
	for range 2 {
		_, _ = io.WriteString(c, "POST /.auth/sign-out HTTP/1.1\r\nHost: "+publicHost+"\r\nContent-Length: 0\r\n\r\n")
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		if res.StatusCode != 200 || res.Close {
			t.Errorf("got %d, connection closes: %v", res.StatusCode, res.Close)
		}
	}
}

// TestRefusalsWithoutABodyKeepTheConnection is the positive twin.
func TestRefusalsWithoutABodyKeepTheConnection(t *testing.T) {
	u := newWire(t)
	h := credentialHouse(t, u)
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	br := bufio.NewReader(c)
	for _, want := range []int{401, 200} {
		target := map[int]string{401: "/", 200: "/public/"}[want]
		if _, err := io.WriteString(c, "GET "+target+" HTTP/1.1\r\nHost: "+publicHost+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		if res.StatusCode != want || res.Close {
			t.Errorf("%s: got %d, closes: %v", target, res.StatusCode, res.Close)
		}
	}
}

// TestRefusalsContainNothingOfTheUpstream (RESP-01, CVE-2025-31492): it is not even
// asked.
func TestRefusalsContainNothingOfTheUpstream(t *testing.T) {
	u := newWire(t)
	h := credentialHouse(t, u)
	for _, lines := range [][]string{nil, {navigation}, {"Authorization: Bearer bad"}, {"Cookie: " + cookieName + "=joe"}} {
		if res := h.get(t, "/", lines...); strings.Contains(res.body, "upstream") {
			t.Errorf("the refusal says %q", res.body)
		}
	}
	u.none(t)
}

// TestHeadIsRefusedWithoutABody: RFC 9110 section 9.3.2.
func TestHeadIsRefusedWithoutABody(t *testing.T) {
	h := credentialHouse(t, newWire(t))
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(c, "HEAD / HTTP/1.1\r\nHost: "+publicHost+"\r\nConnection: close\r\n\r\n")
	all, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := strings.Cut(string(all), "\r\n\r\n")
	if !strings.HasPrefix(head, "HTTP/1.1 401") || body != "" {
		t.Errorf("got %q with the body %q", head, body)
	}
}

// TestEveryAnswerHasARequestIDOfOurs: one that comes from anybody is not believed.
func TestEveryAnswerHasARequestIDOfOurs(t *testing.T) {
	u := newWire(t)
	u.say("HTTP/1.1 200 OK\r\nX-Request-Id: upstreams\r\nContent-Length: 0\r\n\r\n")
	h := credentialHouse(t, u)
	seen := map[string]bool{}
	for _, target := range []string{"/public/", "/", "/nobody/", "/.auth/me", "/a//b", "/.auth/style.css"} {
		res := h.get(t, target, "X-Request-Id: forged", "X_Request_Id: forged")
		ids := res.Header.Values("X-Request-Id")
		if len(ids) != 1 || len(ids[0]) != 16 || seen[ids[0]] {
			t.Errorf("%s: X-Request-Id %q", target, ids)
			continue
		}
		seen[ids[0]] = true
		if event := h.events.next(t); event.RequestID != ids[0] {
			t.Errorf("%s: the event has %q, the answer %q", target, event.RequestID, ids[0])
		}
		for _, head := range u.took() {
			if got := values(head, "X-Request-Id"); !cmp.Equal(got, ids) || strings.Contains(head, "forged") {
				t.Errorf("%s: the upstream got %q", target, head)
			}
		}
	}
}

// TestARequestIDIsBelievedFromTrustedProxiesAlone, where it is one.
func TestARequestIDIsBelievedFromTrustedProxiesAlone(t *testing.T) {
	u := newWire(t)
	const nginx, envoy = "4bf92f3577b34da6a3ce929d0e0e4736", "8f14e45f-ceea-467f-a0e6-3f9b2a1c7d55"
	for _, test := range []struct {
		name    string
		trusted Trusted
		lines   []string
		want    string // empty: one of ours
	}{
		{"from a trusted proxy", Trusted{Networks: prefixes("127.0.0.0/8")}, []string{"X-Request-Id: " + nginx}, nginx},
		{"from another one", Trusted{Networks: prefixes("127.0.0.0/8")}, []string{"x-request-id: " + envoy}, envoy},
		{"from a stranger", Trusted{Networks: prefixes("192.0.2.0/24")}, []string{"X-Request-Id: " + nginx}, ""},
		{"from anybody", Trusted{Unix: true}, []string{"X-Request-Id: " + nginx}, ""},
		{"two", Trusted{Networks: prefixes("127.0.0.0/8")}, []string{"X-Request-Id: " + nginx, "X-Request-Id: " + envoy}, ""},
		{"none", Trusted{Networks: prefixes("127.0.0.0/8")}, nil, ""},
		{"an empty one", Trusted{Networks: prefixes("127.0.0.0/8")}, []string{"X-Request-Id: "}, ""},
		{"markup", Trusted{Networks: prefixes("127.0.0.0/8")}, []string{"X-Request-Id: <b>x</b>"}, ""},
		{"an option", Trusted{Networks: prefixes("127.0.0.0/8")}, []string{"X-Request-Id: --config"}, ""},
		{"a long one", Trusted{Networks: prefixes("127.0.0.0/8")}, []string{"X-Request-Id: " + strings.Repeat("a", maxRequestID+1)}, ""},
		{"another spelling", Trusted{Networks: prefixes("127.0.0.0/8")}, []string{"X_Request_Id: " + nginx}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := trustingHouse(t, u, func(c *Config) { c.Trusted = test.trusted })
			for _, target := range []string{"/", "/.auth/me"} {
				res := h.get(t, target, test.lines...)
				got := res.Header.Get("X-Request-Id")
				if test.want != "" && got != test.want || test.want == "" && len(got) != 16 {
					t.Errorf("%s: got %q, want %q", target, got, test.want)
				}
				if event := h.events.next(t); event.RequestID != got {
					t.Errorf("%s: the event has %q, the answer %q", target, event.RequestID, got)
				}
				for _, head := range u.took() {
					if told := values(head, "X-Request-Id"); !cmp.Equal(told, []string{got}) {
						t.Errorf("%s: the upstream got %q, want %q", target, told, got)
					}
				}
			}
		})
	}
}

func TestOwnPagesAreNeverForwarded(t *testing.T) {
	u := newWire(t)
	h := build(t, []Route{
		{Path: "/", Allow: newRules(t).of("public"), Upstream: u.upstream()},
		{Hosts: []string{"*.example.org"}, Path: "/", Allow: newRules(t).of("public"), Upstream: u.upstream()},
	}, func(c *Config) {
		c.OwnPaths = []string{publicHost + "/oauth/return", "/.well-known/oauth-protected-resource/"}
	})
	for _, test := range []struct{ host, target, want string }{
		{publicHost, "/.auth/me", "own " + publicHost + " /.auth/me"},
		{publicHost, "/.auth", "own " + publicHost + " /.auth"},
		{publicHost, "/.auth/", "own " + publicHost + " /.auth/"},
		{"APP.Example.Org.:8443", "/%2eauth/%6de", "own " + publicHost + ":8443 /.auth/me"},
		{"unknown.example", "/.auth/me", "own unknown.example /.auth/me"},
		{publicHost, "/oauth/return?code=x", "own " + publicHost + " /oauth/return"},
		{"wiki.example.org", "/oauth/return", "upstream"},
		{publicHost, "/oauth/return/", "upstream"},
		{"wiki.example.org", "/.well-known/oauth-protected-resource", "own wiki.example.org /.well-known/oauth-protected-resource"},
		{publicHost, "/.well-known/oauth-protected-resource/a", "own " + publicHost + " /.well-known/oauth-protected-resource/a"},
		{publicHost, "/.authx", "upstream"},
		{publicHost, "/x/.auth/me", "upstream"},
	} {
		res := h.get(t, test.target, "Host: "+test.host)
		if res.StatusCode != 200 || res.body != test.want {
			t.Errorf("%s%s: got %d %q, want %q", test.host, test.target, res.StatusCode, res.body, test.want)
		}
		event := h.events.next(t)
		if own := strings.HasPrefix(test.want, "own"); own != (event.Decision == "") || own != (event.Route == "") {
			t.Errorf("%s%s: event %+v", test.host, test.target, event)
		}
	}
	if res := h.get(t, "/.auth/style.css"); res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("stylesheet: got %d %q", res.StatusCode, res.Header.Get("Content-Type"))
	}
}
