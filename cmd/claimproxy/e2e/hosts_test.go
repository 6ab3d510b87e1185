package e2e

import (
	"crypto/tls"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// hosts is a site with several hosts, over TLS: people sign in on the first.
type hosts struct {
	*site
	wiki, chat string // the origins of two other hosts
	tls        *tls.Config
}

const manyHosts = `
  - {host: wiki.int.example.test, upstream: recorder, allow: signed-in}
  - {host: "*.int.example.test", upstream: recorder, allow: developers}
`

// newHosts starts such a site in front of a provider, with keys of session.
func newHosts(t testing.TB, p *idp, session string) *hosts {
	t.Helper()
	s := newSite(t, p)
	port := s.Port()
	h := &hosts{site: s, wiki: "https://wiki.int.example.test:" + port, chat: "https://chat.int.example.test:" + port}
	s.url = "https://telemetry.int.example.test:" + port
	p.register(t, "proxy-web", s.url+"/.auth/callback/invent")
	h.tls = &tls.Config{RootCAs: s.certificate("telemetry.int.example.test", "*.int.example.test")}
	s.Recorder, s.Session = newRecorder(t).url, session
	s.config = strings.Replace(s.config, "public_url: http://localhost:", "public_url: https://telemetry.int.example.test:", 1) + manyHosts +
		"\ntls: {cert: {{.Dir}}/cert.pem, key: {{.Dir}}/key.pem}\n"
	s.start()
	return h
}

func (h *hosts) browser() *browser {
	b := h.site.browser()
	b.client.Transport.(*http.Transport).TLSClientConfig = h.tls
	h.t.Cleanup(func() {
		for _, origin := range []string{h.wiki, h.chat} {
			for _, c := range b.cookies(origin) {
				h.leaks.add(c.Value)
			}
		}
	})
	return b
}

// through goes on until there are no more redirects, signs in at the provider where it
// is asked to, and tells which hosts it has come by.
func (b *browser) through(a *answer, p *idp, who person) (last *answer, hosts []string) {
	b.t.Helper()
	for range 30 {
		if name := a.url.Hostname(); len(hosts) == 0 || hosts[len(hosts)-1] != name {
			hosts = append(hosts, name)
		}
		to := a.location()
		switch {
		case to != nil && to.Host == mustParse(b.t, p.issuer).Host:
			a = b.atProvider(a, p, who, true)
		case to != nil:
			a = b.follow(a)
		default:
			return a, hosts
		}
	}
	b.t.Fatal("there is no end to this sign-in")
	return nil, nil
}

// TestOneSignInForManyHosts: a person signs in once, on the host whose callback is
// registered; every other host gets a cookie of its own, and signing out on one of them
// ends all.
func TestOneSignInForManyHosts(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		h := newHosts(t, setup.shared(t), "{idle: 8h}")
		alice, b := people()["alice"], h.browser()

		page, way := b.through(b.visit(h.wiki+"/pages/1?a=b"), h.idp, alice)
		arrived := page.wantStatus(t, http.StatusOK).arrival(t)
		arrived.wantHeader(t, "X-Forwarded-User", "alice")
		if page.url.String() != h.wiki+"/pages/1?a=b" || !slices.Equal(way, []string{"wiki.int.example.test", "telemetry.int.example.test", "wiki.int.example.test"}) &&
			!slices.Equal(way, []string{"wiki.int.example.test", "telemetry.int.example.test", mustParse(t, h.idp.issuer).Hostname(), "telemetry.int.example.test", "wiki.int.example.test"}) {
			t.Errorf("got to %s by %q", page.url, way)
		}
		for _, c := range b.cookies(h.wiki) {
			arrived.wantNowhere(t, c.Value)
			if !strings.HasPrefix(c.Name, "__Host-claimproxy") {
				t.Errorf("the wiki has the cookie %s, want __Host- ones alone", c.Name)
			}
		}
		// The other host asks the first one, and nobody is asked anything.
		a := b.open(h.chat + "/")
		if a.location() == nil || !strings.HasPrefix(a.location().String(), h.url+"/.auth/sign-in?") {
			t.Fatalf("the chat leads to %v, want the sign-in page of public_url", a.location())
		}
		for a.location() != nil {
			if a = b.follow(a); a.url.Host == mustParse(t, h.idp.issuer).Host {
				t.Fatal("the provider was asked again")
			}
		}
		a.wantStatus(t, http.StatusOK).arrival(t).wantHeader(t, "X-Forwarded-User", "alice")
		b.visit(h.url+"/recorder/").wantStatus(t, http.StatusOK)
		for _, origin := range []string{h.url, h.wiki, h.chat} {
			if !slices.ContainsFunc(b.cookies(origin), func(c *http.Cookie) bool { return c.Name == "__Host-claimproxy" }) {
				t.Errorf("%s has no session cookie of its own", origin)
			}
		}

		// Whoever sees the cookie of one host is nobody on the others.
		for _, c := range b.cookies(h.wiki) {
			for origin, want := range map[string]int{h.wiki: http.StatusOK, h.chat: http.StatusUnauthorized, h.url + "/recorder": http.StatusUnauthorized} {
				h.browser().fetch(http.MethodGet, origin+"/", "Cookie: "+c.Name+"="+c.Value).wantStatus(t, want)
			}
		}

		out := b.visit(h.chat+"/.auth/sign-out").wantStatus(t, http.StatusOK)
		for _, f := range out.forms() {
			b.submit(out, f, nil).wantStatus(t, http.StatusSeeOther)
		}
		for _, address := range []string{h.url + "/recorder/", h.wiki + "/", h.chat + "/"} {
			b.fetch(http.MethodGet, address).wantStatus(t, http.StatusUnauthorized)
		}
	})
}

