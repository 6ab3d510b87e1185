package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

var pictures = flag.String("pictures", "", "an existing directory for a picture of each page of claimproxy's own, light and dark, wide and narrow")

const twoProviders = `
public_url: http://localhost:{{.Port}}
listen: {{.Listen}}
state_dir: {{.Dir}}/state
providers:
  - {id: invent, name: KDE Invent, issuer: "{{.Issuer}}", client_id: proxy-web, client_secret: {file: {{.Dir}}/client-secret}, color: "#1d99f3", color_dark: "#0b5c99"}
  - {id: museum, name: Municipal Museum of Contemporary Cartography, issuer: "%s", client_id: proxy-web, client_secret: {file: {{.Dir}}/client-secret}}
policies:
  developers:
    title: KDE developers
    require: groups contains any of [teams/kde-developers, teams/sysadmins]
    help: https://community.example.test/ask-for-access
    providers: [invent]
routes:
  - {path: /closed/, upstream: "{{.Recorder}}", allow: developers}
  - {path: /away/, upstream: "http://127.0.0.1:9", allow: signed-in}
  - {path: /, upstream: "{{.Recorder}}", allow: signed-in}
`

// betweenTwoProviders starts a site that people can sign in to at either of two
// providers, of which the second is returned.
func betweenTwoProviders(t *testing.T) (s *site, museum *devprovider.Server) {
	t.Helper()
	need(t, chromium)
	port := freePort(t)
	s = &site{t: t, dir: t.TempDir(), url: fmt.Sprintf("http://localhost:%d", port), Listen: loopback(port), Recorder: newApplication(t).url}
	s.Dir = s.dir
	s.write("client-secret", "proxy-web-secret")
	provider := func(id string) *devprovider.Server {
		p := devprovider.NewServer(devprovider.Options{
			People: []devprovider.Person{
				{Name: "ada", FullName: "Ada", Email: "ada.with-a-rather-long-address@mail.department.example.test", Groups: []string{
					"teams/kde-developers-emeritus", "websites/an-unusually-long-group-name-without-any-blank-in-it-that-has-to-be-broken-somewhere"}},
				{Name: "ben", Groups: []string{"teams/kde-developers"}},
			},
			Clients: []devprovider.Client{{ID: "proxy-web", Secret: "proxy-web-secret", RedirectURIs: []string{s.url + "/.auth/callback/" + id}, PostLogoutRedirectURIs: []string{s.url + "/.auth/sign-out"}}},
		})
		t.Cleanup(p.Close)
		return p
	}
	invent, museum := provider("invent"), provider("museum")
	s.idp = &idp{kind: "development provider", issuer: invent.Issuer()}
	s.Issuer = invent.Issuer()
	s.config = fmt.Sprintf(twoProviders, museum.Issuer())
	return s.start(), museum
}

// TestThePagesOfOurOwn look as they should wherever they are shown, and can be used with a
// keyboard alone. With -pictures somebody can look as well.
func TestThePagesOfOurOwn(t *testing.T) {
	t.Parallel()
	s, museum := betweenTwoProviders(t)
	b, phone := newWindow(t).tab(), newWindow(t).tab()

	b.open(s.url + "/a/page?of=mine")
	b.wantText("Choose where to sign in.", "KDE Invent", "Municipal Museum of Contemporary Cartography")
	b.wantGoodLooks("chooser")
	b.press("KDE Invent")
	b.do(click(`button[name=person][value=ada]`))
	b.arrive(s.url + "/a/page?of=mine")
	b.wantText("invent:ada: GET /a/page?of=mine")

	b.open(s.url + "/closed/")
	b.wantText("teams/kde-developers-emeritus", "https://community.example.test/ask-for-access", "KDE developers")
	b.wantGoodLooks("refused")
	b.press("Sign in as somebody else")
	b.press("KDE Invent")
	b.do(click(`button[name=person][value=ben]`))
	b.arrive(s.url + "/closed/")
	b.open(s.url + "/away/")
	b.wantGoodLooks("upstream away")
	b.open(s.url + "/.auth/nothing")
	b.wantGoodLooks("not found")
	b.open(s.url + "/.auth/callback/invent?code=1&state=2")
	b.wantGoodLooks("callback")

	// Where I am signed in, and the end of that by a click.
	phone.open(s.url + "/phone")
	phone.press("KDE Invent")
	phone.do(click(`button[name=person][value=ben]`))
	phone.arrive(s.url + "/phone")
	b.open(s.url + "/.auth/me")
	b.wantText("You are invent:ben", "Where you are signed in", "(this session)", "End all other sessions")
	b.wantGoodLooks("me")
	b.press("End")
	b.until(`!document.body.innerText.includes("End all other sessions")`)
	b.wantText("(this session)")
	phone.expect("a status of 401")
	if got := eval[int](phone, `fetch("/").then(a => a.status)`); got != 401 {
		t.Errorf("the session that was ended: got %d, want 401", got)
	}
	phone.press("Save")
	phone.until(`document.body.innerText.includes("Please sign in again")`)
	phone.open(s.url + "/.auth/me")
	phone.wantText("Nobody is signed in")
	phone.wantGoodLooks("nobody")

	b.open(s.url + "/.auth/sign-out")
	b.wantGoodLooks("sign out")
	b.press("Sign out")
	b.until(`document.body.innerText.includes("You are signed out")`)
	b.wantGoodLooks("signed out")

	museum.Close() // nobody has needed it yet, so nothing is known of it
	phone.open(s.url + "/.auth/start/museum?return_to=/phone")
	phone.wantText("Not possible right now", "Try again")
	phone.wantGoodLooks("provider away")
}

