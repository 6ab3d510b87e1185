package stateless_test

import (
	"errors"
	"net/http"
	"sort"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/storetest"
)

// FuzzCookies sends what strangers write beside, before and in place of good cookies:
// whoever is known is one of those who signed in, whole, and nothing is an outage.
func FuzzCookies(f *testing.F) {
	w := newWorld(f)
	jane, john := jar{}, jar{}
	jane.signIn(f, w.Store, withGroups(200))
	johnRecord := storetest.Person("john")
	john.signIn(f, w.Store, johnRecord)
	line := func(j jar) string {
		var pairs []string
		for name, value := range j {
			pairs = append(pairs, name+"="+value)
		}
		sort.Strings(pairs)
		return strings.Join(pairs, "; ")
	}
	const name = "__Host-claimproxy"
	good := line(jane)
	for _, seed := range []string{
		"", good, line(john), good + "; " + line(john), line(john) + "; " + good,
		name + "=" + jane[name], name + ".1=" + jane[name+".1"], name + "=" + jane[name+".1"] + "; " + name + ".1=" + jane[name],
		strings.Replace(good, "a", "b", 1), good[:len(good)/2], good[len(good)/2:], strings.ReplaceAll(good, "; ", ";"),
		name + "=" + john[name] + "; " + name + ".1=" + jane[name+".1"], name + ".4=x; " + name + ".01=y; " + good, strings.Repeat(name+"=x; ", 50) + good,
		"=; ;; " + name + "; =" + name, name + "=\x00\xff", name + ".=", name + ".9", `"` + good + `"`,
	} {
		f.Add(seed)
	}
	// What another process of the fuzzer has sealed opens here too.
	johns := func(cookies string) bool {
		for pair := range strings.SplitSeq(cookies, ";") {
			r := jar{}.request()
			r.Header.Set("Cookie", pair)
			if id, err := w.Identify(r); err == nil && id.Subject == "john" {
				return true
			}
		}
		return false
	}
	f.Fuzz(func(t *testing.T, cookies string) {
		for _, here := range []*world{w, w.again(t)} {
			r := jar{}.request()
			r.Header.Set("Cookie", cookies)
			id, err := here.Identify(r)
			var rejected *session.Rejected
			switch {
			case err != nil && (id != nil || !errors.Is(err, session.ErrNoCredentials) && !errors.As(err, &rejected)):
				t.Fatalf("got %v and %v", id, err)
			case err == nil && id.Subject == "jane" && len(id.Claims.Strings("groups")) == 200 && strings.Contains(cookies, name+".1="):
			case err == nil && id.Subject == "john" && len(id.Claims.Strings("groups")) == 2 && strings.Contains(cookies, name+"="):
			case err == nil:
				t.Fatalf("got %s, and not whole", id.Subject)
			}
			h := http.Header{}
			here.Refresh(h, r)
			for _, c := range (&http.Response{Header: h}).Cookies() {
				if c.MaxAge >= 0 {
					t.Fatalf("cookie %q was set before it was due", c.Name)
				}
			}
			// Whatever it is, it does not keep the good ones that come with it from being
			// found, but for good ones of another person.
			if len(cookies) < 4096 && strings.Count(cookies, name) < 8 && !johns(cookies) {
				r.Header["Cookie"] = []string{cookies, good}
				if _, err := here.Identify(r); err != nil {
					t.Fatalf("the good cookies are hidden: %v", err)
				}
			}
		}
	})
}
