package stateless_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/stateless"
	"github.com/claimproxy/claimproxy/session/storetest"
)

// withGroups is somebody who is in n groups.
func withGroups(n int) *session.Record {
	rec := storetest.Person("jane")
	groups := make([]any, n)
	for i := range groups {
		groups[i] = fmt.Sprintf("organisation/team-%03d", i)
	}
	rec.Identity.Claims["groups"] = groups
	rec.Identity.Claims["name"], rec.Identity.Claims["picture"] = "Jane Doe", "https://invent.example.org/uploads/-/system/user/avatar/1/avatar.png"
	rec.AccessToken = strings.Repeat("a", 64) // as long as GitLab's
	return rec
}

// TestSizes is a table for the log: what a session costs each request.
func TestSizes(t *testing.T) {
	named := make([]string, 5)
	for i := range named {
		named[i] = fmt.Sprintf("organisation/team-%03d", i)
	}
	keep := stateless.Keep{Claims: []string{"email", "groups"}, Parts: map[string]stateless.Part{"groups": {named, 1024}}}
	t.Log("groups  all claims kept     what policies ask for kept")
	for _, n := range []int{5, 50, 300} {
		var bytes, cookies [2]int
		for i, k := range []stateless.Keep{{}, keep} {
			w := newWorld(t, func(o *stateless.Options) { o.Keep = k })
			j := jar{}
			j.signIn(t, w.Store, withGroups(n))
			cookies[i] = len(j)
			for name, value := range j {
				bytes[i] += len(name) + 1 + len(value)
			}
		}
		t.Logf("%6d  %6d B in %d       %6d B in %d", n, bytes[0], cookies[0], bytes[1], cookies[1])
		if cookies[1] != 1 || bytes[1] > 1500 {
			t.Errorf("%d groups, of which 5 matter, take %d bytes", n, bytes[1])
		}
	}
}

func TestWhatDoesNotFitIsRefused(t *testing.T) {
	var log bytes.Buffer
	w := newWorld(t, func(o *stateless.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	before := jar{}
	before.signIn(t, w.Store, storetest.Person("jane"))
	out := httptest.NewRecorder()
	err := w.Start(out, before.request(), withGroups(1000))
	var large *session.TooLarge
	if !errors.As(err, &large) || large.Size <= large.Most {
		t.Fatalf("got %v, want that it is too large", err)
	}
	if len(out.Header()["Set-Cookie"]) != 0 {
		t.Error("a cookie was set")
	}
	w.groups(t, before) // the session before it goes on
	for _, want := range []string{"a session does not fit into cookies", "sub=jane", fmt.Sprint("size=", large.Size), "groups: "} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q: %s", want, log.String())
		}
	}
	if strings.Contains(log.String(), "team-001") || strings.Contains(log.String(), "aaaa") {
		t.Error("the log tells claims or tokens")
	}
}

// Everything up to the bound comes back, at each length around the ends of chunks.
func TestEverySizeComesBack(t *testing.T) {
	w := newWorld(t)
	fits := true
	for size := 2000; fits; size += 37 {
		rec := storetest.Person("jane")
		rec.Identity.Claims["filler"] = strings.Repeat("x", size)
		out := httptest.NewRecorder()
		err := w.Start(out, jar{}.request(), rec)
		var large *session.TooLarge
		if fits = !errors.As(err, &large); !fits {
			if size < 10000 {
				t.Errorf("%d bytes do not fit", size)
			}
			break
		}
		j := jar{}
		j.receive(out.Header())
		id, err := w.again(t).Identify(j.request())
		if err != nil || len(id.Claims["filler"].(string)) != size {
			t.Fatalf("%d bytes: got %v", size, err)
		}
		for name, value := range j {
			if len(value) > 3800 {
				t.Fatalf("cookie %s has %d characters", name, len(value))
			}
		}
	}
}