// wantGoodLooks fails the test where the page is wider than the window, where a text is
// hard to read (WCAG 2.2, 1.4.3), or where a keyboard gets about badly (2.4.3, 2.4.7), in
// the light and in the dark, on a desk and in a hand.
func (b *tab) wantGoodLooks(name string) {
	b.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		}); err != nil {
			b.t.Fatal(err)
		}
		for _, width := range []int64{1280, 375, 320} { // 320 is WCAG 2.2, 1.4.10: a desk at four times the size
			about := fmt.Sprintf("%s, %s, %d pixels wide", name, scheme, width)
			b.do(chromedp.EmulateViewport(width, 720))
			b.wantLooks(about)
			b.wantKeyboard(about)
			b.picture(fmt.Sprintf("%s-%s-%d.png", strings.ReplaceAll(name, " ", "-"), scheme, width))
		}
	}
	b.do(chromedp.ResetViewport())
}

// wantLooks reads the page as it is drawn: faults lists texts with too little contrast and
// what sticks out.
func (b *tab) wantLooks(about string) {
	b.t.Helper()
	for _, fault := range eval[[]string](b, faults) {
		b.t.Errorf("%s: %s", about, fault)
	}
}

const faults = `(() => {
	const faults = [];
	const root = document.documentElement;
	if (root.scrollWidth > root.clientWidth) faults.push("is " + root.scrollWidth + " wide in a window of " + root.clientWidth);
	const rgba = text => {
		const n = text.match(/[\d.]+/g).map(Number);
		if (text.startsWith("color(srgb ")) n.splice(0, 3, ...n.slice(0, 3).map(c => c * 255));
		return n.length === 3 ? [...n, 1] : n;
	};
	const luminance = ([r, g, b]) => { const l = c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; return .2126 * l(r) + .7152 * l(g) + .0722 * l(b); };
	const ground = e => {
		for (; e; e = e.parentElement) {
			// A provider's colour is a rectangle behind the label.
			for (const fill of e.querySelectorAll(":scope > .fill"))
				if (getComputedStyle(fill).display !== "none") return rgba(getComputedStyle(fill.firstElementChild).fill);
			const c = rgba(getComputedStyle(e).backgroundColor);
			if (c[3] === 1) return c;
		}
		return [255, 255, 255, 1];
	};
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walk.nextNode()) {
		const e = walk.currentNode.parentElement, text = walk.currentNode.textContent.trim();
		if (text === "" || !e.checkVisibility()) continue;
		const [a, b] = [luminance(rgba(getComputedStyle(e).color)), luminance(ground(e))].sort((x, y) => y - x);
		const contrast = (a + .05) / (b + .05);
		if (contrast < 4.5) faults.push(JSON.stringify(text) + " has a contrast of " + contrast.toFixed(2) + ", want 4.5");
		const range = document.createRange();
		range.selectNodeContents(walk.currentNode);
		const box = range.getBoundingClientRect();
		for (let p = e; p !== document.body; p = p.parentElement) {
			const around = p.getBoundingClientRect();
			if (getComputedStyle(p).overflowX === "auto") break; // can be scrolled to
			if (getComputedStyle(p).display !== "inline" && (box.left < around.left - 1 || box.right > around.right + 1)) { faults.push(JSON.stringify(text) + " sticks out of " + p.tagName); break; }
		}
	}
	if (document.querySelectorAll("h1").length !== 1) faults.push("does not have one h1");
	return faults;
})()`

// wantKeyboard presses Tab until the end of the page: every link and button, and what has to be scrolled, has its turn, in
// the order in which they are read, is in sight then, and shows it by a ring that is in sight too.
func (b *tab) wantKeyboard(about string) {
	b.t.Helper()
	const all = `[...document.querySelectorAll("*")].filter(e => e.checkVisibility() && (e.matches("a, button, summary, input:not([type=hidden])") ||
		getComputedStyle(e).overflowX === "auto" && e.scrollWidth > e.clientWidth))`
	// Where an element with the focus was taken away, Tab goes on from there.
	eval[bool](b, `(() => { const e = document.createElement("p"); e.tabIndex = -1; document.body.prepend(e); e.focus(); e.remove(); return true; })()`)
	for i := range eval[int](b, all+".length") {
		b.do(chromedp.KeyEvent(kb.Tab))
		var got struct {
			At              int
			Label           string
			Outline, Inside bool
		}
		state := eval[string](b, fmt.Sprintf(`(() => {
			const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
			const ring = parseFloat(style.outlineWidth) + parseFloat(style.outlineOffset);
			return JSON.stringify({at: %s.indexOf(e), label: e.textContent.trim(), outline: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2, inside: box.top >= ring && box.bottom + ring <= innerHeight});
		})()`, all))
		if err := json.Unmarshal([]byte(state), &got); err != nil {
			b.t.Fatal(err)
		}
		if got.At != i || !got.Outline || !got.Inside {
			b.t.Errorf("%s: Tab number %d is at number %d (%q), outlined %v, in sight %v", about, i+1, got.At+1, got.Label, got.Outline, got.Inside)
		}
	}
}

// picture puts a picture of the whole page, as it is with the last Tab, where somebody wants to see it.
func (b *tab) picture(name string) {
	b.t.Helper()
	if *pictures == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*pictures, name), png, 0o600); err != nil {
		b.t.Fatal(err)
	}
}