// TestACodeForAnotherHostStolenFromTheAddressBar: whoever reads the address in somebody's
// history, log or screen has nothing, on whichever host; and nobody is led into
// somebody else's session.
func TestACodeForAnotherHostStolenFromTheAddressBar(t *testing.T) {
	t.Parallel()
	h := newHosts(t, sharedDoorkeeper(t), "{idle: 8h}")
	victim := h.browser()
	a := victim.visit(h.wiki + "/")
	for {
		if to := a.location(); to == nil {
			t.Fatalf("no code on the way; last %s: %d", a.url, a.status)
		} else if to.Path == "/.auth/accept" {
			break
		} else if to.Host == mustParse(t, h.idp.issuer).Host {
			a = victim.atProvider(a, h.idp, people()["alice"], true)
		} else {
			a = victim.follow(a)
		}
	}
	stolen := a.location()
	h.leaks.add(stolen.Query().Get("code"))

	thief := h.browser()
	thief.visit(h.wiki + "/") // an attempt of the thief's own
	elsewhere := *stolen
	elsewhere.Host = mustParse(t, h.chat).Host
	thief.visit(elsewhere.String()).wantStatus(t, http.StatusBadRequest)
	// The thief was quicker, so nobody gets in with it any more.
	thief.visit(stolen.String()).wantStatus(t, http.StatusBadRequest)
	for _, address := range []string{h.wiki + "/", h.chat + "/"} {
		thief.fetch(http.MethodGet, address).wantStatus(t, http.StatusUnauthorized)
	}
	victim.follow(a).wantStatus(t, http.StatusBadRequest)
	// Who begins again is in: nothing else was lost.
	last, _ := victim.through(victim.visit(h.wiki+"/"), h.idp, people()["alice"])
	last.wantStatus(t, http.StatusOK).arrival(t).wantHeader(t, "X-Forwarded-User", "alice")

	for _, place := range []string{"https://evil.example/", "https://wiki.int.example.test.evil.example/", "//evil.example", "https://wiki.int.example.test@evil.example/", h.wiki + "@evil.example/"} {
		a := victim.visit(h.url + "/.auth/sign-in?return_to=" + url.QueryEscape(place))
		for a.location() != nil && strings.HasSuffix(a.location().Hostname(), ".int.example.test") {
			a = victim.follow(a)
		}
		if to := a.location(); to != nil && to.Host != mustParse(t, h.idp.issuer).Host {
			t.Errorf("return_to=%s leads to %s", place, to)
		}
	}
}

// TestAFormForAnotherHostIsSentAgainThere, and on no other one.
func TestAFormForAnotherHostIsSentAgainThere(t *testing.T) {
	t.Parallel()
	h := newHosts(t, sharedDoorkeeper(t), "{idle: 2s}")
	b, alice := h.browser(), people()["alice"]
	last, _ := b.through(b.visit(h.wiki+"/"), h.idp, alice)
	last.wantStatus(t, http.StatusOK)
	place, typed := mustParse(t, h.wiki+"/pages/1?draft=1"), url.Values{"text": {"a & b"}}
	time.Sleep(2100 * time.Millisecond)
	a := b.navigate(http.MethodPost, place, typed, "same-origin", place).wantStatus(t, http.StatusUnauthorized)
	link := regexp.MustCompile(`href="([^"]*/\.auth/sign-in\?return_to=[^"]*resend[^"]*)"`).FindStringSubmatch(a.body)
	if link == nil {
		t.Fatalf("the page does not say that the form was kept:\n%s", a.body)
	}
	page, _ := b.through(b.visit(html.UnescapeString(link[1])), h.idp, alice)
	if page.url.Host != place.Host || len(page.wantStatus(t, http.StatusOK).forms()) != 1 {
		t.Fatalf("got to %s, want the page that sends the form again\n%s", page.url, page.body)
	}
	b.visit(strings.Replace(page.url.String(), h.wiki, h.url, 1)).wantStatus(t, http.StatusNotFound)
	got := b.submit(page, page.forms()[0], nil).arrival(t)
	if got.Method != http.MethodPost || got.URI != "/pages/1?draft=1" || got.Body != typed.Encode() {
		t.Errorf("the application got %s %s with %q, want the form as it was", got.Method, got.URI, got.Body)
	}
}

