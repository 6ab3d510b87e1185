package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// asBrowsersGo prepares a site with an application, and starts it.
func asBrowsersGo(t *testing.T, setup setup) (*site, *application) {
	t.Helper()
	need(t, chromium)
	s, app := setup.site(t), newApplication(t)
	s.Recorder = app.url
	return s.start(), app
}

// TestSigningInByClicking leads to the page that was asked for; going back, reloading and
// old tabs do no harm.
func TestSigningInByClicking(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		s, _ := asBrowsersGo(t, setup)
		w, alice := newWindow(t), people()["alice"]
		b := w.tab()
		wanted := s.url + "/recorder/a%20page?x=1&y=a%2Fb&x=2"
		b.open(wanted)
		b.signIn(s.idp, alice)
		b.arrive(wanted)
		b.wantText("alice: GET /recorder/a%20page?x=1&y=a%2Fb&x=2")
		b.wantNoStepsInHistory()

		// Somebody reloads the address that signed them in, or finds it in their history.
		asked := b.asked()
		i := slices.IndexFunc(asked, func(u string) bool { return strings.HasPrefix(u, s.url+"/.auth/callback/invent?") })
		if i < 0 {
			t.Fatalf("no callback among %q", asked)
		}
		s.leaks.add(mustParse(t, asked[i]).Query().Get("code"), mustParse(t, asked[i]).Query().Get("state"))
		for range 2 {
			b.open(asked[i])
			b.wantText("Signing in did not work", "You are signed in already", "Go on")
			b.do(chromedp.Reload())
		}
		b.press("Go on")
		b.until(fmt.Sprintf(`location.origin === %q && location.pathname === "/"`, s.url))

		// Back, past our own redirects, which are no pages to come back to, to the provider.
		other := w.tab()
		other.open(s.url + "/recorder/there")
		other.arrive(s.url + "/recorder/there") // signed in already
		other.open(wanted)
		eval[bool](other, `history.back() === undefined`)
		other.arrive(s.url + "/recorder/there")
		other.do(chromedp.Reload())
		other.wantText("alice: GET /recorder/there")
	})
}

// TestTheFragmentIsKeptWhereNobodyIsAsked: a fragment never reaches a server. Browsers
// carry it along redirects, so it is there in the end unless a form was filled in.
func TestTheFragmentIsKeptWhereNobodyIsAsked(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		need(t, chromium)
		s := setup.site(t)
		s.Recorder, s.Session = newApplication(t).url, "{idle: 2s}"
		s.start()
		b := newWindow(t).tab()
		b.open(s.url + "/recorder/")
		b.signIn(s.idp, people()["alice"])
		b.arrive(s.url + "/recorder/")
		time.Sleep(2100 * time.Millisecond) // the session ends, the provider remembers
		wanted := s.url + "/recorder/page?a=b#part-2"
		b.open(wanted)
		b.arrive(wanted)
		if asked := b.asked(); !strings.HasPrefix(asked[len(asked)-2], s.url+"/.auth/callback/invent?") {
			t.Errorf("got there by %q, want the provider to be asked again", asked)
		}
	})
}

// TestTwoTabsOfABrowserSignInAtOnce: each ends where it was to end.
func TestTwoTabsOfABrowserSignInAtOnce(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		s, _ := asBrowsersGo(t, setup)
		w, alice := newWindow(t), people()["alice"]
		first, second := w.tab(), w.tab()
		first.open(s.url + "/recorder/first")
		second.open(s.url + "/recorder/second")
		second.signIn(s.idp, alice)
		second.arrive(s.url + "/recorder/second")
		// What the first tab shows is of before the provider knew who this is; whether that
		// form is still good is the provider's affair. Its request is.
		asked := first.asked()
		i := slices.IndexFunc(asked, func(u string) bool { return strings.HasPrefix(u, s.idp.issuer+s.idp.authorizePath+"?") })
		if i < 0 {
			t.Fatalf("the provider is not among %q", asked)
		}
		first.open(asked[i])
		first.arrive(s.url + "/recorder/first")
		first.wantText("alice: GET /recorder/first")
	})
}

// TestAFormSurvivesAnEndedSession in a browser, which sends it again by a click and not by itself.
func TestAFormSurvivesAnEndedSession(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		need(t, chromium)
		s, app := setup.site(t), newApplication(t)
		s.Recorder, s.Session = app.url, "{idle: 3s}"
		s.start()
		b, alice := newWindow(t).tab(), people()["alice"]
		b.open(s.url + "/recorder/draft?id=7")
		b.signIn(s.idp, alice)
		b.arrive(s.url + "/recorder/draft?id=7")
		const typed = `Größe <b> & "Maß" ` + "\U0001f511"
		b.fill("text", typed)
		time.Sleep(3100 * time.Millisecond)
		b.press("Save")
		b.until(`document.querySelector("h1").textContent === "Please sign in again"`)
		b.wantText("is kept for a quarter of an hour")
		b.wantGoodLooks("form kept")
		b.press("Sign in")
		b.until(`document.querySelector("h1").textContent === "Send it again?"`)
		resend := b.address()
		if n := app.saved.Load(); n != 0 {
			t.Errorf("the form was sent %d times before anybody said so", n)
		}
		b.wantText("/recorder/draft")
		b.press("Send it now")
		b.arrive(s.url + "/recorder/draft?id=7")
		b.wantText("alice: POST /recorder/draft?id=7", "text is "+typed)
		if n := app.saved.Load(); n != 1 {
			t.Errorf("the form was sent %d times, want once", n)
		}
		b.open(resend)
		b.wantGoodLooks("send again")
	})
}

