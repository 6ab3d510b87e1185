package login

import (
	"net/url"
	"strings"
	"testing"
)

// fuzzed is a handler as far as returnTo needs one.
func fuzzed() *Handler {
	return New(Config{
		PublicURL: &url.URL{Scheme: "https", Host: "telemetry.example.org"}, Endpoints: "/.auth",
		CallbackPaths: map[string]string{"/oauth/return": "invent"},
	})
}

// FuzzReturnTo: whatever is asked for, the destination is on the public origin, for
// url.Parse as for whoever reads it otherwise, and reading it again changes nothing.
func FuzzReturnTo(f *testing.F) {
	h := fuzzed()
	for _, place := range hostilePlaces(h.origin, h.host) {
		if len(place) < 200 {
			f.Add(place)
		}
	}
	f.Add("/oauth/return")
	f.Add("/a?b=c")
	f.Fuzz(func(t *testing.T, value string) {
		place := h.returnTo(value)
		to := h.destination(place)
		if err := wantHere(to, h.origin); err != nil {
			t.Fatalf("%q: %v", value, err)
		}
		u, err := url.Parse(to)
		if err != nil || u.Scheme != "https" || u.Host != "telemetry.example.org" || u.User != nil || u.Fragment != "" {
			t.Fatalf("%q: %q is %+v, %v", value, to, u, err)
		}
		if strings.HasPrefix(u.Path, "/.auth/") && u.Path != "/.auth/me" || u.Path == "/oauth/return" {
			t.Fatalf("%q: %q leads back into the flow", value, to)
		}
		// A browser resolves it against whichever page; so does Go.
		if other := (&url.URL{Scheme: "https", Host: "evil.example"}).ResolveReference(u); other.Host != u.Host || other.Path != u.Path {
			t.Fatalf("%q: %q resolves to %q", value, to, other)
		}
		if len(place) > maxReturnTo {
			t.Fatalf("%q is %d bytes long", place, len(place))
		}
		if again := h.returnTo(place); again != place {
			t.Fatalf("%q becomes %q, and that %q", value, place, again)
		}
		if again := h.returnTo(to); again != place {
			t.Fatalf("%q becomes %q, and behind the origin %q", value, place, again)
		}
		if q, err := url.ParseQuery(strings.TrimPrefix(h.link("x", "return_to", place), "/.auth/x?")); err != nil || q.Get("return_to") != place {
			t.Fatalf("%q does not survive in a link: %v", place, err)
		}
	})
}

// FuzzReadResponse: what is accepted has a state, and either a code or an error,
// each once and of bounded length; errors quote nothing.
func FuzzReadResponse(f *testing.F) {
	for _, q := range []string{
		"", "code=c&state=s", "code=c&state=s&iss=https://invent.example.org", "error=access_denied&state=s", "code=c&code=d&state=s", "state=s&state=s&code=c",
		"code=c&state=s&iss=", "code=&error=&state=s", "CODE=c&STATE=s", "code=%zz&state=s", "code=c;state=s", "code=c&state=%00", "c%6fde=c&st%61te=s", "code=c&state=s&error=x",
	} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		got, err := readResponse(query)
		if err != nil {
			if (got != response{}) {
				t.Fatalf("%q: an error and %+v", query, got)
			}
			if len(err.Error()) > 60 {
				t.Fatalf("%q: %v", query, err)
			}
			return
		}
		if got.state == "" || (got.code == "") == (got.errorCode == "") {
			t.Fatalf("%q: got %+v", query, got)
		}
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatalf("%q: accepted, but %v", query, err)
		}
		for name, value := range map[string]string{"state": got.state, "code": got.code, "error": got.errorCode} {
			if len(q[name]) > 1 || q.Get(name) != value || len(value) > maxParameter {
				t.Fatalf("%q: %s is %q of %q", query, name, value, q[name])
			}
		}
		if (got.iss != nil) != q.Has("iss") || got.iss != nil && (*got.iss != q.Get("iss") || len(q["iss"]) != 1) {
			t.Fatalf("%q: iss is %v of %q", query, got.iss, q["iss"])
		}
	})
}
