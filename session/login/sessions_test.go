package login

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const (
	firefoxAgent = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	iPhoneAgent  = "User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1"
)

// signInWith signs in with a browser that says what it is.
func (b *browser) signInWith(agent string) {
	b.t.Helper()
	b.open(b.visit("/").String(), "Sec-Fetch-Site: cross-site", agent).wantTo(b.s, "/")
}

// mine is the list of me in its JSON form.
func (b *browser) mine() []map[string]any {
	b.t.Helper()
	list, _ := b.open("/.auth/me", "Accept: application/json").want(http.StatusOK).object()["sessions"].([]any)
	var out []map[string]any
	for _, e := range list {
		one, _ := e.(map[string]any)
		out = append(out, one)
	}
	return out
}

// id is that of the browser's own session.
func (b *browser) id() string {
	b.t.Helper()
	for _, one := range b.mine() {
		if one["current"] == true {
			return one["id"].(string)
		}
	}
	b.t.Fatal("no session is marked as this one")
	return ""
}

func (b *browser) end(form url.Values, headers ...string) *page {
	b.t.Helper()
	return b.submit(http.MethodPost, "/.auth/sessions/end", form, append([]string{"Sec-Fetch-Site: same-origin", "Origin: " + b.s.url}, headers...)...)
}

func TestMeListsMySessionsAndEndsThem(t *testing.T) {
	s := newSite(t)
	laptop, phone, old := s.browser(), s.browser(), s.browser()
	old.signIn("/").wantTo(s, "/")
	s.clock.Advance(10 * time.Minute)
	phone.signInWith(iPhoneAgent)
	s.clock.Advance(10 * time.Minute)
	laptop.signInWith(firefoxAgent)
	s.idp.SignInAs("eve")
	eve := s.browser()
	eve.signIn("/").wantTo(s, "/")

	list := laptop.mine()
	if len(list) != 3 {
		t.Fatalf("got %d sessions, want 3 and not eve's: %v", len(list), list)
	}
	for i, want := range []struct {
		browser, since string
		current        bool
	}{
		{"Firefox on Linux", "2026-11-21T12:20:00Z", true}, {"Safari on iPhone", "2026-11-21T12:10:00Z", false}, {"Go-http-client", "2026-11-21T12:00:00Z", false},
	} {
		if got := list[i]; got["browser"] != want.browser || got["since"] != want.since || got["current"] != want.current || got["address"] != "127.0.0.1" {
			t.Errorf("%d: got %v, want %v", i, got, want)
		}
	}
	laptop.open("/.auth/me").want(http.StatusOK, "Where you are signed in", "Firefox on Linux (this session)", "Safari on iPhone", "End all other sessions",
		"since 21 November 2026, 12:10 UTC, last used 21 November 2026, 12:10 UTC, signed in from 127.0.0.1",
		`<input type="hidden" name="id" value="`+phone.id()+`">`).wantNo(`value="` + laptop.id() + `"`)

	p := laptop.end(url.Values{"id": {phone.id()}}).want(http.StatusSeeOther)
	if got := p.header.Get("Location"); got != "/.auth/me" {
		t.Errorf("leads to %q, want the list", got)
	}
	if phone.me() != "" || laptop.me() != "ada" || old.me() != "ada" {
		t.Error("not just the phone's session has ended")
	}
	laptop.end(url.Values{"id": {old.id()}}, "Accept: application/json").want(http.StatusSeeOther)
	phone.signIn("/").wantTo(s, "/") // as eve
	s.idp.SignInAs("ada")
	for _, b := range []*browser{phone, old} {
		b.signIn("/").wantTo(s, "/")
	}
	laptop.end(url.Values{"all": {"true"}}).want(http.StatusSeeOther)
	if phone.me() != "" || old.me() != "" || laptop.me() != "ada" || eve.me() != "eve" {
		t.Error("not all other sessions of ada, and no more, have ended")
	}
	laptop.open("/.auth/me").want(http.StatusOK, "(this session)").wantNo("End all other sessions", "sessions/end")
	laptop.end(url.Values{"all": {"true"}}).want(http.StatusSeeOther) // once more does no harm
}

