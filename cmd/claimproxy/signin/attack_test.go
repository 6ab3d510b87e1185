package signin

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// TestADocumentAboutAnotherResourceIsNotUsed (RFC 9728 section 3.3): the tokens would be
// another application's, and would be sent to this one.
func TestADocumentAboutAnotherResourceIsNotUsed(t *testing.T) {
	w := newWorld(t)
	right := w.app.metadata["resource"]
	for _, wrong := range []any{"https://telemetry.example.org", w.app.url + "/", w.app.url + ".evil.example", strings.Replace(w.app.url, "127.0.0.1", "localhost", 1), "", nil, "\x1b]0;x\x07"} {
		w.app.change(func() { w.app.metadata["resource"] = wrong })
		wantError(t, w.login(Options{}), "RFC 9728 section 3.3")
	}
	w.app.change(func() { w.app.metadata["resource"] = right })
	w.mustLogin()
}

// TestAResourceBelowAPathIsNamedByIt: its document is about that path.
func TestAResourceBelowAPathIsNamedByIt(t *testing.T) {
	w := newWorld(t)
	w.app.change(func() {
		w.app.challenge = `Basic realm="x", Bearer realm="y", resource_metadata="` + w.app.url + wellKnown + `/api"`
		w.app.override[wellKnown+"/api"] = func(rw http.ResponseWriter, r *http.Request) {
			w.app.metadata["resource"] = w.app.url + "/api"
			_ = json.NewEncoder(rw).Encode(w.app.metadata)
		}
		w.app.override[wellKnown] = http.NotFound
	})
	wantError(t, w.login(Options{}), "404") // Basic comes first in a field of its own: nothing is guessed
	w.app.change(func() { w.app.challenge = strings.TrimPrefix(w.app.challenge, `Basic realm="x", `) })
	w.mustLogin()
}

// TestAChallengeLeadsToNoOtherOrigin: whoever can write an application's challenge could
// otherwise have its people sign in for somebody else.
func TestAChallengeLeadsToNoOtherOrigin(t *testing.T) {
	w := newWorld(t)
	evil := newApplication(t, w.idp.Issuer())
	for _, where := range []string{
		evil.url + wellKnown, w.app.url + ".evil.example" + wellKnown, strings.Replace(w.app.url, "://", "://user@", 1) + wellKnown,
		w.app.url + "/elsewhere", w.app.url + wellKnown + "?x", w.app.url + wellKnown + "x", "javascript:alert(1)", "//evil.example",
	} {
		w.app.change(func() { w.app.challenge = `Bearer resource_metadata="` + where + `"` })
		wantError(t, w.login(Options{}), "points elsewhere")
	}
	if len(evil.asked) != 0 {
		t.Error("the other origin was asked")
	}
}

// TestTheListOfProvidersIsTheApplicationsOwn, or somebody else would choose the client.
func TestTheListOfProvidersIsTheApplicationsOwn(t *testing.T) {
	w := newWorld(t)
	evil := newApplication(t, w.idp.Issuer())
	w.app.change(func() { w.app.metadata["claimproxy_providers"] = evil.url + "/p" })
	wantError(t, w.login(Options{}), "elsewhere")
	if len(evil.asked) != 0 {
		t.Error("the other origin was asked")
	}
}

// TestNoRedirectIsFollowed on the way: an open redirector of the application would choose
// the provider.
func TestNoRedirectIsFollowed(t *testing.T) {
	w := newWorld(t)
	evil := newApplication(t, w.idp.Issuer())
	for _, path := range []string{"/p", wellKnown} {
		w.app.change(func() {
			w.app.override = map[string]http.HandlerFunc{path: func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, evil.url+path, http.StatusFound) }}
		})
		wantError(t, w.login(Options{}), "got 302")
	}
	if len(evil.asked) != 0 {
		t.Error("a redirect was followed")
	}
}