// TestNginxAsksOnAnotherHost: people sign in on public_url's and come back. The application
// there sees the cookie, because nobody takes it off, and can do nothing with it elsewhere.
func TestNginxAsksOnAnotherHost(t *testing.T) {
	t.Parallel()
	s, _, _ := behindNginx(t, "  - {host: [wiki.localhost, chat.localhost], allow: developers}\n")
	wiki, chat := strings.Replace(s.url, "localhost", "wiki.localhost", 1), strings.Replace(s.url, "localhost", "chat.localhost", 1)
	b, ada := s.browser(), person{Username: "ada"}
	page, way := b.through(b.visit(wiki+"/pages/1?a=b"), s.idp, ada)
	got := page.wantStatus(t, http.StatusOK).arrival(t)
	got.wantHeader(t, "X-Forwarded-User", "ada")
	if page.url.String() != wiki+"/pages/1?a=b" || !slices.Contains(way, "localhost") {
		t.Errorf("got to %s by %q", page.url, way)
	}
	cookie := strings.Join(got.Header["Cookie"], "")
	if !strings.HasPrefix(cookie, "claimproxy=") {
		t.Fatalf("the application got the cookie %q, and this test is about one that does", cookie)
	}
	s.leaks.add(strings.TrimPrefix(cookie, "claimproxy="))
	for origin, want := range map[string]int{wiki: http.StatusOK, chat: http.StatusUnauthorized, s.url: http.StatusUnauthorized} {
		s.browser().fetch(http.MethodGet, origin+"/", "Cookie: "+cookie).wantStatus(t, want)
	}
	// Nor is it carried on from there.
	a := get(t, s.url+"/.auth/sign-in?return_to="+url.QueryEscape(chat+"/"), "Accept: "+acceptPage, "Cookie: "+cookie)
	if to := a.location(); to == nil || to.Path == "/.auth/accept" {
		t.Errorf("leads to %v", to)
	}
	last, _ := b.through(b.visit(chat+"/"), s.idp, ada)
	last.wantStatus(t, http.StatusOK)
}

// TestOneCookieForADomain: with session.cookie.domain a host that knows nothing of
// claimproxy's pages is served by the same cookie, and what a sibling's page sends with
// it is refused.
func TestOneCookieForADomain(t *testing.T) {
	t.Parallel()
	h := newHosts(t, sharedDoorkeeper(t), "{cookie: {domain: int.example.test}}")
	b := h.browser()
	last, _ := b.through(b.visit(h.wiki+"/"), h.idp, people()["alice"])
	last.wantStatus(t, http.StatusOK).arrival(t).wantHeader(t, "X-Forwarded-User", "alice")
	b.visit(h.chat+"/").wantStatus(t, http.StatusOK)
	if cookies := b.cookies(h.chat); len(cookies) != 1 || cookies[0].Name != "__Secure-claimproxy" {
		t.Errorf("got the cookies %v, want __Secure-claimproxy", cookies)
	}

	for from, want := range map[string]int{h.chat: 200, h.wiki: 403, "null": 403, "https://evil.example": 403} {
		req := request(t, http.MethodPost, h.chat+"/settings", strings.NewReader("a=b"), "Content-Type: application/x-www-form-urlencoded", "Origin: "+from)
		send(t, b.client, req).wantStatus(t, want)
	}
	req := request(t, http.MethodPost, h.chat+"/settings", strings.NewReader("a=b"))
	send(t, b.client, req).wantStatus(t, http.StatusForbidden)

	out := b.visit(h.wiki+"/.auth/sign-out").wantStatus(t, http.StatusOK)
	for _, f := range out.forms() {
		b.submit(out, f, nil).wantStatus(t, http.StatusSeeOther)
	}
	b.fetch(http.MethodGet, h.chat+"/").wantStatus(t, http.StatusUnauthorized)
}
