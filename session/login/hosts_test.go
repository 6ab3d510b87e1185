package login

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// The hosts of these tests. People sign in at the first.
const (
	idHost   = "https://id.example.org"
	wikiHost = "https://wiki.example.net"
	docsHost = "https://docs.example.com"
	wildHost = "https://any.int.example.org"
)

// originsOf is what the configuration names: hosts, and "*" for one label.
func originsOf(origins ...string) func(string) string {
	return func(host string) string {
		for _, o := range origins {
			u, _ := url.Parse(o)
			name := u.Hostname()
			below, wild := strings.CutPrefix(name, "*")
			dot := strings.IndexByte(host, '.')
			if host == name || wild && dot > 0 && host[dot:] == below {
				return strings.Replace(o, name, host, 1)
			}
		}
		return ""
	}
}

// newHosts is a site on several hosts.
func newHosts(t *testing.T, change ...func(*setup)) *site {
	t.Helper()
	s := newSite(t, append([]func(*setup){func(set *setup) {
		set.tls, set.publicU = true, idHost
		set.config.Origin = originsOf(idHost, wikiHost, docsHost, "https://*.int.example.org")
	}}, change...)...)
	server := strings.TrimPrefix(s.url, "https://")
	s.url = idHost
	s.tls = &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the names are not those of the certificate
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if strings.HasSuffix(addr, ":443") {
				addr = server
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}}
	t.Cleanup(s.tls.CloseIdleConnections)
	return s
}

// arrive opens sign-in on a host and goes on until the code is about to be shown there;
// it returns the address of accept.
func (b *browser) arrive(host, path string) *url.URL {
	b.t.Helper()
	p := b.open(host + "/.auth/sign-in?return_to=" + url.QueryEscape(path))
	for range 10 {
		b.s.listen(p)
		to := p.next()
		if to == nil {
			b.t.Fatalf("%s: got %d\n%s", p.request, p.status, p.body)
		}
		if to.Path == "/.auth/accept" {
			if got := to.Scheme + "://" + to.Host; got != host {
				b.t.Fatalf("the code leads to %s, want %s", got, host)
			}
			return to
		}
		p = b.goOn(p)
	}
	b.t.Fatal("no code in sight")
	return nil
}

// next is where an answer leads: a redirect, or a page that goes on by itself.
func (p *page) next() *url.URL {
	if to, ok := strings.CutPrefix(p.header.Get("Refresh"), "0; url="); ok && p.status == http.StatusOK {
		u, err := url.Parse(to)
		if err != nil {
			p.t.Fatal(err)
		}
		return u
	}
	return p.location()
}

// goOn goes there as a browser does. What a page begins comes from its own site.
func (b *browser) goOn(p *page) *page {
	b.t.Helper()
	if p.header.Get("Refresh") != "" {
		return b.open(p.next().String(), "Sec-Fetch-Site: same-origin")
	}
	return b.follow(p)
}

// take shows a code.
func (b *browser) take(u *url.URL) *page {
	b.t.Helper()
	p := b.open(u.String(), "Sec-Fetch-Site: cross-site")
	b.s.listen(p)
	p.wantOwn()
	return p
}

// wantTaken checks that a code was good, and led to a path of its host.
func (p *page) wantTaken(host, path string) *page {
	p.t.Helper()
	if got := p.want(http.StatusFound).header.Get("Location"); got != host+path {
		p.t.Errorf("%s: leads to %q, want %q", p.request, got, host+path)
	}
	if c := p.cookie("__Host-claimproxy"); c == nil {
		p.t.Errorf("%s: sets no session cookie", p.request)
	}
	return p
}

// wantRefused checks that a code was no good, and nobody was signed in.
func (p *page) wantRefused() *page {
	p.t.Helper()
	p.want(http.StatusBadRequest)
	for _, c := range p.cookies {
		if c.Name == "__Host-claimproxy" {
			p.t.Errorf("%s: sets a session cookie", p.request)
		}
	}
	return p
}