// TestAnIssuerThatMayNotBeAskedIsNotAsked.
func TestAnIssuerThatMayNotBeAskedIsNotAsked(t *testing.T) {
	for issuer, ok := range map[string]bool{
		"https://invent.example.org": true, "https://invent.example.org/realms/kde": true, "http://invent.example.org": false, "http://127.0.0.1:1": false,
		"https://user@invent.example.org": false, "https://invent.example.org?x": false, "https://invent.example.org#x": false, "ftp://invent.example.org": false,
		"file:///etc/passwd": false, "https://invent.example.org/\u009b2J": false, "": false, "https:invent": false,
	} {
		if err := checkIssuer("https://app.example.org", issuer); (err == nil) != ok {
			t.Errorf("%q: got %v", issuer, err)
		}
	}
	if err := checkIssuer("http://127.0.0.1:8080", "http://127.0.0.1:8081"); err != nil {
		t.Error(err)
	}
	w := newWorld(t)
	w.app.change(func() { w.app.metadata["authorization_servers"] = []string{"https://other.example.org"} })
	wantError(t, w.login(Options{}), "no client that programs can sign in with")
}

// TestAProviderThatSpeaksForAnotherIsNotUsed (OpenID Connect Discovery section 4.3), nor one
// whose endpoints are open to everybody on the way.
func TestAProviderThatSpeaksForAnotherIsNotUsed(t *testing.T) {
	w := newWorld(t)
	for name, value := range map[string]any{
		"issuer": "https://invent.example.org", "token_endpoint": "http://evil.example/token", "authorization_endpoint": "http://evil.example/a",
		"device_authorization_endpoint": "https://x.example/\u009b2J", "revocation_endpoint": "http://evil.example/\x1b[2J",
	} {
		w.idp.Rewrite(devprovider.DiscoveryDocument, func(doc map[string]any) { doc[name] = value })
		wantError(t, w.login(Options{}))
	}
}

// TestAnotherProvidersAnswerIsNotTaken (RFC 9207), nor one that hides whose it is.
func TestAnotherProvidersAnswerIsNotTaken(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(url.Values)
		want   string
	}{
		{"another issuer", func(q url.Values) { q.Set("iss", "https://evil.example") }, "from another provider"},
		{"no issuer", func(q url.Values) { q.Del("iss") }, "promises to"},
		{"two issuers", func(q url.Values) { q.Add("iss", q.Get("iss")) }, "from another provider"},
		{"no code", func(q url.Values) { q.Del("code") }, "no code"},
		{"two codes", func(q url.Values) { q.Add("code", "x") }, "no code"},
		{"an error", func(q url.Values) { q.Set("error", "access_denied"); q.Set("error_description", "no\x1b[2J") }, "access_denied: no?[2J"},
		{"somebody else's code", func(q url.Values) { q.Set("code", "stolen") }, "invalid_grant"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.agent.Open = func(address string) error { return visitChanged(address, c.change) }
			wantError(t, w.login(Options{}), c.want)
			if len(w.ring.secrets) != 0 {
				t.Error("something was kept")
			}
		})
	}
}

// visitChanged is a browser in which somebody changes the way back.
func visitChanged(address string, change func(url.Values)) error {
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Get(address)
	if err != nil {
		return err
	}
	res.Body.Close()
	back, err := res.Location()
	if err != nil {
		return err
	}
	q := back.Query()
	change(q)
	back.RawQuery = q.Encode()
	return visit(back.String())
}

// TestAPageInTheBrowserCannotAnswerInAnothersPlace: without the state nothing happens, and the
// true answer is taken after it.
func TestAPageInTheBrowserCannotAnswerInAnothersPlace(t *testing.T) {
	w := newWorld(t)
	w.agent.Open = func(address string) error {
		u, _ := url.Parse(address)
		back := u.Query().Get("redirect_uri")
		for _, forged := range []string{back, back + "?code=x&state=", back + "?code=x&state=guessed", back + "?error=access_denied&state=guessed", back + "/x?state=" + u.Query().Get("state")} {
			if visit(forged) == nil {
				t.Errorf("%s was taken", forged)
			}
		}
		req, _ := http.NewRequest(http.MethodGet, back+"?code=x&state="+u.Query().Get("state"), nil)
		req.Host = "evil.example" // a name that points here (DNS rebinding)
		res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		if err != nil || res.StatusCode != http.StatusNotFound {
			t.Errorf("a request for another host: got %v, %v", res, err)
		}
		res.Body.Close()
		if q := u.Query(); q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" || q.Get("nonce") == "" || len(q.Get("state")) < 20 {
			t.Errorf("the request lacks what protects it: %v", q)
		}
		return visit(address)
	}
	w.mustLogin()
}