func TestASessionThatOutgrowsItsCookiesGoesOn(t *testing.T) {
	var log bytes.Buffer
	w := newWorld(t, func(o *stateless.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	j := jar{}
	j.signIn(t, w.Store, storetest.Person("jane"))
	w.provider.renew = func(rec *session.Record) (*session.Record, error) {
		rec.Identity = withGroups(1000).Identity
		return rec, nil
	}
	w.clock.Advance(recheck)
	for range 3 {
		if n := len(strings.Fields(w.groups(t, j))); n != 1000 {
			t.Errorf("got %d groups", n)
		}
		if j.refresh(w.Store) != 0 {
			t.Error("a cookie was set")
		}
	}
	if n := strings.Count(log.String(), "outgrown"); n != 1 {
		t.Errorf("it was logged %d times", n)
	}
}

// manyOf is a list that is too long to be kept whole, with some more in it.
func manyOf(prefix string, more ...any) []any {
	var list []any
	for i := range 300 {
		list = append(list, fmt.Sprint(prefix, i))
	}
	return append(list, more...)
}

func TestOnlyWhatIsUsedIsKept(t *testing.T) {
	w := newWorld(t, func(o *stateless.Options) {
		o.Keep = stateless.Keep{
			Claims: []string{"email", "groups", "roles", "team", "few", "whole"},
			Parts: map[string]stateless.Part{
				"groups": {[]string{"teams/kde-developers", "teams/admins"}, 1024}, "roles": {[]string{"a"}, 1024}, "team": {[]string{"x"}, 1},
				"few": {[]string{"y"}, 1}, "none": {[]string{"y"}, 1},
			},
		}
	})
	rec := storetest.Person("jane")
	rec.Identity.Claims["picture"] = "https://example.org/a.png"
	rec.Identity.Claims["groups"] = manyOf("teams/", "teams/kde-developers")
	rec.Identity.Claims["roles"] = manyOf("role-")
	rec.Identity.Claims["team"] = "not a list"
	rec.Identity.Claims["few"] = []any{"z"}
	rec.Identity.Claims["whole"] = manyOf("x")
	j := jar{}
	j.signIn(t, w.Store, rec)
	want := session.Claims{
		"sub": "jane", "sid": "sid-of-jane", "provider": "invent", "auth": "browser", "client_id": "web",
		"email": "jane@example.org", "groups": []any{"teams/kde-developers"}, "roles": []any{}, "team": "not a list",
		"few": []any{"z"}, "whole": manyOf("x"),
	}
	for _, here := range []*world{w, w.again(t)} {
		id, err := here.Identify(j.request())
		if err != nil || !reflect.DeepEqual(id.Claims, want) || id.User != "jane" || id.Origins["email"] != session.SourceUserInfo || len(id.Origins["picture"]) > 0 {
			t.Errorf("got %v and %v, want %v", id.Claims, err, want)
		}
	}
	// Also when the claims are fetched again.
	w.provider.renew = in(manyOf("other", "teams/admins")...)
	w.clock.Advance(recheck)
	if got := w.groups(t, j); got != "teams/admins" {
		t.Errorf("after a recheck: got %s", got)
	}
	if rec.Identity.Claims["picture"] == nil || len(rec.Identity.Claims.Strings("groups")) != 301 {
		t.Error("the caller's own record was changed")
	}
}

func TestOptionsThatCannotBeAreRefused(t *testing.T) {
	good := newWorld(t).options
	for name, spoil := range map[string]func(*stateless.Options){
		"no sealer":        func(o *stateless.Options) { o.Sealer = nil },
		"no idle":          func(o *stateless.Options) { o.Idle = 0 },
		"no lifetime":      func(o *stateless.Options) { o.Lifetime = 0 },
		"no recheck":       func(o *stateless.Options) { o.Recheck = 0 },
		"negative grace":   func(o *stateless.Options) { o.Grace = -1 },
		"no name":          func(o *stateless.Options) { o.CookieName = "" },
		"a domain of one":  func(o *stateless.Options) { o.CookieDomain = "localhost" },
		"a long name":      func(o *stateless.Options) { o.CookieName = strings.Repeat("x", 201) },
		"none, not secure": func(o *stateless.Options) { o.Secure, o.SameSite = false, http.SameSiteNoneMode },
	} {
		o := good
		spoil(&o)
		if _, err := stateless.New(o); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}
