package e2e

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestABadCookieIsNoCookie is every attack on the cookies of a session, against all ways to
// keep sessions, over the wire: whoever sends one is nobody, and the application hears
// nothing of it.
func TestABadCookieIsNoCookie(t *testing.T) {
	eachStore(t, func(t *testing.T, k keeping) {
		p := setups[1].shared(t)
		upstream := newRecorder(t)
		signIn := func() (*site, map[string]string) {
			s := newSite(t, p)
			s.Recorder = upstream.url
			s.Session = k.in(t, s, "")
			s.start()
			b := s.browser()
			b.signIn(s.url+"/recorder/", p, crowd(t, p)).wantStatus(t, http.StatusOK)
			return s, s.sessionCookies(b)
		}
		s, good := signIn()
		_, foreign := signIn()
		if k.name == "cookie" && len(good) < 2 {
			t.Fatalf("the session takes %d cookie, so that parts are not tested", len(good))
		}
		arrived := upstream.count()
		for _, attack := range cookieAttacks(good, foreign) {
			header := "Cookie: " + attack.header
			a := get(t, s.url+"/recorder/", header)
			a.wantProblem(t, http.StatusUnauthorized, "no-credentials", "session-expired", "session-ended")
			a.wantChallenge(t, "")
			get(t, s.url+"/recorder/", header, "Accept: "+acceptPage).wantStatus(t, http.StatusFound)
			get(t, s.url+"/receiver/submit/x", header).wantStatus(t, http.StatusOK)
			get(t, s.url+"/.auth/sign-out", header, "Accept: "+acceptPage).wantStatus(t, http.StatusOK)
			if a := get(t, s.url+"/.auth/me", header); a.status != http.StatusUnauthorized {
				t.Errorf("/.auth/me: got status %d, want 401", a.status)
			}
			if arrived++; t.Failed() {
				t.Fatalf("that was: %s", attack.name)
			}
		}
		if got := upstream.count(); got != arrived {
			t.Errorf("the upstream got %d requests, want %d: the public ones alone", got, arrived)
		}
		// A neighbouring host can plant a cookie of the same name, and its browser sends it
		// before or after the good one: that one wins.
		for _, attack := range cookieAttacks(good, foreign) {
			for _, header := range []string{attack.header + "; " + cookieHeader(good), cookieHeader(good) + "; " + attack.header} {
				if get(t, s.url+"/recorder/", "Cookie: "+header).status != http.StatusOK {
					t.Fatalf("%s: the good cookie is hidden", attack.name)
				}
			}
		}
		many := strings.Repeat("c=d; ", 1000) + strings.Repeat(s.cookieName()+"=garbage; "+s.cookieName()+".1=garbage; ", 500)
		get(t, s.url+"/recorder/", "Cookie: "+many+cookieHeader(good)).wantStatus(t, http.StatusOK)
		get(t, s.url+"/recorder/", "Cookie: "+many).wantProblem(t, http.StatusUnauthorized, "no-credentials")
		if status := megabyte(t, s); status != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a megabyte of cookie: got status %d, want 431", status)
		}
	})
}

func (s *site) cookieName() string { return "claimproxy" } // no prefix on loopback

func cookieHeader(jar map[string]string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(jar)) {
		pairs = append(pairs, name+"="+jar[name])
	}
	return strings.Join(pairs, "; ")
}

// cookieAttack is a Cookie header that looks much like a good one.
type cookieAttack struct{ name, header string }

// cookieAttacks are made of the cookies of a session, and of one of another installation.
func cookieAttacks(good, foreign map[string]string) []cookieAttack {
	var all []cookieAttack
	for name, value := range good {
		with := func(what, bad string) {
			jar := maps.Clone(good)
			jar[name] = bad
			all = append(all, cookieAttack{name + " " + what, cookieHeader(jar)})
		}
		with("is empty", "")
		with("is random text", "garbage")
		with("has signs that no cookie has", `%00<script>`)
		with("is cut short", value[:len(value)-1])
		with("is cut in half", value[:len(value)/2])
		with("lacks its beginning", value[1:])
		with("is one character longer", value+"A")
		with("is there twice in one", value+value)
		with("is in capitals", strings.ToUpper(value))
		with("has eight kilobytes", strings.Repeat("A", 8<<10))
		with("has thirty kilobytes", strings.Repeat("A", 30<<10))
		for i := 0; i < len(value); i += max(1, len(value)/70) {
			with(fmt.Sprint("is changed at ", i), value[:i]+turn(value[i])+value[i+1:])
		}
		missing := maps.Clone(good)
		delete(missing, name)
		all = append(all, cookieAttack{name + " is missing", cookieHeader(missing)})
		if other, ok := foreign[name]; ok {
			with("is of another installation", other)
		}
		for other := range good {
			if other != name {
				with("is "+other, good[other])
			}
		}
	}
	return append(all, cookieAttack{"all are of another installation", cookieHeader(foreign)})
}