// TestTheIDTokenIsOfThisVerySignIn, and of this provider, for this client.
func TestTheIDTokenIsOfThisVerySignIn(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(map[string]any){
		"nonce":    func(c map[string]any) { c["nonce"] = "another" },
		"no nonce": func(c map[string]any) { delete(c, "nonce") },
		"audience": func(c map[string]any) { c["aud"] = "another" },
		"issuer":   func(c map[string]any) { c["iss"] = "https://evil.example" },
		"expired":  func(c map[string]any) { c["exp"] = 1 },
	} {
		w.idp.Rewrite(devprovider.IDTokenClaims, change)
		if err := w.login(Options{}); err == nil {
			t.Errorf("%s: it was taken", name)
		}
	}
	w.idp.Rewrite(devprovider.IDTokenClaims, nil)
	w.idp.Rewrite(devprovider.TokenReply, func(doc map[string]any) { delete(doc, "id_token") })
	wantError(t, w.login(Options{}), "no ID token")
}

// TestAHeaderThatIsNoneBringsNothingAlong: an application that names a header for the provider
// gets that one header, and no option of curl.
func TestAHeaderThatIsNoneBringsNothingAlong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, offer := range []struct{ header, id string }{
		{"X-A: b\r\nX-B", "invent"}, {"X-A\"\nlocation\nurl = \"http://evil.example", "invent"}, {"X A", "invent"}, {"X-A:", "invent"},
		{"X-A", "in\"vent"}, {"X-A", "invent\nurl = http://evil.example"}, {"X-A", "a\\n"}, {"X-A", ""},
	} {
		w.app.change(func() { w.app.offers[0]["provider_header"], w.app.offers[0]["id"] = offer.header, offer.id })
		wantError(t, w.login(Options{}), "a header that is none")
	}
}

// TestATokenThatIsNoneBringsNothingAlong: a line break in it would be a header, or an option of
// curl.
func TestATokenThatIsNoneBringsNothingAlong(t *testing.T) {
	w := newWorld(t)
	for _, token := range []string{"x\r\nX-Forwarded-User: admin", "x\"\noutput = /etc/passwd", "a b", "", "é", strings.Repeat("x", maxToken+1)} {
		w.idp.Rewrite(devprovider.TokenReply, func(doc map[string]any) { doc["access_token"] = token })
		wantError(t, w.login(Options{}))
	}
	w.idp.Rewrite(devprovider.TokenReply, func(doc map[string]any) { doc["token_type"] = "mac" })
	wantError(t, w.login(Options{}), "kind MAC")
	w.idp.Rewrite(devprovider.TokenReply, nil)
	w.mustLogin()
}

// TestAStrangersApplicationGetsNoTokenOfAnother (mix-up): it names the client of somebody
// else's, so that whoever signs in would hand it a key to both.
func TestAStrangersApplicationGetsNoTokenOfAnother(t *testing.T) {
	w := newWorld(t)
	w.mustLogin()
	evil := newApplication(t, w.idp.Issuer())
	asked := ""
	w.agent.Confirm = func(question string) bool { asked = question; return false }
	wantError(t, w.agent.Login(t.Context(), evil.url, Options{}), "--trust", w.app.url)
	if !strings.Contains(asked, evil.url) || !strings.Contains(asked, w.app.url) {
		t.Errorf("got the question %q", asked)
	}
	_, err := w.agent.Token(t.Context(), evil.url)
	wantError(t, err, "you are not signed in")
	// The two may belong together, and then the person says so.
	if err := w.agent.Login(t.Context(), evil.url, Options{Trust: true}); err != nil {
		t.Fatal(err)
	}
	first, second := w.mustToken(w.agent), Token{}
	if second, err = w.agent.Token(t.Context(), evil.url); err != nil || second.AccessToken == first.AccessToken || second.Origin != evil.url {
		t.Errorf("got %v and %v", second, err)
	}
	// Signing in again where one was is no question.
	w.mustLogin()
}

