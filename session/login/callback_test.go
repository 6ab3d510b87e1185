package login

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

// edit returns an address with a changed query.
func edit(u *url.URL, change func(url.Values)) string {
	changed, q := *u, u.Query()
	change(q)
	changed.RawQuery = q.Encode()
	return changed.String()
}

// wantUntouched checks that a refused callback had no consequence at the provider:
// no code was traded, no userinfo asked.
func (s *site) wantUntouched() {
	s.t.Helper()
	for _, e := range []devprovider.Endpoint{devprovider.Token, devprovider.UserInfo} {
		if got := s.idp.Calls(e); got != 0 {
			s.t.Errorf("the provider's endpoint %s was called %d times, want 0", e, got)
		}
	}
}

// TestLoginCSRF: the attacker signs in as himself up to the callback and has the
// victim's browser open it, so that the victim works in the attacker's account.
func TestLoginCSRF(t *testing.T) {
	s := newSite(t)
	s.idp.SignInAs("eve")
	attacker := s.browser()
	back := attacker.visit("/").String()
	s.idp.SignInAs("ada")

	victims := map[string]func(*browser){
		"somebody who never began":             func(*browser) {},
		"somebody who is just signing in":      func(b *browser) { b.leave("/") },
		"somebody who is signed in":            func(b *browser) { b.signIn("/").wantTo(s, "/") },
		"somebody with a cookie of that name":  func(b *browser) { b.put(attacker.attempts()[0].Name, "x") },
		"somebody with another's cookie there": func(b *browser) { b.leave("/"); b.put(attacker.attempts()[0].Name, b.attempts()[0].Value) },
	}
	for name, prepare := range victims {
		t.Run(name, func(t *testing.T) {
			victim := s.browser()
			prepare(victim)
			was, calls := victim.me(), s.idp.Calls(devprovider.Token)
			p := victim.open(back, "Sec-Fetch-Site: cross-site")
			victim.wantHelp(p, http.StatusBadRequest, "not known here", "Please start again")
			if got := victim.me(); got != was {
				t.Errorf("the victim was %q and is %q", was, got)
			}
			if got := s.idp.Calls(devprovider.Token); got != calls {
				t.Error("the attacker's code was traded in")
			}
			if goOn := strings.Contains(p.body, "You are signed in already"); goOn != (was != "") {
				t.Errorf("the page offers to go on: %v, signed in as %q", goOn, was)
			}
		})
	}
	// The positive twin: the same address in the browser that began.
	attacker.open(back).wantTo(s, "/")
	if got := attacker.me(); got != "eve" {
		t.Errorf("got user %q, want eve", got)
	}
}

// TestAnAnswerThatWasTamperedWithIsRefused before anything of it is used.
func TestAnAnswerThatWasTamperedWithIsRefused(t *testing.T) {
	tests := map[string]struct {
		change func(url.Values)
		code   string
	}{
		"another state":         {func(q url.Values) { q.Set("state", strings.Repeat("A", 26)) }, "session-expired"},
		"a state cut short":     {func(q url.Values) { q.Set("state", q.Get("state")[1:]) }, "session-expired"},
		"a state in lower case": {func(q url.Values) { q.Set("state", strings.ToLower(q.Get("state"))) }, "session-expired"},
		"a state with a blank":  {func(q url.Values) { q.Set("state", q.Get("state")+" ") }, "session-expired"},
		"no state":              {func(q url.Values) { q.Del("state") }, "bad-target"},
		"an empty state":        {func(q url.Values) { q.Set("state", "") }, "bad-target"},
		"two states":            {func(q url.Values) { q.Add("state", q.Get("state")) }, "bad-target"},
		"two codes":             {func(q url.Values) { q.Add("code", q.Get("code")) }, "bad-target"},
		"two issuers":           {func(q url.Values) { q.Add("iss", q.Get("iss")); q.Add("iss", "https://evil.example") }, "bad-target"},
		"two errors":            {func(q url.Values) { q.Del("code"); q["error"] = []string{"a", "b"} }, "bad-target"},
		"no code":               {func(q url.Values) { q.Del("code") }, "bad-target"},
		"an empty code":         {func(q url.Values) { q.Set("code", "") }, "bad-target"},
		"code and error":        {func(q url.Values) { q.Set("error", "access_denied") }, "bad-target"},
		"a huge code":           {func(q url.Values) { q.Set("code", strings.Repeat("x", 100<<10)) }, "bad-target"},
		"a huge error":          {func(q url.Values) { q.Del("code"); q.Set("error", strings.Repeat("x", 5<<10)) }, "bad-target"},
		"a huge state":          {func(q url.Values) { q.Set("state", strings.Repeat("x", 5<<10)) }, "bad-target"},
		"nothing at all":        {func(q url.Values) { clear(q) }, "bad-target"},
		"an implicit answer":    {func(q url.Values) { q.Del("code"); q.Set("access_token", "t"); q.Set("id_token", "t") }, "bad-target"},
	}
	s := newSite(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := s.browser()
			back := b.visit("/wanted")
			p := b.open(edit(back, test.change))
			b.wantHelp(p, http.StatusBadRequest)
			p = b.open(edit(back, test.change), "Accept: application/json").want(http.StatusBadRequest)
			if got := p.object()["code"]; got != test.code {
				t.Errorf("got code %q, want %q", got, test.code)
			}
			s.wantUntouched()
		})
	}
	for name, query := range map[string]string{"a bad escape": "&x=%zz", "a semicolon": ";x=1"} {
		t.Run(name, func(t *testing.T) {
			b := s.browser()
			b.wantHelp(b.open(b.visit("/").String()+query), http.StatusBadRequest)
			s.wantUntouched()
		})
	}
	t.Run("parameters nobody knows are passed over", func(t *testing.T) {
		b := s.browser()
		b.open(edit(b.visit("/"), func(q url.Values) { q["session_state"] = []string{"a", "b"}; q.Set("scope", "x") })).wantTo(s, "/")
	})
}