// TestNothingOfASessionIsShownByGoingBack after signing out: the next one at the desk is
// somebody else.
func TestNothingOfASessionIsShownByGoingBack(t *testing.T) {
	t.Parallel()
	s, _ := asBrowsersGo(t, setups[0])
	b := newWindow(t).tab()
	b.open(s.url + "/recorder/")
	b.signIn(s.idp, people()["alice"])
	b.arrive(s.url + "/recorder/")
	b.open(s.url + "/.auth/me")
	b.wantText("You are alice", "teams/kde-developers")
	b.press("Sign out")
	b.until(`document.body.innerText.includes("You are signed out")`)
	eval[bool](b, `history.back() === undefined`)
	b.until(fmt.Sprintf(`location.href === %q && document.body.innerText.includes("Nobody is signed in")`, s.url+"/.auth/me"))
}

// TestAScriptIsToldThatTheSessionHasEnded, and is not led to a page that it cannot use.
func TestAScriptIsToldThatTheSessionHasEnded(t *testing.T) {
	t.Parallel()
	s, app := asBrowsersGo(t, setups[0])
	w := newWindow(t)
	b, other := w.tab(), w.tab()
	b.open(s.url + "/recorder/")
	b.signIn(s.idp, people()["alice"])
	b.arrive(s.url + "/recorder/")
	other.signOut(s.url)

	b.expect("a status of 401")
	const fetched = `(async () => {
		const a = await fetch("/recorder/api", {method: %q, redirect: "manual"});
		return [a.status, a.type, a.headers.get("Content-Type"), (await a.json()).code].join(" ");
	})()`
	const asked = `new Promise(done => {
		const x = new XMLHttpRequest();
		x.onloadend = () => done([x.status, x.responseURL === location.origin + "/recorder/api" ? "basic" : x.responseURL, x.getResponseHeader("Content-Type"), JSON.parse(x.response).code].join(" "));
		x.open(%q, "/recorder/api");
		x.send();
	})`
	for _, script := range []string{fetched, asked} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			const want = "401 basic application/problem+json no-credentials"
			if got := eval[string](b, fmt.Sprintf(script, method)); got != want {
				t.Errorf("%s by %.20q: got %s, want %s", method, script, got, want)
			}
		}
	}
	if app.saved.Load() != 0 {
		t.Error("a request without a session arrived")
	}
	b.do(chromedp.Reload()) // a page, however, is to sign in again
	if got := b.address(); !strings.HasPrefix(got, s.idp.issuer) && got != s.url+"/recorder/" {
		t.Errorf("reloading leads to %s", got)
	}
}

// TestAFormOfAnotherSiteEndsNoSession: signing somebody out, or ending their other
// sessions, takes a click on a page of ours.
func TestAFormOfAnotherSiteEndsNoSession(t *testing.T) {
	t.Parallel()
	s, _ := asBrowsersGo(t, setups[0])
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!DOCTYPE html><title>Win</title><link rel="icon" href="data:,"><form method="post" action=%q><input type="hidden" name="all" value="true"><button>Win a prize</button></form>`, r.URL.Query().Get("to"))
	}))
	t.Cleanup(evil.Close)
	// The same machine by a name of its own, and by one of the site's: another port is
	// the same site to browsers, so the cookie is sent.
	sibling := strings.Replace(evil.URL, "127.0.0.1", "localhost", 1)

	alice := people()["alice"]
	b, elsewhere := newWindow(t).tab(), newWindow(t).tab()
	for _, each := range []*tab{b, elsewhere} {
		each.open(s.url + "/recorder/")
		each.signIn(s.idp, alice)
		each.arrive(s.url + "/recorder/")
	}
	for _, attacker := range []string{evil.URL, sibling} {
		for _, target := range []string{"/.auth/sign-out", "/.auth/sessions/end"} {
			b.open(attacker + "/?to=" + url.QueryEscape(s.url+target))
			b.press("Win a prize")
			b.until(fmt.Sprintf(`location.href.startsWith(%q) && document.readyState === "complete"`, s.url+target))
			for _, each := range []*tab{b, elsewhere} {
				each.open(s.url + "/recorder/")
				each.wantText("alice: GET /recorder/")
			}
		}
	}

	// The same forms on pages of ours do what they say.
	b.open(s.url + "/.auth/me")
	b.press("End all other sessions")
	b.until(`document.readyState === "complete" && !document.body.innerText.includes("End all other sessions")`)
	elsewhere.expect("a status of 401")
	if got := eval[int](elsewhere, `fetch("/recorder/").then(a => a.status)`); got != http.StatusUnauthorized {
		t.Errorf("the ended session: got %d, want 401", got)
	}
	b.open(s.url + "/recorder/")
	b.wantText("alice: GET /recorder/")
	b.signOut(s.url)
	b.open(s.url + "/.auth/me")
	b.wantText("Nobody is signed in")
}

// wantNoStepsInHistory fails the test where going back leads to a page of ours that
// leads on by itself: nobody gets past such a one.
func (b *tab) wantNoStepsInHistory() {
	b.t.Helper()
	history, err := chromedp.Run(b.ctx, chromedp.NavigationEntries())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, entry := range history.Entries {
		if strings.Contains(entry.URL, "/.auth/") {
			b.t.Errorf("the history has %s", entry.URL)
		}
	}
}
