package e2e

import (
	"net/http"
	"strings"
	"testing"
)

func TestABadCookieIsNoCookie(t *testing.T) {
	t.Parallel()
	s := setups[1].site(t)
	upstream := newRecorder(t)
	s.Recorder = upstream.url
	s.start()
	b := s.browser()
	b.signIn(s.url+"/recorder/", s.idp, people()["alice"]).wantStatus(t, http.StatusOK)
	good := s.sessionCookie(b)
	arrived := upstream.count()

	other := setups[1].site(t)
	other.Recorder = upstream.url
	other.start()
	foreign := other.browser()
	foreign.signIn(other.url+"/recorder/", other.idp, people()["alice"]).wantStatus(t, http.StatusOK)
	arrived++

	bad := []struct{ name, value string }{
		{"empty", ""},
		{"random text", "garbage"},
		{"signs that no cookie has", `%00<script>`},
		{"cut short", good.Value[:len(good.Value)-1]},
		{"cut in half", good.Value[:len(good.Value)/2]},
		{"one character longer", good.Value + "A"},
		{"twice", good.Value + good.Value},
		{"in capitals", strings.ToUpper(good.Value)},
		{"eight kilobytes", strings.Repeat("A", 8<<10)},
		{"sixty kilobytes", strings.Repeat("A", 60<<10)},
		{"of another installation", other.sessionCookie(foreign).Value},
	}
	for i := range good.Value {
		bad = append(bad, struct{ name, value string }{
			"changed at one place", good.Value[:i] + turn(good.Value[i]) + good.Value[i+1:],
		})
	}
	for _, tc := range bad {
		t.Run(tc.name, func(t *testing.T) {
			header := "Cookie: " + good.Name + "=" + tc.value
			a := get(t, s.url+"/recorder/", header)
			a.wantProblem(t, http.StatusUnauthorized, "no-credentials", "session-expired", "session-ended")
			a.wantChallenge(t, "")
			get(t, s.url+"/recorder/", header, "Accept: "+acceptPage).wantStatus(t, http.StatusFound)
			get(t, s.url+"/receiver/submit/x", header).wantStatus(t, http.StatusOK)
			get(t, s.url+"/.auth/sign-out", header, "Accept: "+acceptPage).wantStatus(t, http.StatusOK)
			if a := get(t, s.url+"/.auth/me", header); a.status != http.StatusUnauthorized {
				t.Errorf("/.auth/me: got status %d, want 401", a.status)
			}
			arrived++
		})
	}
	if got := upstream.count(); got != arrived {
		t.Errorf("the upstream got %d requests, want %d: the public ones alone", got, arrived)
	}
	// Between two of the same name the good one is found, whatever the order:
	// anybody on a neighbouring host can plant one.
	for _, pair := range []string{good.Name + "=garbage; " + good.Name + "=" + good.Value, good.Name + "=" + good.Value + "; " + good.Name + "=garbage"} {
		get(t, s.url+"/recorder/", "Cookie: "+pair).wantStatus(t, http.StatusOK)
	}
	b.visit(s.url+"/recorder/").wantStatus(t, http.StatusOK)
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