// meAt returns the user whom the browser is signed in as on a host, or "".
func (b *browser) meAt(host string) string {
	b.t.Helper()
	p := b.open(host+"/.auth/me", "Accept: application/json", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty")
	if p.status == http.StatusUnauthorized {
		return ""
	}
	user, _ := p.want(http.StatusOK).object()["user"].(string)
	return user
}

func (b *browser) cookiesAt(host string) []*http.Cookie {
	u, _ := url.Parse(host)
	return b.client.Jar.Cookies(u)
}

// copied is another browser with the same cookies of these hosts.
func (b *browser) copied(hosts ...string) *browser {
	b.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, host := range hosts {
		u, _ := url.Parse(host)
		for _, c := range b.cookiesAt(host) {
			jar.SetCookies(u, []*http.Cookie{{Name: c.Name, Value: c.Value, Path: "/", Secure: true}})
		}
	}
	client := *b.client
	client.Jar = jar
	return &browser{b.s, b.t, &client}
}

func TestOneSignInIsGoodOnEveryHost(t *testing.T) {
	s := newHosts(t)
	b := s.browser()
	b.take(b.arrive(wikiHost, "/page?x=%2f&y")).wantTaken(wikiHost, "/page?x=%2f&y")
	if got := b.meAt(wikiHost); got != "ada" {
		t.Fatalf("on the wiki: got %q, want ada", got)
	}
	// Who is known on public_url's host is not sent to the provider again.
	s.idp.SignInAs("eve")
	for _, host := range []string{docsHost, wildHost} {
		b.take(b.arrive(host, "/")).wantTaken(host, "/")
		if got := b.meAt(host); got != "ada" {
			t.Errorf("%s: got %q, want ada", host, got)
		}
	}
	values := map[string]bool{}
	for _, host := range []string{idHost, wikiHost, docsHost, wildHost} {
		list := b.cookiesAt(host)
		if len(list) != 1 || list[0].Name != "__Host-claimproxy" || values[list[0].Value] {
			t.Errorf("%s: got the cookies %v, want one of its own, and no attempt", host, list)
		}
		values[list[0].Value] = true
	}
}

// TestTheCallbackRedirectsToNoOtherHost: the page of a provider's form may allow redirects
// to the callback's host alone, and browsers that hold them against form-action would end
// there. A page of ours goes on by itself, or by hand.
func TestTheCallbackRedirectsToNoOtherHost(t *testing.T) {
	s := newHosts(t)
	b := s.browser()
	p := b.follow(b.follow(b.open(wikiHost + "/.auth/sign-in?return_to=/x")))
	p = b.open(b.comeBack(p).String(), "Sec-Fetch-Site: cross-site").want(http.StatusOK, "You are signed in", "Go on")
	to := p.next()
	if to == nil || to.Scheme+"://"+to.Host != wikiHost || to.Path != "/.auth/accept" || !strings.Contains(p.body, `href="`+to.String()+`"`) {
		t.Fatalf("goes on to %v", to)
	}
	b.take(to).wantTaken(wikiHost, "/x")
	// On the callback's own host a redirect is allowed, and quicker.
	s.browser().signIn("/y").wantTo(s, "/y")
}

// TestSigningOutAnywhereEndsAllHosts, and copies of their cookies.
func TestSigningOutAnywhereEndsAllHosts(t *testing.T) {
	hosts := []string{idHost, wikiHost, docsHost}
	for _, at := range hosts {
		s := newHosts(t)
		b := s.browser()
		for _, host := range hosts[1:] {
			b.take(b.arrive(host, "/")).wantTaken(host, "/")
		}
		thief := b.copied(hosts...)
		b.send(http.MethodPost, at+"/.auth/sign-out", "Origin: https://evil.example", "Sec-Fetch-Site: cross-site").want(http.StatusForbidden)
		// Other hosts of ours are others, too.
		other := hosts[(slices.Index(hosts, at)+1)%len(hosts)]
		b.send(http.MethodPost, at+"/.auth/sign-out", "Origin: "+other, "Sec-Fetch-Site: cross-site").want(http.StatusForbidden)
		if b.meAt(at) != "ada" {
			t.Fatal("signed out by another site")
		}
		b.send(http.MethodPost, at+"/.auth/sign-out", "Origin: "+at, "Sec-Fetch-Site: same-origin").want(http.StatusSeeOther)
		for _, host := range hosts {
			if b.meAt(host) != "" || thief.meAt(host) != "" {
				t.Errorf("signed out at %s: still known at %s", at, host)
			}
		}
	}
}

// TestSomebodyElseFromAnotherHost: the refusal of another host offers it.
func TestSomebodyElseFromAnotherHost(t *testing.T) {
	s := newHosts(t)
	b := s.browser()
	b.take(b.arrive(wikiHost, "/"))
	p := b.follow(b.open(wikiHost + "/.auth/sign-in?return_to=/x&prompt=select_account"))
	if to := p.location(); to == nil || to.Path != "/.auth/start/invent" || to.Query().Get("prompt") != "select_account" || to.Query().Get("challenge") == "" {
		t.Fatalf("leads to %v, want the provider, asked again", to)
	}
	p = b.follow(p)
	if to := p.location(); to == nil || to.Query().Get("prompt") != "login" {
		t.Fatalf("leads to %v, want prompt=login", to)
	}
	s.idp.SignInAs("eve")
	old := b.copied(wikiHost)
	to := *p.location()
	q := to.Query()
	q.Del("prompt") // the person has answered
	to.RawQuery = q.Encode()
	p = b.follow(b.open(to.String()))
	b.take(p.next()).wantTaken(wikiHost, "/x")
	if b.meAt(wikiHost) != "eve" || b.meAt(idHost) != "eve" || old.meAt(wikiHost) != "" {
		t.Errorf("got %q, %q and %q, want eve, eve and nobody", b.meAt(wikiHost), b.meAt(idHost), old.meAt(wikiHost))
	}
}

// TestAStrictCookieMakesNoLoop: along the redirects that another site began no strict
// cookie is sent, so each host goes on by a page of its own.
func TestAStrictCookieMakesNoLoop(t *testing.T) {
	s := newHosts(t, func(set *setup) { set.config.StrictCookie, set.store.SameSite = true, http.SameSiteStrictMode })
	b := s.browser()
	b.signIn("/").want(http.StatusOK)
	// The redirect comes without the strict cookie of public_url's host.
	bare := s.browser()
	p := bare.open(wikiHost + "/.auth/sign-in?return_to=/x")
	p = bare.follow(p).want(http.StatusOK, "Go on")
	refresh, ok := strings.CutPrefix(p.header.Get("Refresh"), "0; url="+idHost+"/.auth/sign-in?")
	if !ok {
		t.Fatalf("got Refresh %q", p.header.Get("Refresh"))
	}
	// Nobody is known: on to the provider, not to this page again.
	again := idHost + "/.auth/sign-in?" + refresh
	if to := bare.open(again, "Sec-Fetch-Site: same-origin").location(); to == nil || to.Path != "/.auth/start/invent" {
		t.Errorf("leads to %v, want the provider", to)
	}
	if to := bare.open(again, "Sec-Fetch-Site: ", "Sec-Fetch-Mode: ", "Sec-Fetch-Dest: ").location(); to == nil || to.Path != "/.auth/start/invent" {
		t.Errorf("leads to %v, want the provider", to)
	}
	// Somebody is known: back, with a code, to a page that goes on.
	u, _ := url.Parse(wikiHost)
	b.client.Jar.SetCookies(u, bare.client.Jar.Cookies(u))
	p = b.open(again, "Sec-Fetch-Site: same-origin")
	s.listen(p)
	p = b.take(p.location()).want(http.StatusOK, "You are signed in")
	if got := p.header.Get("Refresh"); got != "0; url="+wikiHost+"/x" || b.meAt(wikiHost) != "ada" {
		t.Errorf("got Refresh %q, signed in as %q", got, b.meAt(wikiHost))
	}
}

// TestHostsBelowTheCookiesDomainNeedNoCode: one cookie is for all of them.
func TestHostsBelowTheCookiesDomainNeedNoCode(t *testing.T) {
	s := newSite(t, func(set *setup) {
		set.tls, set.publicU, set.store.CookieDomain = true, "https://id.int.example.org", "int.example.org"
		set.config.Origin = originsOf("https://id.int.example.org", "https://*.int.example.org", wikiHost)
	})
	ask := func(host, query string) *http.Response {
		return s.getAt(host, "/.auth/sign-in?"+query)
	}
	want := "https://id.int.example.org/.auth/sign-in?return_to=https%3A%2F%2Fwiki.int.example.org%2Fx"
	if res := ask("wiki.int.example.org", "return_to=/x"); res.Header.Get("Location") != want || len(res.Cookies()) != 0 {
		t.Errorf("leads to %q with %v, want %q", res.Header.Get("Location"), res.Cookies(), want)
	}
	res := ask("id.int.example.org", "challenge=x&return_to=https://wiki.int.example.org/x")
	if want := "https://id.int.example.org/.auth/start/invent?return_to=https%3A%2F%2Fwiki.int.example.org%2Fx"; res.Header.Get("Location") != want {
		t.Errorf("leads to %q, want %q", res.Header.Get("Location"), want)
	}
	// A challenge makes no code for a host that needs none.
	_, challenge, _ := newKey()
	if got := s.wayTo("https://wiki.int.example.org/x", ""); got.origin != "https://wiki.int.example.org" || got.path != "/x" {
		t.Errorf("got %+v", got)
	}
	if res := ask("id.int.example.org", "challenge="+challenge+"&return_to=https://wiki.int.example.org/x"); strings.Contains(res.Header.Get("Location"), "challenge") {
		t.Errorf("leads to %q, want no challenge", res.Header.Get("Location"))
	}
	// A host outside is led there and back with a code.
	if res := ask("wiki.example.net", "return_to=/x"); !strings.Contains(res.Header.Get("Location"), "challenge=") || len(res.Cookies()) != 1 {
		t.Errorf("leads to %q with %v, want an attempt", res.Header.Get("Location"), res.Cookies())
	}
}

// getAt asks the pages on a host without a network between.
func (s *site) getAt(host, target string, headers ...string) *http.Response {
	w := httptest.NewRecorder()
	w.Header().Set("X-Request-Id", "kq3v5n7x2m4p6r8t")
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Host = host
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	s.ServeHTTP(w, r)
	return w.Result()
}

// TestAStoreThatIsAwayUsesNoCodeUp: the same link works when it is back.
func TestAStoreThatIsAwayUsesNoCodeUp(t *testing.T) {
	s := newHosts(t)
	b := s.browser()
	u := b.arrive(wikiHost, "/x")
	s.keep.fail(context.DeadlineExceeded)
	b.take(u).want(http.StatusServiceUnavailable)
	p := b.follow(b.open(docsHost + "/.auth/sign-in?return_to=/y"))
	p.want(http.StatusServiceUnavailable, "Try again")
	s.keep.fail(nil)
	b.take(u).wantTaken(wikiHost, "/x")
}

// TestASessionThatEndsOnTheWay is not taken over.
func TestASessionThatEndsOnTheWay(t *testing.T) {
	s := newHosts(t)
	b := s.browser()
	u := b.arrive(wikiHost, "/x")
	b.send(http.MethodPost, idHost+"/.auth/sign-out", "Origin: "+idHost, "Sec-Fetch-Site: same-origin").want(http.StatusSeeOther)
	b.take(u).wantRefused()
	if b.meAt(wikiHost) != "" {
		t.Error("known on the wiki")
	}
}

// TestMeOnAnotherHostLeadsToItsOwnSignIn.
func TestMeOnAnotherHostLeadsToItsOwnSignIn(t *testing.T) {
	s := newHosts(t)
	p := s.browser().open(wikiHost+"/.auth/me", "Accept: application/json", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty").want(http.StatusUnauthorized)
	if got, want := p.object()["sign_in_url"], wikiHost+"/.auth/sign-in?return_to=%2F.auth%2Fme"; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestAttemptsOnAnotherHostTidyUp: as on public_url's host, a jar full of them is no
// harm.
func TestAttemptsOnAnotherHostTidyUp(t *testing.T) {
	s := newHosts(t)
	b := s.browser()
	for range 3 * maxAttempts {
		s.clock.Advance(time.Second)
		p := b.open(wikiHost + "/.auth/sign-in?return_to=/" + strings.Repeat("x", 1000)).want(http.StatusFound)
		for _, c := range p.cookies {
			if len(c.Name)+len(c.Value) > 4096 {
				t.Errorf("a cookie of %d bytes", len(c.Name)+len(c.Value))
			}
		}
	}
	if n := len(b.cookiesAt(wikiHost)); n > maxAttempts {
		t.Errorf("got %d attempts, want at most %d", n, maxAttempts)
	}
	b.take(b.arrive(wikiHost, "/x")).wantTaken(wikiHost, "/x")
}

var _ Handover = (*session.Store)(nil)
