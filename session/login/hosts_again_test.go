package login

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/devprovider"
)

// toCode follows redirects until a code is about to be shown, and returns its address and
// the one of the provider on the way, nil if nobody was led there.
func (b *browser) toCode(p *page) (accept, provider *url.URL) {
	b.t.Helper()
	for range 10 {
		b.s.listen(p)
		to := p.next()
		switch {
		case to == nil:
			b.t.Fatalf("%s: got %d\n%s", p.request, p.status, p.body)
		case to.Path == "/.auth/accept":
			return to, provider
		case strings.HasPrefix(to.String(), b.s.idp.Issuer()):
			provider = to
		}
		p = b.goOn(p)
	}
	b.t.Fatal("no code in sight")
	return nil, nil
}

// TestSessionsOnOtherHostsAreRenewedWithoutAQuestion as on public_url's.
func TestSessionsOnOtherHostsAreRenewedWithoutAQuestion(t *testing.T) {
	s := newHosts(t, func(set *setup) { set.store.Renewer, set.store.Recheck = tokenless{}, 10*time.Minute })
	b := s.browser()
	b.take(b.arrive(wikiHost, "/")).wantTaken(wikiHost, "/")
	b.take(b.arrive(docsHost, "/")).wantTaken(docsHost, "/")
	s.clock.Advance(10 * time.Minute)
	if b.meAt(wikiHost) != "" {
		t.Fatal("the session was not to be checked any more")
	}
	accept, provider := b.toCode(b.open(wikiHost + "/.auth/sign-in?return_to=/graph"))
	if provider == nil || provider.Query().Get("prompt") != "none" {
		t.Errorf("the provider was asked %v, want prompt=none", provider)
	}
	b.take(accept).wantTaken(wikiHost, "/graph")
	// The others have the cookie of a session that this one has taken the place of.
	accept, provider = b.toCode(b.open(docsHost + "/.auth/sign-in?return_to=/y"))
	if provider != nil {
		t.Errorf("the provider was asked again: %v", provider)
	}
	b.take(accept).wantTaken(docsHost, "/y")
	if b.meAt(wikiHost) != "ada" || b.meAt(docsHost) != "ada" {
		t.Error("not everywhere signed in")
	}
}

// TestASilentSignInThatFailsOnAnotherHost asks the ordinary way and leads there all the
// same.
func TestASilentSignInThatFailsOnAnotherHost(t *testing.T) {
	s := newHosts(t, func(set *setup) { set.store.Renewer, set.store.Recheck = tokenless{}, 10*time.Minute })
	b := s.browser()
	b.take(b.arrive(wikiHost, "/")).wantTaken(wikiHost, "/")
	s.clock.Advance(10 * time.Minute)
	real := s.idp.Real(devprovider.Authorization)
	s.idp.Override(devprovider.Authorization, func(w http.ResponseWriter, r *http.Request) {
		if r.Form.Get("prompt") != "none" {
			real(w, r)
			return
		}
		q := url.Values{"error": {"login_required"}, "state": {r.Form.Get("state")}}
		http.Redirect(w, r, r.Form.Get("redirect_uri")+"?"+q.Encode(), http.StatusFound)
	})
	accept, provider := b.toCode(b.open(wikiHost + "/.auth/sign-in?return_to=/graph"))
	if provider == nil || provider.Query().Has("prompt") {
		t.Errorf("the provider was asked %v at last, want no prompt", provider)
	}
	b.take(accept).wantTaken(wikiHost, "/graph")
}

