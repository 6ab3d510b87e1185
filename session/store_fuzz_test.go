package session_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session"
)

// FuzzStoreCookies: whatever stands in a Cookie line, and whatever host it is sent to,
// somebody is known only by a cookie that was given to them for that host, whole; two
// people at once are nobody; and no cookie is a failure of the store.
func FuzzStoreCookies(f *testing.F) {
	s := openStore(f, openFile(f, f.TempDir()))
	jane, john := signIn(f, s, "jane"), signIn(f, s, "john")
	pass, err := s.Pass(requestWith(jane))
	if err != nil {
		f.Fatal(err)
	}
	const wiki = "wiki.example.net"
	r, w := httptest.NewRequest("GET", "https://"+wiki+"/", nil), httptest.NewRecorder()
	if err := s.Adopt(w, r, pass); err != nil {
		f.Fatal(err)
	}
	bound := w.Result().Cookies()[0].Value
	const name = "__Host-claimproxy="
	for _, line := range []string{
		name + jane, name + john, name + jane + "; " + name + john, name + bound, name + "x; " + name + jane, name + jane[:len(jane)-1], name + jane + "A", name + strings.ToUpper(jane), name + `"` + jane + `"`,
		name + jane[:20] + john[20:], name + john[:20] + jane[20:], name + bound[:len(bound)-2] + "AA", name + "%%%", name, ";", "=", "a=1; ; b", "claimproxy=" + jane, " __Host-claimproxy =" + jane, strings.Repeat(name+bound+"; ", 20),
		strings.Repeat("a=;", 2000), name + strings.Repeat("A", len(bound)), name + "../../etc/passwd", name + "chunks=99999999", name + "\x00\xff",
	} {
		f.Add(line, "telemetry.example.org")
		f.Add(line, wiki)
	}
	given := map[string]string{"jane": jane, "john": john}
	f.Fuzz(func(t *testing.T, line, host string) {
		r := requestWith("")
		r.Host = host
		r.Header.Set("Cookie", line)
		id, err := s.Identify(r)
		var rejected *session.Rejected
		switch {
		case err == nil:
			onWiki := strings.HasPrefix(strings.ToLower(host), wiki) && strings.Trim(host[len(wiki):], ".:0123456789") == ""
			if !strings.Contains(line, given[id.Subject]) && !(id.Subject == "jane" && strings.Contains(line, bound) && onWiki) {
				t.Fatalf("%q on %q is %s", line, host, id.Subject)
			}
			if id.Claims.Strings("groups")[1] != "teams/"+id.Subject {
				t.Fatalf("%s has the claims %v", id.Subject, id.Claims)
			}
		case id != nil || !errors.Is(err, session.ErrNoCredentials) && !errors.As(err, &rejected):
			t.Fatalf("%q on %q: got %v, %v", line, host, id, err)
		}
		// What others toss here does not hide the person's own, nor add to it.
		if len(line) < 4096 && strings.Count(line, "__Host-claimproxy") < 8 && !strings.Contains(line, john) {
			r.Header["Cookie"] = []string{line, name + jane}
			if id, err := s.Identify(r); err != nil || id.Subject != "jane" {
				t.Fatalf("behind %q on %q: %v", line, host, err)
			}
		}
		if _, err := s.Pass(r); err != nil && !errors.Is(err, session.ErrNoCredentials) && !errors.As(err, &rejected) {
			t.Fatalf("%q: no pass: %v", line, err)
		}
		w := httptest.NewRecorder()
		if err := s.Adopt(w, requestWith(""), []byte(line)); (err == nil) != (line == jane || line == john) {
			t.Fatalf("the pass %q: %v", line, err)
		}
	})
}
