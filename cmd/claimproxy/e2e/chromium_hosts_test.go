package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
)

// TestOneSignInForManyHostsInABrowser, over TLS, with cookies that are sent after a link
// of another site and with those that are not.
func TestOneSignInForManyHostsInABrowser(t *testing.T) {
	t.Parallel()
	need(t, chromium)
	for _, sameSite := range []network.CookieSameSite{network.CookieSameSiteLax, network.CookieSameSiteStrict} {
		t.Run(string(sameSite), func(t *testing.T) {
			t.Parallel()
			h := newHosts(t, sharedDoorkeeper(t), fmt.Sprintf("{idle: 8h, cookie: {same_site: %s}}", strings.ToLower(string(sameSite))))
			w := newWindow(t)
			wiki, chat := w.tab(), w.tab()
			wanted := h.wiki + "/pages/1?a=b"
			wiki.open(wanted)
			wiki.signIn(h.idp, people()["alice"])
			wiki.arrive(wanted)
			wiki.wantText(`"X-Forwarded-User":["alice"]`)
			wiki.wantNoStepsInHistory()

			// Nobody is asked for the other hosts.
			chat.open(h.chat + "/room")
			chat.arrive(h.chat + "/room")
			chat.open(h.url + "/recorder/")
			chat.arrive(h.url + "/recorder/")
			chat.wantNoStepsInHistory()
			for _, address := range chat.asked() {
				if strings.HasPrefix(address, h.idp.issuer) {
					t.Errorf("the provider was asked again: %s", address)
				}
			}
			w.wantHostCookies(h, sameSite)

			// A link of another site, and an address that somebody types, lead in.
			chat.open(strings.Replace(h.idp.issuer, "127.0.0.1", "elsewhere.test", 1) + "/users/sign_in")
			eval[bool](chat, fmt.Sprintf(`(() => { const a = document.createElement("a"); a.href = %q; a.textContent = "To the wiki"; document.body.prepend(a); return true; })()`, wanted))
			chat.expect("elsewhere.test")
			chat.press("To the wiki")
			chat.arrive(wanted)
			chat.wantNoStepsInHistory()

			wiki.signOut(h.wiki)
			for _, origin := range []string{h.url, h.wiki, h.chat} {
				wiki.open(origin + "/.auth/me")
				wiki.wantText("Nobody is signed in")
			}
			chat.expect("a status of 401")
			if got := eval[int](chat, `fetch("/").then(a => a.status)`); got != http.StatusUnauthorized {
				t.Errorf("after signing out on another host: got %d, want 401", got)
			}
		})
	}
}

// wantHostCookies fails the test unless each host has a session cookie of its own, which
// no script reads and no other host gets.
func (w *window) wantHostCookies(h *hosts, sameSite network.CookieSameSite) {
	w.t.Helper()
	got, err := chromedp.CallBrowser(w.ctx, storage.GetCookies, storage.GetCookiesParams{BrowserContextID: chromedp.FromContext(w.ctx).BrowserContextID})
	if err != nil {
		w.t.Fatal(err)
	}
	found := make(map[string]bool)
	for _, c := range got.Cookies {
		h.leaks.add(c.Value)
		if !strings.HasSuffix(c.Domain, ".int.example.test") {
			continue
		}
		if c.Name != "__Host-claimproxy" || !c.HTTPOnly || !c.Secure || c.Path != "/" || c.SameSite != sameSite {
			w.t.Errorf("%s has the cookie %s (HttpOnly %v, Secure %v, Path %s, SameSite %s), want __Host-claimproxy, HttpOnly, Secure, /, %s alone", c.Domain, c.Name, c.HTTPOnly, c.Secure, c.Path, c.SameSite, sameSite)
		}
		found[c.Domain] = true
	}
	for _, origin := range []string{h.url, h.wiki, h.chat} {
		if host := mustParse(w.t, origin).Hostname(); !found[host] {
			w.t.Errorf("%s has no session cookie", host)
		}
	}
}
