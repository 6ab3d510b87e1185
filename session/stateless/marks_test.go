package stateless_test

import (
	"errors"
	"testing"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/stateless"
	"github.com/claimproxy/claimproxy/session/storetest"
)

// keeping is another configuration of the same installation.
func (w *world) keeping(t *testing.T, k stateless.Keep) *world {
	t.Helper()
	o := w.options
	o.Keep = k
	return &world{open(t, o), w.clock, w.provider, o}
}

func onlyGroups(members ...string) stateless.Keep {
	return stateless.Keep{Claims: []string{"groups"}, Parts: map[string]stateless.Part{"groups": {members, 1024}}}
}

// TestASessionThatIsOlderThanAPolicyLetsNobodyIn: a claim that was left out because nobody
// asked for it must not look like one that the person does not have. "suspended is
// missing", or "not groups contains teams/suspended", would let them in.
func TestASessionThatIsOlderThanAPolicyLetsNobodyIn(t *testing.T) {
	for name, test := range map[string]struct {
		before, after stateless.Keep
		groups        []any
		fine          bool
	}{
		"the same":                      {onlyGroups("a"), onlyGroups("a"), manyOf("x"), true},
		"another claim":                 {onlyGroups("a"), stateless.Keep{Claims: []string{"groups", "suspended"}}, []any{"a"}, false},
		"another member of a cut list":  {onlyGroups("a"), onlyGroups("a", "teams/suspended"), manyOf("x", "teams/suspended"), false},
		"a cut list is needed whole":    {onlyGroups("a"), stateless.Keep{Claims: []string{"groups"}}, manyOf("x"), false},
		"all is needed":                 {onlyGroups("a"), stateless.Keep{}, []any{"a"}, false},
		"another member of a whole one": {onlyGroups("a"), onlyGroups("a", "teams/suspended"), []any{"teams/suspended"}, true},
		"less of a cut list":            {onlyGroups("a", "b"), onlyGroups("b"), manyOf("x"), true},
		"nothing but its presence":      {onlyGroups("a"), onlyGroups(), manyOf("x"), true},
		"all was kept":                  {stateless.Keep{}, onlyGroups("a"), manyOf("x"), true},
		"a claim nobody has":            {stateless.Keep{Claims: []string{"absent"}}, stateless.Keep{Claims: []string{"absent"}}, []any{}, true},
	} {
		w := newWorld(t).keeping(t, test.before)
		rec := storetest.Person("jane")
		rec.Identity.Claims["groups"] = test.groups
		j := jar{}
		j.signIn(t, w.Store, rec)
		later := w.keeping(t, test.after)
		id, err := later.Identify(j.request())
		if test.fine {
			if err != nil {
				t.Errorf("%s: got %v", name, err)
			}
			continue
		}
		var unchecked *session.Unchecked
		if id != nil || !errors.As(err, &unchecked) || unchecked.Provider != "invent" {
			t.Errorf("%s: got %v and %v, want to sign in again, if possible without a question", name, id, err)
		}
		if j.refresh(later.Store) != 0 {
			t.Errorf("%s: the session was set again", name)
		}
	}
}

// TestWhatWasCutStaysCut: the ID token is not asked for again, so what was cut of it is
// still cut when it has become short, and at whoever else opens the session.
func TestWhatWasCutStaysCut(t *testing.T) {
	w := newWorld(t).keeping(t, onlyGroups("a", "b"))
	rec := storetest.Person("jane")
	rec.Identity.Claims["groups"], rec.Identity.Origins["groups"] = manyOf("x", "b", "c"), session.SourceIDToken
	j := jar{}
	j.signIn(t, w.Store, rec)
	w.provider.renew = func(rec *session.Record) (*session.Record, error) {
		same := *rec
		return &same, nil // userinfo has no groups
	}
	for range 3 {
		w.clock.Advance(recheck)
		w = w.again(t)
		if got := w.groups(t, j); got != "b" {
			t.Fatalf("got the groups %s", got)
		}
		if j.refresh(w.Store) == 0 {
			t.Fatal("the cookie with a new check is not set")
		}
		if id, err := w.keeping(t, onlyGroups("c")).Identify(j.request()); err == nil {
			t.Fatalf("a member that was cut away looks like one that is not there: %v", id.Claims["groups"])
		}
		if _, err := w.keeping(t, onlyGroups("a")).Identify(j.request()); err != nil {
			t.Fatal(err)
		}
	}
	// What userinfo says anew is known whole, if it is short.
	w.provider.renew = in("c")
	w.clock.Advance(recheck)
	w.groups(t, j)
	j.refresh(w.Store)
	if got := w.keeping(t, onlyGroups("c")).groups(t, j); got != "c" {
		t.Errorf("got %s", got)
	}
}

// TestHostsOfADomainShareASession, and a cookie is good under its own name alone.
func TestHostsOfADomainShareASession(t *testing.T) {
	w := newWorld(t, func(o *stateless.Options) { o.CookieDomain = "example.org" })
	at := func(j jar, host string) (*session.Identity, error) {
		r := j.request()
		r.Host = host
		return w.Identify(r)
	}
	shared := jar{}
	shared.signIn(t, w.Store, withGroups(200)) // on telemetry.example.org
	for name := range shared {
		if name[:len("__Secure-claimproxy")] != "__Secure-claimproxy" {
			t.Errorf("cookie %s was set", name)
		}
	}
	for _, host := range []string{"telemetry.example.org", "WIKI.example.org:8443", "example.org."} {
		if id, err := at(shared, host); err != nil || id.Subject != "jane" {
			t.Errorf("%s: got %v", host, err)
		}
	}
	if id, err := at(shared, "elsewhere.example.net"); err == nil {
		t.Errorf("on a host outside of the domain: got %s", id.Subject)
	}
	own := jar{}
	for name, value := range shared {
		own["__Host-"+name[len("__Secure-"):]] = value
	}
	if id, err := at(own, "elsewhere.example.net"); err == nil {
		t.Errorf("the domain's cookie under the name of a host's own: got %s", id.Subject)
	}
}
