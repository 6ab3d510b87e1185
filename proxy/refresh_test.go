package proxy

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// refreshing is a proxy whose sessions are set again with every answer that may do so,
// before an application that sets the headers that the query names. It counts how often
// that was asked for.
func refreshing(t *testing.T) (*house, *atomic.Int32) {
	t.Helper()
	asked := new(atomic.Int32)
	h := application(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range r.URL.Query() {
			w.Header()[name] = values
		}
		w.Header().Add("Set-Cookie", "app=1")
		w.Header().Add("Set-Cookie", cookieName+"=forged")
	}), func(c *Config) {
		c.ForwardAuth, c.Trusted = ForwardAuthXForwarded, Trusted{Networks: prefixes("127.0.0.0/8")}
		c.Refresh = func(h http.Header, r *http.Request) {
			asked.Add(1)
			if r.Host != publicHost || !strings.Contains(r.Header.Get("Cookie"), cookieName) {
				t.Errorf("asked about the host %q and the cookies %q", r.Host, r.Header["Cookie"])
			}
			h.Add("Set-Cookie", cookieName+"=again")
			h.Add("Set-Cookie", cookieName+".1=again")
		}
	})
	return h, asked
}

const navigates = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Site: same-origin"

func TestAPageSetsTheSessionAgain(t *testing.T) {
	h, _ := refreshing(t)
	res := h.get(t, "/private/x", asJane, navigates)
	want := []string{"app=1", cookieName + "=again", cookieName + ".1=again"}
	if got := res.Header["Set-Cookie"]; res.StatusCode != http.StatusOK || !slices.Equal(got, want) {
		t.Errorf("got %d and the cookies %q, want %q", res.StatusCode, got, want)
	}
	if got := res.Header["Cache-Control"]; !slices.Equal(got, []string{"private"}) {
		t.Errorf("Cache-Control: got %q, want private", got)
	}
}

// TestNothingButAPageSetsTheSessionAgain: not what programs and scripts ask for, what
// needs no session, what is refused, nor what a front proxy asks.
func TestNothingButAPageSetsTheSessionAgain(t *testing.T) {
	h, asked := refreshing(t)
	question := questionOf("GET", publicHost, "/private/x", asJane, navigates)
	for name, res := range map[string]*rawAnswer{
		"a script":          h.get(t, "/private/x", asJane, "Sec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty"),
		"a program":         h.get(t, "/private/x", asJane),
		"a form":            h.send(t, "POST", "/private/x", asJane, navigates, "Content-Length: 0"),
		"a bearer token":    h.get(t, "/private/x", asJane, "Authorization: Bearer jane", "Accept: text/html"),
		"Basic":             h.get(t, "/private/x", asJane, "Authorization: Basic eDp5", "Accept: text/html"),
		"a public route":    h.get(t, "/x", asJane, navigates),
		"somebody else":     h.get(t, "/private/x", "Cookie: "+cookieName+"=joe", navigates),
		"nobody":            h.get(t, "/private/x", navigates),
		"our own page":      h.get(t, "/.auth/me", asJane, navigates),
		"a front proxy":     h.get(t, "/.auth/check", question...),
		"a front proxy, id": h.get(t, "/.auth/check?redirect=true", question...),
	} {
		if got := strings.Join(res.Header["Set-Cookie"], " "); strings.Contains(got, cookieName) || asked.Load() != 0 {
			t.Errorf("%s: got the cookies %q, asked %d times", name, got, asked.Load())
		}
	}
}

// TestNoCacheHandsASessionToOthers: an answer that caches may give to anybody has no
// session in it, and one that has says that it is for one person.
func TestNoCacheHandsASessionToOthers(t *testing.T) {
	h, _ := refreshing(t)
	for query, want := range map[string]string{
		"Cache-Control=public,+max-age=60":              "",
		"Cache-Control=PUBLIC":                          "",
		"Cache-Control=max-age%3D1,s-maxage%3D60":       "",
		"Cdn-Cache-Control=max-age%3D60":                "",
		"Surrogate-Control=max-age%3D60":                "",
		"Cache-Control=private":                         "private",
		"Cache-Control=no-store":                        "no-store",
		"Cache-Control=max-age%3D60":                    "max-age=60, private",
		"Cache-Control=no-cache":                        "no-cache, private",
		"Expires=Thu,+26+Nov+2036+00:00:00+GMT":         "private",
		"Cache-Control=community%3D%22public%22":        `community="public", private`,
		"Cache-Control=no-cache&Cache-Control=no-store": "no-cache, no-store",
	} {
		res := h.get(t, "/private/x?"+query, asJane, navigates)
		set := strings.Contains(strings.Join(res.Header["Set-Cookie"], " "), cookieName)
		if got := strings.Join(res.Header["Cache-Control"], ", "); set != (want != "") || set && got != want {
			t.Errorf("%s: the session is set: %t, Cache-Control %q, want %q", query, set, got, want)
		}
	}
}