// megabyte sends a header that is larger than any server takes, and returns the status.
func megabyte(t testing.TB, s *site) int {
	t.Helper()
	c, err := net.Dial("tcp", s.Listen)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		// The answer comes before all is sent.
		_, _ = io.WriteString(c, "GET /recorder/ HTTP/1.1\r\nHost: "+strings.TrimPrefix(s.url, "http://")+"\r\nCookie: "+s.cookieName()+"="+strings.Repeat("A", 1<<20)+"\r\n\r\n")
	}()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	c.Close()
	<-sent
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode
}

// turn returns another character of the base64url alphabet, one whose six bits
// differ in all places, so that not only padding is changed.
func turn(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[63-max(0, strings.IndexByte(alphabet, c))])
}

func TestABadAttemptCookieIsNoAttempt(t *testing.T) {
	t.Parallel()
	s := setups[1].site(t).start()
	b, a := comeBack(s, people()["alice"], true)
	var attempt *http.Cookie
	for _, c := range b.cookies(s.url) {
		attempt = c
	}
	if attempt == nil {
		t.Fatal("the browser has no cookie for its attempt")
	}
	s.leaks.add(attempt.Value)
	for _, value := range []string{
		"", "garbage", attempt.Value[:len(attempt.Value)/2], attempt.Value + "A", strings.Repeat("A", 8<<10),
		attempt.Value[:len(attempt.Value)/2] + turn(attempt.Value[len(attempt.Value)/2]) + attempt.Value[len(attempt.Value)/2+1:],
	} {
		bad := withCookie(t, s.url, &http.Cookie{Name: attempt.Name, Value: value})
		wantHelp(t, s, bad, bad.visit(a.location().String()), http.StatusBadRequest)
	}
	// The attempt itself is still good: nothing of the above used it up.
	if b.follow(a); s.sessionCookie(b) == nil {
		t.Error("the attempt is of no use any more")
	}
}

func TestSigningOutEndsTheSessionForGood(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		s := setup.site(t)
		s.Recorder = newRecorder(t).url
		s.start()
		b := s.browser()
		b.signIn(s.url+"/recorder/", s.idp, people()["alice"]).wantStatus(t, http.StatusOK)
		copied := s.sessionCookie(b)
		s.leaks.add(copied.Value)

		// A link does not sign anybody out, and neither does another site's form.
		page := b.visit(s.url+"/.auth/sign-out").wantStatus(t, http.StatusOK)
		page.wantOwn(t)
		b.visit(s.url+"/recorder/").wantStatus(t, http.StatusOK)
		evil := mustParse(t, "https://evil.example/")
		b.navigate(http.MethodPost, mustParse(t, s.url+"/.auth/sign-out"), nil, "cross-site", evil).wantStatus(t, http.StatusForbidden)
		b.visit(s.url+"/recorder/").wantStatus(t, http.StatusOK)

		var out *answer
		for _, f := range page.forms() {
			if f.method == http.MethodPost {
				out = b.submit(page, f, nil)
			}
		}
		if out == nil {
			t.Fatalf("the page has no form to sign out with\n%s", clip(page.body))
		}
		c := out.cookie(copied.Name)
		if c == nil || c.MaxAge >= 0 || strings.Contains(c.Raw, copied.Value) {
			t.Errorf("signing out sets %v, want the cookie removed and its value not repeated", c)
		}
		b.fetch(http.MethodGet, s.url+"/recorder/").wantProblem(t, http.StatusUnauthorized, "no-credentials")

		// A copy of the cookie is dead too, after a restart as well.
		thief := withCookie(t, s.url, copied)
		thief.fetch(http.MethodGet, s.url+"/recorder/").wantProblem(t, http.StatusUnauthorized, "session-ended", "no-credentials")
		s.restart()
		thief.fetch(http.MethodGet, s.url+"/recorder/").wantProblem(t, http.StatusUnauthorized, "session-ended", "no-credentials")
		thief.visit(s.url+"/recorder/").wantStatus(t, http.StatusFound)
	})
}