func TestACallbackIsGoodOnce(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	back := b.visit("/wanted").String()
	attempt := b.attempts()[0]
	b.open(back).wantTo(s, "/wanted")
	first := b.session().Value
	p := b.open(back) // the back button
	b.wantHelp(p, http.StatusBadRequest, "already used", "You are signed in already", `href="/"`)
	if got := b.session(); got == nil || got.Value != first {
		t.Error("the session is not what it was")
	}
	// Whoever kept a copy of the cookie gets no further: the code is used up.
	thief := s.browser()
	thief.put(attempt.Name, attempt.Value)
	thief.wantHelp(thief.open(back), http.StatusBadRequest, "did not accept this sign-in")
	if got := thief.me(); got != "" {
		t.Errorf("the thief is %q", got)
	}
	b.open("/application").want(http.StatusOK)
	if got := b.me(); got != "ada" {
		t.Errorf("got user %q, want ada", got)
	}
}

// TestAFailedCallbackUsesTheAttemptUp: there is one try for each attempt.
func TestAFailedCallbackUsesTheAttemptUp(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	back := b.visit("/wanted")
	b.wantHelp(b.open(edit(back, func(q url.Values) { q.Set("iss", "https://evil.example") })), http.StatusBadRequest)
	if got := len(b.attempts()); got != 0 {
		t.Errorf("%d attempts are left, want none", got)
	}
	b.wantHelp(b.open(back.String()), http.StatusBadRequest, "not known here")
	s.wantUntouched()
}

// TestTheIssuerOfAnAnswerIsChecked before its code or error is used (RFC 9207). The
// right answer with a code for another provider is the mix-up attack.
func TestTheIssuerOfAnAnswerIsChecked(t *testing.T) {
	const evil = "https://evil.example"
	iss := func(values ...string) func(url.Values, string) {
		return func(q url.Values, right string) {
			q.Del("iss")
			for _, v := range values {
				q.Add("iss", strings.ReplaceAll(v, "RIGHT", right))
			}
		}
	}
	tests := []struct {
		name      string
		announced bool
		change    func(url.Values, string)
		good      bool
	}{
		{"right, announced", true, iss("RIGHT"), true},
		{"right, not announced", false, iss("RIGHT"), true},
		{"missing, not announced", false, iss(), true},
		{"missing, announced", true, iss(), false},
		{"wrong, announced", true, iss(evil), false},
		{"wrong, not announced", false, iss(evil), false},
		{"empty, announced", true, iss(""), false},
		{"empty, not announced", false, iss(""), false},
		{"with a slash too many", true, iss("RIGHT/"), false},
		{"with a query", true, iss("RIGHT?"), false},
		{"right one and a wrong one", true, iss("RIGHT", evil), false},
	}
	for _, test := range tests {
		for _, withError := range []bool{false, true} {
			name := test.name + map[bool]string{false: ", with a code", true: ", with an error"}[withError]
			t.Run(name, func(t *testing.T) {
				s := newSite(t, func(set *setup) { set.idp.ResponseIssuer = test.announced })
				b := s.browser()
				p := b.open(edit(b.visit("/wanted"), func(q url.Values) {
					test.change(q, s.idp.Issuer())
					if withError {
						q.Del("code")
						q.Set("error", "access_denied")
					}
				}))
				switch {
				case test.good && withError:
					b.wantHelp(p, http.StatusForbidden, "access was declined")
				case test.good:
					p.wantTo(s, "/wanted")
				default:
					b.wantHelp(p, http.StatusBadRequest).wantNo("declined", "evil.example")
					s.wantUntouched()
				}
			})
		}
	}
}