// TestSomebodyElsesSessionIsNotEndedByItsId: who sees one over a shoulder.
func TestSomebodyElsesSessionIsNotEndedByItsId(t *testing.T) {
	s := newSite(t)
	ada, eve := s.browser(), s.browser()
	ada.signIn("/").wantTo(s, "/")
	s.idp.SignInAs("eve")
	eve.signIn("/").wantTo(s, "/")
	id := ada.id()
	eve.end(url.Values{"id": {id}}).want(http.StatusSeeOther)
	eve.end(url.Values{"all": {"true"}}).want(http.StatusSeeOther)
	s.browser().end(url.Values{"id": {id}}).want(http.StatusUnauthorized)
	s.browser().end(url.Values{"all": {"true"}}, "Accept: application/json").want(http.StatusUnauthorized)
	thief := s.browser()
	thief.put(s.store.Cookies().Session, id)
	thief.end(url.Values{"all": {"true"}}).want(http.StatusUnauthorized)
	if ada.me() != "ada" || eve.me() != "eve" {
		t.Error("somebody was signed out")
	}
	ada.end(url.Values{"id": {id}}).want(http.StatusBadRequest, "Nothing was ended") // her own: that is signing out
	if ada.me() != "ada" {
		t.Error("ada was signed out")
	}
}