// TestAStrangersProviderIsAskedAbout (mix-up): it could lead the browser on to the provider of
// another login. Somebody without logins has nothing to lose, and is asked nothing.
func TestAStrangersProviderIsAskedAbout(t *testing.T) {
	w := newWorld(t)
	w.mustLogin()
	stranger := newWorld(t)
	asked := ""
	w.agent.Confirm = func(question string) bool { asked = question; return false }
	wantError(t, w.agent.Login(t.Context(), stranger.app.url, Options{}), "--trust", stranger.idp.Issuer())
	if !strings.Contains(asked, stranger.app.url) || !strings.Contains(asked, stranger.idp.Issuer()) {
		t.Errorf("got the question %q", asked)
	}
	w.agent.Confirm = func(string) bool { return true }
	if err := w.agent.Login(t.Context(), stranger.app.url, Options{}); err != nil {
		t.Fatal(err)
	}
	// Both are known by now.
	w.agent.Confirm = func(question string) bool { t.Errorf("got the question %q", question); return false }
	for _, address := range []string{stranger.app.url, w.app.url} {
		if err := w.agent.Login(t.Context(), address, Options{}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWhatStrangersSayIsFitForATerminal.
func TestWhatStrangersSayIsFitForATerminal(t *testing.T) {
	w := newWorld(t)
	w.app.change(func() { w.app.offers[0]["name"] = "KDE\x1b]0;title\x07\r\nInvent\u202e" + strings.Repeat("x", 10000) })
	w.idp.SetPerson(devprovider.Person{Name: "ada", Claims: map[string]any{"preferred_username": "ada\x1b[2J"}})
	w.idp.Rewrite(devprovider.IDTokenClaims, func(c map[string]any) { c["preferred_username"] = "ada\x1b[2J\n" })
	w.mustLogin()
	if strings.ContainsAny(w.said.String(), "\x1b\x07\r\u202e") || w.said.Len() > 3000 {
		t.Errorf("got %q", w.said)
	}
}

// TestRepliesAreBounded.
func TestRepliesAreBounded(t *testing.T) {
	w := newWorld(t)
	endless := func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(rw, `["`+strings.Repeat("x", 2*maxReply)+`"]`)
	}
	w.app.change(func() { w.app.override["/p"] = endless })
	wantError(t, w.login(Options{}), "not the JSON document")
	w.app.change(func() { delete(w.app.override, "/p") })
	w.idp.Override(devprovider.Discovery, endless)
	wantError(t, w.login(Options{}))
}

func TestATokenIsNotSentInTheOpen(t *testing.T) {
	for address, want := range map[string]string{
		"telemetry.example.org": "https://telemetry.example.org", "https://Telemetry.example.org:443/a": "https://telemetry.example.org",
		"http://127.0.0.1:8080/x": "http://127.0.0.1:8080", "http://localhost:80": "http://localhost", "https://[2001:db8::1]:8443": "https://[2001:db8::1]:8443",
		"http://telemetry.example.org": "", "http://127.0.0.1.evil.example": "", "https://user:pass@example.org": "", "ftp://example.org": "", "https://": "", "": "", "https:example.org": "",
	} {
		u, err := parseAddress(address)
		switch {
		case want == "" && err == nil:
			t.Errorf("%q was taken as %s", address, originOf(u))
		case want != "" && (err != nil || originOf(u) != want):
			t.Errorf("%q: got %v, %v, want %s", address, u, err, want)
		}
	}
}

// TestALoopbackAddressIsListenedOnAlone: no other machine can answer in the browser's place.
func TestALoopbackAddressIsListenedOnAlone(t *testing.T) {
	w := newWorld(t)
	for _, redirect := range []string{"https://telemetry.example.org/.auth/callback/invent", "http://0.0.0.0/", "http://192.0.2.1/", "org.example:/x", "", "http://127.0.0.1.evil.example/"} {
		w.app.change(func() { w.app.offers[0]["redirect_uri"] = redirect })
		wantError(t, w.login(Options{}), "not on this machine")
	}
	taken := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(taken.Close)
	w.app.change(func() { w.app.offers[0]["redirect_uri"] = taken.URL + "/" })
	w.mustLogin()
	if !strings.Contains(w.said.String(), "another one is used") {
		t.Errorf("got %s", w.said)
	}
	w.app.change(func() {
		w.app.offers[0]["redirect_uri"] = strings.Replace(taken.URL, "127.0.0.1", "localhost", 1) + "/"
	})
	wantError(t, w.login(Options{}), "nothing can listen")
}
