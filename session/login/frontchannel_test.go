package login

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// frame is what a page of the provider has the browser load in a frame.
func (b *browser) frame(params ...string) *page {
	b.t.Helper()
	q := url.Values{}
	for i := 0; i+1 < len(params); i += 2 {
		q.Add(params[i], params[i+1])
	}
	return b.open("/.auth/frontchannel-logout/invent?"+q.Encode(), "Sec-Fetch-Site: cross-site", "Sec-Fetch-Dest: iframe")
}

// TestAFrameOfTheProviderEndsTheLogin is rp-frontchannel-rpinitlogout and
// rp-frontchannel-opinitlogout, with the cookie that same-site browsers send along and
// without it, as SameSite=Lax has it across sites.
func TestAFrameOfTheProviderEndsTheLogin(t *testing.T) {
	for name, withCookie := range map[string]bool{"with the cookie": true, "without the cookie": false} {
		t.Run(name, func(t *testing.T) {
			var tokens forgotten
			s := newSite(t, func(set *setup) { set.config.Tokens = &tokens })
			b, phone := s.browser(), s.browser()
			b.signIn("/").wantTo(s, "/")
			phone.signIn("/").wantTo(s, "/")
			thief := s.browser()
			thief.put(b.session().Name, b.session().Value)
			framed := s.browser()
			if withCookie {
				framed = b
			}
			p := framed.frame("iss", s.idp.Issuer(), "sid", b.sid()).want(http.StatusOK, "Signed out")
			if b.me() != "" || thief.me() != "" {
				t.Error("the session is still good")
			}
			if withCookie && b.session() != nil {
				t.Error("the cookie is still there")
			}
			if phone.me() != "ada" {
				t.Error("another login was ended too")
			}
			csp := p.header.Get("Content-Security-Policy")
			if !strings.Contains(csp, "frame-ancestors "+s.idp.Issuer()+" ") || strings.Contains(csp, "*") || p.header.Get("X-Frame-Options") != "" {
				t.Errorf("the page may be framed by others, or not by the provider: %q", csp)
			}
			if p.header.Get("Content-Type") != "text/html; charset=utf-8" || strings.Contains(p.body, "<script") {
				t.Errorf("got a %s\n%s", p.header.Get("Content-Type"), p.body)
			}
			if got := s.idp.Calls(devprovider.Revocation); got != 0 {
				t.Errorf("tokens were revoked %d times though nobody has proved anything", got)
			}
		})
	}
}

// TestAFrameThatDoesNotNameTheLoginEndsNothing: who frames this page knows neither.
func TestAFrameThatDoesNotNameTheLoginEndsNothing(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	iss, sid := s.idp.Issuer(), b.sid()
	for name, params := range map[string][]string{
		"nothing": nil, "no sid": {"iss", iss}, "no iss": {"sid", sid}, "an empty sid": {"iss", iss, "sid", ""}, "an empty iss": {"iss", "", "sid", sid},
		"another issuer": {"iss", "https://evil.example", "sid", sid}, "iss with a slash": {"iss", iss + "/", "sid", sid},
		"iss in other letters": {"iss", strings.ToUpper(iss), "sid", sid}, "sid twice": {"iss", iss, "sid", sid, "sid", "x"},
		"iss twice": {"iss", iss, "iss", iss, "sid", sid}, "a sid without end": {"iss", iss, "sid", sid + strings.Repeat("x", 5000)},
	} {
		t.Run(name, func(t *testing.T) {
			for _, each := range []*browser{b, s.browser()} {
				each.frame(params...).want(http.StatusBadRequest, "Nothing was ended").wantNo(sid)
			}
		})
	}
	for _, params := range [][]string{{"iss", iss, "sid", "x"}, {"iss", iss, "sid", strings.ToUpper(sid)}, {"iss", iss, "sid", "1"}, {"iss", iss, "sid", `"><script>alert(1)</script>`}} {
		for _, each := range []*browser{b, s.browser()} {
			each.frame(params...).want(http.StatusOK).wantNo("<script")
		}
	}
	for _, method := range []string{http.MethodHead, http.MethodPost, http.MethodPut} {
		b.send(method, "/.auth/frontchannel-logout/invent?"+url.Values{"iss": {iss}, "sid": {sid}}.Encode()).want(http.StatusMethodNotAllowed)
	}
	b.open("/.auth/frontchannel-logout/nobody?" + url.Values{"iss": {iss}, "sid": {sid}}.Encode()).want(http.StatusNotFound)
	if got := b.me(); got != "ada" {
		t.Errorf("got user %q, want ada still", got)
	}
}

// TestABrowserOfAnotherLoginEndsNothing: where the cookie comes, it must be of the login
// that ends.
func TestABrowserOfAnotherLoginEndsNothing(t *testing.T) {
	s := newSite(t)
	b, phone := s.browser(), s.browser()
	b.signIn("/").wantTo(s, "/")
	phone.signIn("/").wantTo(s, "/")
	phone.frame("iss", s.idp.Issuer(), "sid", b.sid()).want(http.StatusOK)
	if b.me() != "ada" || phone.me() != "ada" {
		t.Error("somebody was signed out")
	}
}

// TestAFrameIsToldWhenItCannotBeDone: a provider's page shows no success that is none.
func TestAFrameIsToldWhenItCannotBeDone(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("/").wantTo(s, "/")
	sid := b.sid()
	s.keep.fail(errors.New("disk on fire"))
	for _, each := range []*browser{b, s.browser()} {
		each.frame("iss", s.idp.Issuer(), "sid", sid).want(http.StatusServiceUnavailable).wantNo("Signed out")
	}
	s.keep.fail(nil)
	if got := b.me(); got != "ada" {
		t.Errorf("got user %q, want ada still", got)
	}
}
