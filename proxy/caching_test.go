package proxy

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// caching is a proxy before an application that sets the headers that the query names.
func caching(t *testing.T, change func(*Config)) *house {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range r.URL.Query() {
			w.Header()[name] = values
		}
	}))
	t.Cleanup(app.Close)
	u, err := url.Parse(app.URL)
	if err != nil {
		t.Fatal(err)
	}
	r, up := newRules(t), &Upstream{Name: "application", URLs: []*url.URL{u}}
	return build(t, []Route{
		{Path: "/private/", SignIn: Browser | Bearer, Allow: r.of("developers"), Upstream: up},
		{Path: "/either/", SignIn: Browser | Bearer, Allow: r.of("public"), Identify: true, Upstream: up},
		{Path: "/network/", SignIn: Browser | Bearer, Allow: r.of("developers"), PublicFrom: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Upstream: up},
		{Path: "/", Allow: r.of("public"), Upstream: up},
	}, change)
}

// The attack: a cache in front is asked for what somebody with rights has just opened.
func TestAnswersForOnePersonAreNotForSharedCaches(t *testing.T) {
	h := caching(t, nil)
	for query, want := range map[string][]string{
		"": {"private"},
		"Last-Modified=Mon,+02+Nov+2026+08:00:00+GMT": {"private"},
		"Expires=Mon,+02+Nov+2099+08:00:00+GMT":       {"private"},
		"Etag=x":                                      {"private"},
		"Cache-Control=max-age=60":                    {"max-age=60", "private"},
		"Cache-Control=no-cache":                      {"no-cache", "private"},
		"Cache-Control=must-revalidate":               {"must-revalidate", "private"},
		"Cache-Control=private,max-age=60":            {"private,max-age=60"},
		"Cache-Control=max-age=60,+PRIVATE":           {"max-age=60, PRIVATE"},
		"Cache-Control=no-store":                      {"no-store"},
		"Cache-Control=public,max-age=60":             {"public,max-age=60"},
		"Cache-Control=s-maxage=60":                   {"s-maxage=60"},
		"CDN-Cache-Control=max-age=60":                nil,
		"Cache-Control=max-age=60&Vary=Accept":        {"max-age=60", "private"},
	} {
		for _, who := range []string{asJane, "Authorization: Bearer jane"} {
			res := h.get(t, "/private/x?"+query, who)
			if got := res.Header["Cache-Control"]; res.StatusCode != http.StatusOK || !slices.Equal(got, want) {
				t.Errorf("%s with %s: got %d and Cache-Control %q, want %q", query, who, res.StatusCode, got, want)
			}
		}
		if res := h.get(t, "/x?"+query, asJane); !slices.Equal(res.Header["Cache-Control"], lessPrivate(want)) {
			t.Errorf("%s on a public route: got Cache-Control %q, want it as it came", query, res.Header["Cache-Control"])
		}
	}
	if res := h.get(t, "/network/x"); !slices.Equal(res.Header["Cache-Control"], private) {
		t.Errorf("what is open to a network alone: got Cache-Control %q, want private", res.Header["Cache-Control"])
	}
}

// lessPrivate are the values but the one that was added.
func lessPrivate(values []string) []string {
	var rest []string
	for _, v := range values {
		if v != "private" {
			rest = append(rest, v)
		}
	}
	return rest
}

func TestAnswersVaryWhereCallersAreToldApart(t *testing.T) {
	h := caching(t, nil)
	for query, want := range map[string]string{
		"":                    "Cookie, Authorization",
		"Vary=Accept":         "Accept, Cookie, Authorization",
		"Vary=Accept,+cookie": "Accept, cookie, Authorization",
		"Vary=*":              "*",
	} {
		for _, line := range []string{"X-Nobody: 1", asJane} {
			res := h.get(t, "/either/x?"+query, line)
			if got := strings.Join(res.Header["Vary"], ", "); res.StatusCode != http.StatusOK || got != want {
				t.Errorf("%s with %s: got %d and Vary %q, want %q", query, line, res.StatusCode, got, want)
			}
			known := line == asJane
			if got := res.Header.Get("Cache-Control"); (got == "private") != known {
				t.Errorf("%s with %s: got Cache-Control %q", query, line, got)
			}
		}
		for _, path := range []string{"/private/x?", "/x?"} {
			if res := h.get(t, path+query, asJane); strings.Contains(res.Header.Get("Vary"), "Authorization") {
				t.Errorf("%s%s: got Vary %q, want it as it came", path, query, res.Header["Vary"])
			}
		}
	}
}

func TestHSTSIsOnEveryAnswerOverHTTPSAndNeverTwice(t *testing.T) {
	const theirs = "max-age=5"
	h := caching(t, func(c *Config) { c.HSTS = "max-age=60; includeSubDomains" })
	for _, request := range []string{"/x", "/private/x", "/.auth/me", "/closed", "/private/x?Etag=1"} {
		for _, who := range []string{"X-Nobody: 1", asJane} {
			res := h.get(t, request, who)
			if got := res.Header["Strict-Transport-Security"]; !slices.Equal(got, []string{h.config.HSTS}) {
				t.Errorf("%s with %s: got %d and Strict-Transport-Security %q", request, who, res.StatusCode, got)
			}
		}
	}
	if got := h.get(t, "/x?Strict-Transport-Security="+theirs).Header["Strict-Transport-Security"]; !slices.Equal(got, []string{theirs}) {
		t.Errorf("got %q, want the application's own alone", got)
	}
	for name, change := range map[string]func(*Config){
		"not wanted": nil,
		"plain http": func(c *Config) { c.HSTS, c.PublicURL = "max-age=60", &url.URL{Scheme: "http", Host: publicHost} },
	} {
		h := caching(t, change)
		for _, request := range []string{"/x", "/.auth/me", "/private/x"} {
			if got := h.get(t, request, asJane).Header["Strict-Transport-Security"]; got != nil {
				t.Errorf("%s, %s: got %q, want none", name, request, got)
			}
		}
	}
}
