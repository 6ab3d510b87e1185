package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// keeping is a way to keep sessions.
type keeping struct {
	name string
	// in is what stands below session: in a site's file, with further keys.
	in func(t testing.TB, s *site, more string) string
}

var keepings = []keeping{
	{"file", func(_ testing.TB, _ *site, more string) string { return "{store: file" + more + "}" }},
	{"redis", func(t testing.TB, s *site, more string) string {
		s.write("session-secret", freshSecret(t, s))
		return newRedis(t, s).session(s, more)
	}},
	{"cookie", func(t testing.TB, s *site, more string) string {
		s.write("session-secret", freshSecret(t, s))
		return inCookies(more)
	}},
}

// inCookies keeps sessions in cookies alone.
func inCookies(more string) string {
	return "{store: cookie, secrets: [{file: session-secret}]" + more + "}"
}

// eachStore runs a test for every way to keep sessions.
func eachStore(t *testing.T, run func(t *testing.T, k keeping)) {
	t.Helper()
	t.Parallel()
	for _, k := range keepings {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			run(t, k)
		})
	}
}

// crowd is a person in so many groups that a session in cookies takes several of them.
func crowd(t testing.TB, p *idp) person {
	t.Helper()
	groups := []string{"teams/kde-developers"}
	for i := range 150 {
		groups = append(groups, fmt.Sprintf("organisation/department-%d/team-%03d", i/10, i))
	}
	return p.newPerson(t, groups...)
}

// sessionCookies are all cookies of a browser's session, by their names.
func (s *site) sessionCookies(b *browser) map[string]string {
	s.t.Helper()
	first := s.sessionCookie(b)
	if first == nil {
		s.t.Fatal("the browser has no session")
	}
	all := map[string]string{}
	for _, c := range b.cookies(s.url) {
		if c.Name == first.Name || strings.HasPrefix(c.Name, first.Name+".") {
			all[c.Name] = c.Value
			s.leaks.add(c.Value)
		}
	}
	return all
}

// withCookies returns another browser that has these cookies.
func withCookies(t testing.TB, target string, jar map[string]string) *browser {
	t.Helper()
	b := newBrowser(t)
	for name, value := range jar {
		b.jar.SetCookies(mustParse(t, target), []*http.Cookie{{Name: name, Value: value, Path: "/"}})
	}
	return b
}