// TestEndingSessionsIsAskedForOnThisSiteAlone: no link, image or form of another site
// signs anybody out.
func TestEndingSessionsIsAskedForOnThisSiteAlone(t *testing.T) {
	s := newSite(t)
	b, phone := s.browser(), s.browser()
	b.signIn("/").wantTo(s, "/")
	phone.signIn("/").wantTo(s, "/")
	all := url.Values{"all": {"true"}}
	for _, headers := range [][]string{
		{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example"}, {"Sec-Fetch-Site: same-site", "Origin: https://sibling.example"},
		{"Sec-Fetch-Site: cross-site", "Origin:"}, {"Sec-Fetch-Site:", "Origin: https://evil.example"}, {"Sec-Fetch-Site:", "Origin: null"},
	} {
		b.end(all, headers...).want(http.StatusForbidden, "Nothing was ended")
		if got := b.end(all, append(headers, "Accept: application/json")...).want(http.StatusForbidden).object()["code"]; got != "not-allowed" {
			t.Errorf("got code %v", got)
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		p := b.send(method, "/.auth/sessions/end?all=true").want(http.StatusMethodNotAllowed)
		if got := p.header.Get("Allow"); got != "POST" {
			t.Errorf("%s: allows %q", method, got)
		}
	}
	if phone.me() != "ada" {
		t.Error("the phone was signed out")
	}
}

// TestEndingSessionsTakesOneMeaning: an id or all, in the form.
func TestEndingSessionsTakesOneMeaning(t *testing.T) {
	s := newSite(t)
	b, phone := s.browser(), s.browser()
	b.signIn("/").wantTo(s, "/")
	phone.signIn("/").wantTo(s, "/")
	id := phone.id()
	for name, form := range map[string]url.Values{
		"nothing": {}, "an empty id": {"id": {""}}, "two ids": {"id": {id, id}}, "both": {"id": {id}, "all": {"true"}}, "all of another kind": {"all": {"yes"}},
		"all and nothing": {"all": {""}}, "all twice": {"all": {"true", "true"}}, "too much": {"all": {"true"}, "x": {strings.Repeat("x", 5000)}},
	} {
		t.Run(name, func(t *testing.T) {
			b.end(form).want(http.StatusBadRequest, "Nothing was ended")
			if got := b.end(form, "Accept: application/json").want(http.StatusBadRequest).object()["code"]; got != "bad-target" {
				t.Errorf("got code %v", got)
			}
		})
	}
	b.submit(http.MethodPost, "/.auth/sessions/end?all=true", url.Values{}, "Sec-Fetch-Site: same-origin").want(http.StatusBadRequest)
	for _, unknown := range []string{"x", id + "x", strings.ToUpper(id), "<script>", "../" + id} {
		b.end(url.Values{"id": {unknown}}).want(http.StatusSeeOther)
	}
	if phone.me() != "ada" {
		t.Error("the phone was signed out")
	}
}

// TestNobodyIsToldThatSessionsHaveEndedWhenThatIsNotKnown.
func TestNobodyIsToldThatSessionsHaveEndedWhenThatIsNotKnown(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	id := b.id()
	s.keep.fail(errors.New("disk on fire"))
	b.open("/.auth/me").want(http.StatusOK, "You are ada", "cannot be looked up right now").wantNo(id)
	for _, form := range []url.Values{{"all": {"true"}}, {"id": {"x"}}} {
		b.end(form).want(http.StatusServiceUnavailable, "Try again")
	}
	s.keep.fail(nil)
	b.open("/.auth/me").want(http.StatusOK, "(this session)").wantNo("cannot be looked up")
}

// TestAUserAgentIsTextOnThePage, and short: anybody may send any.
func TestAUserAgentIsTextOnThePage(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	for _, agent := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>/1.0`, `Firefox/<script>alert(1)</script>`, "curl<script>/8", strings.Repeat("x", 60000), `{{.}}/1`,
		"\u202eevil/1", "javascript:alert(1)//1.0",
	} {
		s.browser().signInWith("User-Agent: " + agent)
	}
	b.signIn("/").wantTo(s, "/")
	b.open("/.auth/me").want(http.StatusOK, "A browser", "Firefox").wantNo("<script", "alert(1)", "onerror", "{{", "xxxx", "\u202e", "evil")
	for _, one := range b.mine() {
		if name := one["browser"].(string); len(name) > 64 || strings.ContainsAny(name, "<>\"'&") {
			t.Errorf("got the browser %q", name)
		}
	}
}

func TestBrowserNames(t *testing.T) {
	for agent, want := range map[string]string{
		"": "", "Mozilla/5.0": "", "curl/8.11.0": "curl", "QGIS/3.40": "QGIS", "/": "", "a b/1": "", "git": "git",
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                                "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36":                       "Chrome on Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0":         "Edge on Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Safari/605.1.15":                 "Safari on macOS",
		"Mozilla/5.0 (Linux; Android 16; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36":                       "Chrome on Android",
		"Mozilla/5.0 (iPad; CPU OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0 Mobile/15E148 Safari/604.1":         "Chrome on iPad",
		"Mozilla/5.0 (Android 16; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0":                                                                  "Firefox on Android",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) QtWebEngine/6.10.0 Chrome/134.0.0.0 Safari/537.36 Falkon/25.08": "Falkon on Linux",
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36":                        "Chrome on ChromeOS",
		"Mozilla/5.0 (X11; Linux x86_64)": "Linux",
		"Mozilla/5.0 (Linux; Android 15; SAMSUNG SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36": "Samsung Internet on Android",
		strings.Repeat(" ", 600) + "Firefox/140.0": "",
	} {
		if got := browserName(agent); got != want {
			t.Errorf("%.60q: got %q, want %q", agent, got, want)
		}
	}
}

func TestAddresses(t *testing.T) {
	for peer, want := range map[string]string{
		"192.0.2.7:4711": "192.0.2.7", "192.0.2.7": "192.0.2.7", "[2001:db8::1]:4711": "2001:db8::1", "2001:db8::1": "2001:db8::1", "[::ffff:192.0.2.7]:1": "192.0.2.7",
		"[fe80::1%eth0]:1": "fe80::1", "": "", "@": "", "unix": "", "<script>": "",
	} {
		if got := addressOf(&http.Request{RemoteAddr: peer}); got != want {
			t.Errorf("%q: got %q, want %q", peer, got, want)
		}
	}
}
