package login

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// TestOpenRedirectToOtherHosts tries every hostile place behind the origin of another
// host of ours: whatever comes of it is on a host that a route names.
func TestOpenRedirectToOtherHosts(t *testing.T) {
	s := newHosts(t)
	ours := []string{idHost, wikiHost, docsHost, wildHost, "https://evilany.int.example.org"} // the last by the wildcard
	var places []string
	for _, origin := range []string{wikiHost, wildHost} {
		host := strings.TrimPrefix(origin, "https://")
		places = append(places, hostilePlaces(origin, host)...)
	}
	for _, place := range places {
		for _, here := range []string{"", wikiHost} {
			to := s.urlTo(s.wayTo(place, here))
			i := slices.IndexFunc(ours, func(o string) bool { return strings.HasPrefix(to, o+"/") })
			if i < 0 {
				t.Fatalf("%.200q: leads to %.200q", place, to)
			}
			if err := wantHere(to, ours[i]); err != nil {
				t.Errorf("%.200q: %v", place, err)
			}
			if u, err := url.Parse(to); err != nil || "https://"+u.Host != ours[i] || u.User != nil {
				t.Errorf("%.200q: leads to %+v, %v", place, u, err)
			}
		}
	}
}

// TestHostsThatNoRouteNames are no place to go, and nothing is sealed for them: an
// attacker who asks under a name of their own would get a session there.
func TestHostsThatNoRouteNames(t *testing.T) {
	s := newHosts(t)
	b := s.browser()
	b.signIn("/")
	_, challenge, _ := newKey()
	for _, place := range []string{
		"https://evil.example/", "https://wiki.example.net.evil.example/", "https://evilwiki.example.net/", "https://wikiXexample.net/", "https://example.net/", "https://sub.wiki.example.net/",
		// One label, and one that is a name.
		"https://int.example.org/", "https://.int.example.org/", "https://a.b.int.example.org/", "https://a..int.example.org/", "https://*.int.example.org/",
		"https://any.int.example.org.evil.example/", "https://evil.example/.int.example.org/", `https://evil.example\.int.example.org/`, "https://evil.example%2f.int.example.org/",
		"https://evil.example#.int.example.org/", "https://evil.example?.int.example.org/", "https://evil.example@any.int.example.org/", "https://any.int.example.org@evil.example/",
		"https://a%2eb.int.example.org/", "https://a%00.int.example.org/", "https://a b.int.example.org/", "https://\u0430.int.example.org/", "https://a\u3002b.int.example.org/", "https://a/.int.example.org/",
		// Another spelling, another port, another scheme.
		"https://wiki.example.net./", "https://wiki.example.net:/", "https://wiki.example.net:8443/", "https://wiki.example.net:080/", "https://wiki.example.net:80/", "https://wiki.example.net:443:443/",
		"http://wiki.example.net/", "HTTPS://wiki.example.net/", "https:/wiki.example.net/", "https:wiki.example.net/", "//wiki.example.net/", `https:\\wiki.example.net\`, " https://wiki.example.net/", "https://wiki.example.net\t/", "https://[wiki.example.net]/",
		"https://user@wiki.example.net/", "https://:@wiki.example.net/", "https://wiki.example.net@wiki.example.net/", "https://wiki.example.net?x", "https://wiki.example.net#x", `https://wiki.example.net\x`,
		"https:///wiki.example.net/", "https://", "https:///", "wiki.example.net/", "wss://wiki.example.net/", "javascript://wiki.example.net/%0aalert(1)",
	} {
		// On public_url's host nobody is led there, with whatever challenge.
		p := b.open(idHost + "/.auth/sign-in?challenge=" + challenge + "&return_to=" + url.QueryEscape(place)).want(http.StatusFound)
		if got, want := p.header.Get("Location"), idHost+"/.auth/start/invent?return_to=%2F"; got != want && !strings.Contains(place, "a/.int") {
			t.Errorf("%q: leads to %q, want %q", place, got, want)
		}
		// On another host the front page there is what is left of it.
		p = b.open(wikiHost + "/.auth/sign-in?return_to=" + url.QueryEscape(place)).want(http.StatusFound)
		if to := p.location(); to.Host != "id.example.org" || to.Query().Get("return_to") != wikiHost+"/" {
			t.Errorf("%q: from the wiki it leads to %v", place, to)
		}
	}
	// Nor does a request under such a name begin anything, or take a code.
	for _, host := range []string{"evil.example", "wiki.example.net.evil.example", "a.b.int.example.org", "int.example.org", ".int.example.org", `evil\.int.example.org`, "evil@.int.example.org", "a/.int.example.org", "[::1]", ""} {
		res := s.getAt(host, "/.auth/sign-in?return_to=/x")
		if got, want := res.Header.Get("Location"), idHost+"/.auth/sign-in?return_to=%2Fx"; got != want || len(res.Cookies()) > 0 {
			t.Errorf("Host %q: leads to %q with %v, want %q", host, got, res.Cookies(), want)
		}
		text, err := s.newCode(way{origin: "https://" + host, challenge: challenge}, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		if res := s.getAt(host, "/.auth/accept?code="+text); res.StatusCode != http.StatusNotFound {
			t.Errorf("Host %q: accept answers %d", host, res.StatusCode)
		}
	}
}

// TestPlacesOnOtherHostsAreKept is the positive twin.
func TestPlacesOnOtherHostsAreKept(t *testing.T) {
	s := newHosts(t)
	for place, want := range map[string]way{
		wikiHost:                          {wikiHost, "/", ""},
		wikiHost + "/":                    {wikiHost, "/", ""},
		wikiHost + "/a?b=c%2f&d":          {wikiHost, "/a?b=c%2f&d", ""},
		wikiHost + "/a?b#c":               {wikiHost, "/a?b", ""},
		"https://WIKI.example.NET/A":      {wikiHost, "/A", ""},
		"https://wiki.example.net:443/a":  {wikiHost, "/a", ""},
		wildHost + "/a":                   {wildHost, "/a", ""},
		"https://x-1_y.int.example.org/a": {"https://x-1_y.int.example.org", "/a", ""},
		idHost + "/a":                     {"", "/a", ""},
		"/a":                              {docsHost, "/a", ""},
		wikiHost + "/.auth/me":            {wikiHost, "/.auth/me", ""},
		wikiHost + "/.auth/sign-out":      {wikiHost, "/", ""},
		wikiHost + "//evil.example/":      {wikiHost, "/", ""},
	} {
		if got := s.wayTo(place, docsHost); got != want {
			t.Errorf("%s: got %+v, want %+v", place, got, want)
		}
	}
	// A link to public_url's sign-in may name such a place, and begins the attempt there.
	b := s.browser()
	p := b.open(idHost + "/.auth/sign-in?return_to=" + url.QueryEscape(wikiHost+"/a?b") + "&prompt=login").want(http.StatusFound)
	if got, want := p.header.Get("Location"), wikiHost+"/.auth/sign-in?prompt=select_account&return_to=%2Fa%3Fb"; got != want {
		t.Errorf("leads to %q, want %q", got, want)
	}
	// So does one host's for another.
	p = b.open(docsHost + "/.auth/sign-in?return_to=" + url.QueryEscape(wikiHost+"/a")).want(http.StatusFound)
	if got, want := p.header.Get("Location"), idHost+"/.auth/sign-in?return_to=https%3A%2F%2Fwiki.example.net%2Fa"; got != want || len(p.cookies) > 0 {
		t.Errorf("leads to %q with %v, want %q", got, p.cookies, want)
	}
	// And start, where nothing has begun yet, ends in the application, which asks.
	p = b.open(idHost + "/.auth/start/invent?return_to=" + url.QueryEscape(wikiHost+"/a"))
	p = b.open(b.comeBack(p).String(), "Sec-Fetch-Site: cross-site").want(http.StatusOK, `href="`+wikiHost+`/a"`)
	if got := p.header.Get("Refresh"); got != "0; url="+wikiHost+"/a" {
		t.Errorf("leads to %q, want %q", got, wikiHost+"/a")
	}
}

// TestOneHostInSeveralSpellings: port, case and the final dot make no other host.
func TestOneHostInSeveralSpellings(t *testing.T) {
	s := newHosts(t)
	for _, host := range []string{"wiki.example.net", "WIKI.Example.net", "wiki.example.net:443", "wiki.example.net:8443", "wiki.example.net.", "wiki.example.net.:443"} {
		res := s.getAt(host, "/.auth/sign-in?return_to=/x")
		to, err := url.Parse(res.Header.Get("Location"))
		if err != nil || to.Host != "id.example.org" || to.Query().Get("return_to") != wikiHost+"/x" || len(res.Cookies()) != 1 {
			t.Fatalf("Host %s: leads to %v with %v", host, to, res.Cookies())
		}
		a, err := s.open(res.Cookies()[0])
		if err != nil || a.Origin != wikiHost || a.State != to.Query().Get("challenge") {
			t.Errorf("Host %s: got the attempt %+v, %v", host, a, err)
		}
	}
	// The port that people use is public_url's, on every host.
	s.Handler.Origin = originsOf("https://id.example.org:8443", "https://wiki.example.net:8443")
	for authority, want := range map[string]bool{"wiki.example.net:8443": true, "wiki.example.net": false, "wiki.example.net:443": false} {
		if _, ok := s.named(authority); ok != want {
			t.Errorf("%s: got %v, want %v", authority, ok, want)
		}
	}
}

// TestARouteThatIsGone: who was on the way when the configuration changed ends at the
// front page.
func TestARouteThatIsGone(t *testing.T) {
	s := newHosts(t)
	b := s.browser()
	p := b.follow(b.follow(b.open(wikiHost + "/.auth/sign-in?return_to=/x")))
	back := b.comeBack(p)
	s.Handler.Origin = originsOf(idHost)
	p = b.open(back.String()).want(http.StatusFound)
	if got := p.header.Get("Location"); got != idHost+"/" {
		t.Errorf("leads to %q, want %q", got, idHost+"/")
	}
}

// FuzzWay: whatever is asked for, the end is on a host that is named, for url.Parse as
// for whoever reads it otherwise, and reading it again changes nothing.
func FuzzWay(f *testing.F) {
	h := fuzzed()
	h.Origin = originsOf("https://telemetry.example.org", wikiHost, "https://*.int.example.org")
	for _, place := range hostilePlaces(wikiHost, "wiki.example.net") {
		if len(place) < 200 {
			f.Add(place)
		}
	}
	f.Add(wildHost + "/a?b")
	f.Fuzz(func(t *testing.T, value string) {
		to := h.wayTo(value, "")
		end := h.urlTo(to)
		u, err := url.Parse(end)
		if err != nil || u.Scheme != "https" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
			t.Fatalf("%q: %q is %+v, %v", value, end, u, err)
		}
		label, wild := strings.CutSuffix(u.Host, ".int.example.org")
		if u.Host != "telemetry.example.org" && u.Host != "wiki.example.net" && !(wild && label != "" && strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") == "") {
			t.Fatalf("%q: leads to %q", value, end)
		}
		if err := wantHere(end, "https://"+u.Host); err != nil {
			t.Fatalf("%q: %v", value, err)
		}
		if again := h.wayTo(to.text(), ""); again != to {
			t.Fatalf("%q becomes %+v, and that %+v", value, to, again)
		}
		if again := h.checked(to); again != to {
			t.Fatalf("%q becomes %+v, and in an attempt %+v", value, to, again)
		}
	})
}