// TestMySessionsFromAnotherHost: there is one, whichever host it is looked at from, and
// others can be ended from there.
func TestMySessionsFromAnotherHost(t *testing.T) {
	s := newHosts(t)
	b, phone := s.browser(), s.browser()
	for _, one := range []*browser{b, phone} {
		one.take(one.arrive(wikiHost, "/")).wantTaken(wikiHost, "/")
	}
	list := func(host string) (sessions []any, current int) {
		sessions, _ = b.open(host+"/.auth/me", "Accept: application/json", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty").want(http.StatusOK).object()["sessions"].([]any)
		for _, one := range sessions {
			if one.(map[string]any)["current"] == true {
				current++
			}
		}
		return sessions, current
	}
	for _, host := range []string{wikiHost, idHost} {
		if got, current := list(host); len(got) != 2 || current != 1 {
			t.Errorf("%s: got %d sessions, %d of them this one; want 2 and 1", host, len(got), current)
		}
	}
	end := func(from string) *page {
		return b.submit(http.MethodPost, wikiHost+"/.auth/sessions/end", url.Values{"all": {"true"}}, "Origin: "+from, "Sec-Fetch-Site: "+map[bool]string{true: "same-origin", false: "cross-site"}[from == wikiHost])
	}
	end(docsHost).want(http.StatusForbidden)
	if phone.meAt(wikiHost) != "ada" {
		t.Fatal("another host's page has ended it")
	}
	end(wikiHost).want(http.StatusSeeOther)
	if b.meAt(wikiHost) != "ada" || b.meAt(idHost) != "ada" || phone.meAt(wikiHost) != "" || phone.meAt(idHost) != "" {
		t.Error("not the others were ended")
	}
}

// TestAFormOfAnotherHost survives its session, on its host and on no other.
func TestAFormOfAnotherHost(t *testing.T) {
	s := newHosts(t)
	s.Parking = s.store
	b := s.browser()
	for _, host := range []string{wikiHost, docsHost} {
		b.take(b.arrive(host, "/")).wantTaken(host, "/")
	}
	s.clock.Advance(2 * time.Hour)
	r, err := http.NewRequest(http.MethodPost, wikiHost+"/pages/save", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", urlencoded)
	for _, c := range b.cookiesAt(wikiHost) {
		r.AddCookie(c)
	}
	to, err := s.KeepForm(r, []byte("text=what+was+typed"), "/pages/save")
	if err != nil || to == "" {
		t.Fatalf("got %q, %v", to, err)
	}
	s.secret(strings.TrimPrefix(to, "/.auth/resend?form="))
	b.take(b.arrive(wikiHost, to)).wantTaken(wikiHost, to)
	b.open(wikiHost+to).want(http.StatusOK, `action="/pages/save"`, "what was typed")
	// The same person, whom another host's page has led to what was meant for this one.
	b.take(b.arrive(docsHost, "/")).wantTaken(docsHost, "/")
	for _, host := range []string{docsHost, idHost} {
		b.open(host+to).want(http.StatusNotFound, "not kept any more").wantNo("what was typed")
	}
}

// TestSteppingUpOnAnotherHost: who is known, but not as strongly as a page there needs,
// goes to the provider and comes back with more; and nobody goes round in circles.
func TestSteppingUpOnAnotherHost(t *testing.T) {
	s := newHosts(t)
	b := s.browser()
	b.take(b.arrive(wikiHost, "/")).wantTaken(wikiHost, "/")
	s.says(map[string]any{"acr": "gold"})
	accept, provider := b.toCode(b.open(wikiHost + "/.auth/sign-in?return_to=/admin&acr_values=gold"))
	if provider == nil || provider.Query().Get("acr_values") != "gold" {
		t.Fatalf("the provider was asked %v, want acr_values=gold", provider)
	}
	b.take(accept).wantTaken(wikiHost, "/admin")
	// It refuses that, too: there is nothing more to bring.
	b.open(wikiHost+"/.auth/sign-in?return_to=/admin&acr_values=gold").want(http.StatusForbidden, "does not help", `href="`+wikiHost+`/admin"`)

	// Another host has the session of before, and public_url's the stronger one already.
	b.take(b.arrive(docsHost, "/")).wantTaken(docsHost, "/")
	weak := s.browser()
	s.says(map[string]any{"acr": "silver"})
	weak.take(weak.arrive(docsHost, "/")).wantTaken(docsHost, "/")
	mixed := b.copied(idHost)
	u, _ := url.Parse(docsHost)
	mixed.client.Jar.SetCookies(u, weak.cookiesAt(docsHost))
	accept, provider = mixed.toCode(mixed.open(docsHost + "/.auth/sign-in?return_to=/admin&acr_values=gold"))
	if provider != nil {
		t.Errorf("the provider was asked %v, want nobody asked", provider)
	}
	mixed.take(accept).wantTaken(docsHost, "/admin")
	mixed.open(docsHost+"/.auth/sign-in?return_to=/admin&acr_values=gold").want(http.StatusForbidden, "does not help")
}

// TestTheButtonForSigningOutWorksOnAnotherHost: its redirects lead over the provider to
// public_url's host, which the page's policy has to allow. Positive twin: nobody else.
func TestTheButtonForSigningOutWorksOnAnotherHost(t *testing.T) {
	s := newHosts(t)
	b := s.browser()
	b.take(b.arrive(wikiHost, "/")).wantTaken(wikiHost, "/")
	for _, page := range []string{"/.auth/sign-out", "/.auth/me"} {
		csp := b.open(wikiHost + page).want(http.StatusOK).header.Get("Content-Security-Policy")
		if want := "form-action 'self' " + idHost + " " + s.idp.Issuer() + ";"; !strings.Contains(csp, want) {
			t.Errorf("%s: got %q, want %q", page, csp, want)
		}
	}
	p := b.send(http.MethodPost, wikiHost+"/.auth/sign-out", "Origin: "+wikiHost, "Sec-Fetch-Site: same-origin").want(http.StatusSeeOther)
	to := p.location()
	if !strings.HasPrefix(to.String(), s.idp.Issuer()) || to.Query().Get("post_logout_redirect_uri") != idHost+"/.auth/sign-out" {
		t.Fatalf("leads to %v, want the provider", to)
	}
	b.follow(b.follow(p)).want(http.StatusOK, "You are signed out")
}

// dismissed is sessions of a provider that is not configured any more.
type dismissed struct{ Sessions }

func (dismissed) Identify(*http.Request) (*session.Identity, error) {
	return nil, session.Reject(session.ReasonSessionEnded, "The place where you signed in is not used here any more.", nil)
}

// TestWhoIsNobodyHereIsNotHandedOver: the other host would send them back at once.
func TestWhoIsNobodyHereIsNotHandedOver(t *testing.T) {
	s := newHosts(t)
	b := s.browser()
	b.take(b.arrive(wikiHost, "/")).wantTaken(wikiHost, "/")
	s.Sessions = dismissed{s.store}
	if _, provider := b.toCode(b.open(docsHost + "/.auth/sign-in?return_to=/y")); provider == nil {
		t.Error("nobody was asked to sign in")
	}
}