// TestAnAttemptAtAnotherProviderIsNone is the mix-up that distinct redirect URIs end
// (RFC 9700 section 4.4.2.2): the honest provider's code arrives where the attempt
// at the attacker's provider was to end, or the other way round.
func TestAnAttemptAtAnotherProviderIsNone(t *testing.T) {
	evil := devprovider.NewServer(devprovider.Options{People: []devprovider.Person{{Name: "mallory"}}})
	t.Cleanup(evil.Close)
	s := newSite(t, func(set *setup) {
		set.more = []provider.Config{{
			ID: "evil", Name: "Evil", Issuer: evil.Issuer(), Client: provider.Client{ID: "web", Secret: "known-to-evil"}, Scopes: []string{"openid"},
		}}
	})
	b := s.browser()
	back := b.visit("/")
	atEvil := *back
	atEvil.Path = "/.auth/callback/evil"
	p := b.open(atEvil.String()).want(http.StatusBadRequest, "not known here", "/.auth/start/evil")
	if got := evil.Calls(devprovider.Token); got != 0 {
		t.Error("the honest provider's code was sent to the evil one")
	}
	if p.cookie(s.Cookies.AttemptPrefix) != nil {
		t.Error("the evil callback ends the attempt at the honest provider")
	}
	b.open(back.String()).wantTo(s, "/")
	b.open("/.auth/callback/nobody?code=c&state=s").want(http.StatusNotFound)
}

// TestACodeOfAnotherAttemptIsRefused is login by injected code (RFC 9700 section
// 4.5): PKCE and nonce bind the code to the attempt.
func TestACodeOfAnotherAttemptIsRefused(t *testing.T) {
	s := newSite(t)
	victim := s.browser()
	stolen := victim.visit("/").Query().Get("code")
	attacker := s.browser()
	p := attacker.open(edit(attacker.visit("/"), func(q url.Values) { q.Set("code", stolen) }))
	attacker.wantHelp(p, http.StatusBadRequest, "did not accept this sign-in")
	if got := attacker.me(); got != "" {
		t.Errorf("the attacker is %q", got)
	}
}

func TestACallbackIsAGet(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	back := b.visit("/wanted").String()
	for _, method := range []string{"HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get"} {
		p := b.send(method, back).want(http.StatusMethodNotAllowed)
		if got := p.header.Get("Allow"); got != "GET" {
			t.Errorf("%s: got Allow %q, want GET", method, got)
		}
		if len(p.cookies) != 0 {
			t.Errorf("%s: sets cookies", method)
		}
	}
	s.wantUntouched()
	b.open(back).wantTo(s, "/wanted")
}

// TestEveryPageHasItsMethods: whatever is not listed changes nothing.
func TestEveryPageHasItsMethods(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	want := map[string]string{
		"/.auth/sign-in": "GET, HEAD", "/.auth/start/invent": "GET", "/.auth/callback/invent": "GET",
		"/.auth/sign-out": "GET, HEAD, POST", "/.auth/me": "GET, HEAD",
	}
	got := map[string]string{}
	for path := range want {
		p := b.send(http.MethodDelete, path, "Accept: application/json").want(http.StatusMethodNotAllowed)
		got[path] = p.header.Get("Allow")
		if code := p.object()["code"]; code != "method" {
			t.Errorf("%s: got code %q, want method", path, code)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Allow (-want +got):\n%s", diff)
	}
	for _, path := range []string{"/.auth/", "/.auth/start", "/.auth/start/", "/.auth/start/nobody", "/.auth/start/invent/", "/.auth/start/invent/x",
		"/.auth/callback", "/.auth/me/", "/.auth/me/x", "/.auth/ME", "/.auth/start/inv%2Fent", "/.auth/start/INVENT", `/.auth/"><script>alert(1)</script>`} {
		b.open(path).want(http.StatusNotFound).wantNo("<script", "alert(1)")
	}
	if got := b.send(http.MethodHead, "/.auth/sign-in").want(http.StatusFound).body; got != "" {
		t.Errorf("HEAD has a body: %q", got)
	}
}
