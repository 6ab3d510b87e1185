package login

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/devprovider"
)

// TestOpenRedirect tries every hostile place where a stranger can name one: in the
// address of sign-in, in that of start, and, though it is sealed, in the attempt.
func TestOpenRedirect(t *testing.T) {
	s := newSite(t)
	places := hostilePlaces(s.origin, s.PublicURL.Host)
	if len(places) < 1000 {
		t.Fatalf("got %d places", len(places))
	}
	b := s.browser()
	// The attempt's end is what counts; the provider's part is the same for all.
	s.Sessions = noSessions{}
	s.idp.Override(devprovider.UserInfo, devprovider.Answer(http.StatusForbidden, "text/plain", ""))
	for i, place := range places {
		query := "?return_to=" + url.QueryEscape(place)
		p := s.get("/.auth/sign-in" + query)
		kept, err := url.Parse(p.Header.Get("Location"))
		if err != nil || p.StatusCode != http.StatusFound || kept.Path != "/.auth/start/invent" {
			t.Fatalf("%.200q: sign-in leads to %v", place, kept)
		}
		if err := wantHere(s.origin+kept.Query().Get("return_to"), s.origin); err != nil {
			t.Errorf("%.200q: sign-in keeps it: %v", place, err)
		}
		p = s.get("/.auth/start/invent" + query)
		a, err := s.open(p.Cookies()[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := wantHere(s.origin+a.ReturnTo, s.origin); err != nil {
			t.Errorf("%.200q: start keeps it: %v", place, err)
		}
		a.ReturnTo = place // as if it had got there
		got, err := s.ask(a.State, "invent", s.sealed(a))
		if err != nil {
			t.Fatal(err)
		}
		if err := wantHere(s.destination(got.ReturnTo), s.origin); err != nil {
			t.Errorf("%.200q: inside the attempt: %v", place, err)
		}
		if i%20 != 0 { // the whole way takes two signatures and five requests
			continue
		}
		if err := wantHere(b.signIn(place).want(http.StatusFound).header.Get("Location"), s.origin); err != nil {
			t.Errorf("%.200q: the callback leads there: %v", place, err)
		}
	}
}

// TestPlacesHereAreKept is the positive twin: path and query, byte for byte where
// they are legal.
func TestPlacesHereAreKept(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	for place, want := range map[string]string{
		"/":                                      "/",
		"/a":                                     "/a",
		"/a/":                                    "/a/",
		"/.auth/me":                              "/.auth/me",
		"/.auth/me?x":                            "/.auth/me?x",
		"/.authors":                              "/.authors",
		"/.well-known/x":                         "/.well-known/x",
		"/...":                                   "/...",
		"/..a/b..":                               "/..a/b..",
		"/a?":                                    "/a?",
		"/?a=1&b=2;c=%2f%zz&a=1":                 "/?a=1&b=2;c=%2f%zz&a=1",
		"/a?next=//evil.example":                 "/a?next=//evil.example",
		"/a?next=https://x/../y":                 "/a?next=https://x/../y",
		"/a?b?c":                                 "/a?b?c",
		"/gr%C3%B6%C3%9Fe":                       "/gr%C3%B6%C3%9Fe",
		"/größe?q=größe":                         "/gr%C3%B6%C3%9Fe?q=gr%C3%B6%C3%9Fe",
		"/a%20b?c+d%20e":                         "/a%20b?c+d%20e",
		"/a%23b%3Fc":                             "/a%23b%3Fc",
		"/a%2Fb":                                 "/a%2Fb",
		"/a b?c d":                               "/a%20b?c%20d",
		"/app?a#section":                         "/app?a",
		"/a?b\tc":                                "/a?b%09c",
		"/~u/!$&'()*+,;=:@-._":                   "/~u/!$&'()*+,;=:@-._",
		"/[a]?a[]=1":                             "/[a]?a[]=1",
		`/explore?left={"q":"a|b"}`:              "/explore?left=%7B%22q%22:%22a%7Cb%22%7D",
		`/graph?g0.expr=x{a=~"\d+"}`:             "/graph?g0.expr=x%7Ba=~%22%5Cd+%22%7D",
		"/" + strings.Repeat("x", maxReturnTo-1): "/" + strings.Repeat("x", maxReturnTo-1),
	} {
		for _, form := range []string{place, s.origin + place} {
			if got := s.returnTo(form); got != want {
				t.Errorf("%.100q: got %.100q, want %.100q", form, got, want)
			}
		}
		if len(place) < 100 {
			b.signIn(place).wantTo(s, want)
		}
	}
	// What the proxy would refuse, or what is nowhere, is not kept.
	for _, place := range []string{
		"", s.origin, "/" + strings.Repeat("x", maxReturnTo), "/" + strings.Repeat("{", maxReturnTo/2),
		"/a/%09/b", "/a%00", "/a%7f", "/a\tb", "/a%0d%0ab", "/a/./b", "/a/%2e%2E/b", "/a//b", "/a%2f%2fb", `/a\b`, "/a%5Cb", "/a%zz", "a", "?a", "#a",
	} {
		if got := s.returnTo(place); got != "/" {
			t.Errorf("%.100q: got %.100q, want /", place, got)
		}
	}
}

// TestTheFirstOfSeveralPlacesCounts, at every step the same.
func TestTheFirstOfSeveralPlacesCounts(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.open("/.auth/sign-in?return_to=/a&return_to=//evil.example").wantTo(s, "/.auth/start/invent?return_to=%2Fa")
	b.open("/.auth/sign-in?return_to=//evil.example&return_to=/a").wantTo(s, "/.auth/start/invent?return_to=%2F")
	b.open("/.auth/sign-in").wantTo(s, "/.auth/start/invent?return_to=%2F")
}

func TestThePublicOriginIsAsBrowsersWriteIt(t *testing.T) {
	for public, want := range map[string]string{
		"https://Telemetry.Example.ORG":     "https://telemetry.example.org",
		"https://telemetry.example.org:443": "https://telemetry.example.org",
		"https://telemetry.example.org:80":  "https://telemetry.example.org:80",
		"http://127.0.0.1:80":               "http://127.0.0.1",
		"http://127.0.0.1:8080":             "http://127.0.0.1:8080",
		"https://[2001:DB8::1]:443":         "https://[2001:db8::1]",
		"https://telemetry.example.org/":    "https://telemetry.example.org",
	} {
		u, err := url.Parse(public)
		if err != nil {
			t.Fatal(err)
		}
		if got := originOf(u); got != want {
			t.Errorf("%s: got %s, want %s", public, got, want)
		}
	}
}

// get asks the pages without a network between.
func (s *site) get(target string) *http.Response {
	w := httptest.NewRecorder()
	w.Header().Set("X-Request-Id", "kq3v5n7x2m4p6r8t")
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Host = s.PublicURL.Host
	s.ServeHTTP(w, r)
	return w.Result()
}

// noSessions takes everybody in and knows nobody.
type noSessions struct{}

func (noSessions) Start(http.ResponseWriter, *http.Request, *session.Record) error { return nil }
func (noSessions) End(http.ResponseWriter, *http.Request) error                    { return nil }
func (noSessions) Record(*http.Request) (*session.Record, error) {
	return nil, errors.New("not asked")
}
func (noSessions) Identify(*http.Request) (*session.Identity, error) {
	return nil, errors.New("not asked")
}
