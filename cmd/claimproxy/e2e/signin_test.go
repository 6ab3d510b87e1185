package e2e

import (
	"net/http"
	"strings"
	"testing"
)

func TestADeveloperSignsInAndSeesPrometheus(t *testing.T) {
	eachSetup(t, func(t *testing.T, setup setup) {
		s := setup.site(t)
		s.Prometheus = sharedPrometheus(t)
		s.start()
		b := s.browser()
		const wanted = "/classic/graph?g0.expr=up&marker=kept-out-of-logs&g0.tab=1"
		s.leaks.add("kept-out-of-logs")

		// To the provider, by as many steps of the proxy's own as it likes.
		a := b.visit(s.url+wanted).wantStatus(t, http.StatusFound)
		a.wantOwn(t)
		if to := a.location(); to.Host != a.url.Host || !strings.HasPrefix(to.Path, "/.auth/") {
			t.Fatalf("an anonymous navigation is sent to %s, want a page below /.auth/", to)
		}
		a = b.followWithin(a, a.url.Host)
		a.wantOwn(t)
		to := a.location()
		if to == nil || !strings.HasPrefix(to.String(), s.idp.issuer+s.idp.authorizePath+"?") {
			t.Fatalf("signing in leads to %v, want the provider's authorization endpoint", to)
		}
		q := to.Query()
		for name, want := range map[string]string{
			"response_type":         "code",
			"client_id":             "proxy-web",
			"redirect_uri":          s.url + "/.auth/callback/invent",
			"code_challenge_method": "S256",
			"scope":                 "openid profile email",
		} {
			if got := q.Get(name); got != want {
				t.Errorf("authorization request: got %s %q, want %q", name, got, want)
			}
		}
		for _, name := range []string{"state", "nonce", "code_challenge"} {
			if len(q.Get(name)) < 22 {
				t.Errorf("authorization request: got %s %q, want 128 bits or more", name, q.Get(name))
			}
		}
		s.leaks.add(q.Get("state"), q.Get("nonce"))

		// Through the provider and back.
		a = b.atProvider(a, s.idp, people()["alice"], true)
		to = a.location()
		if to == nil || to.Scheme+"://"+to.Host+to.Path != s.url+"/.auth/callback/invent" {
			t.Fatalf("the provider leads to %v, want the callback\n%s", to, clip(a.body))
		}
		s.leaks.add(to.Query().Get("code"))
		a = b.follow(a)
		a.wantOwn(t)
		if to := a.location(); to == nil || to.String() != s.url+wanted {
			t.Fatalf("the callback leads to %v, want %s\n%s", to, s.url+wanted, clip(a.body))
		}
		c := a.cookie("claimproxy")
		if c == nil {
			t.Fatalf("the callback sets no cookie named claimproxy: %v", a.header)
		}
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.Secure {
			t.Errorf("session cookie: got %s, want HttpOnly, SameSite=Lax, Path=/, no Domain, and no Secure on plain http", strings.Replace(c.Raw, c.Value, "...", 1))
		}

		// And there it is, page, API and assets.
		b.follow(a).wantStatus(t, http.StatusOK).wantText(t, prometheusTitle)
		b.open(s.url+"/").wantStatus(t, http.StatusOK).wantText(t, prometheusTitle)
		b.fetch(http.MethodGet, s.url+"/api/v1/query?query=up").wantStatus(t, http.StatusOK).wantText(t, `"status":"success"`)
		b.fetch(http.MethodGet, s.url+"/classic/static/img/favicon.ico?v=2.42.0%2bds-5").wantStatus(t, http.StatusOK)
		if left := b.cookies(s.url); len(left) != 1 {
			t.Errorf("after signing in the browser has %d cookies of the proxy, want the session's alone", len(left))
		}
	})
}

func TestAVisitorIsRefusedWithTheirOwnGroupsNamedAndNoLoop(t *testing.T) {
	eachSetup(t, func(t *testing.T, setup setup) {
		s := setup.site(t)
		s.Prometheus = sharedPrometheus(t)
		s.start()
		b := s.browser()

		a := b.signIn(s.url+"/classic/graph", s.idp, people()["bob"])
		for range 3 { // the same again, however often
			a.wantStatus(t, http.StatusForbidden).wantOwn(t)
			a.wantText(t, "groups contains teams/kde-developers", "groups: [websites/fans]", "https://community.example.test/ask-for-access")
			for _, private := range []string{"bob@example.test", "Bob Visitor"} {
				if strings.Contains(a.body, private) {
					t.Errorf("the refusal shows %q, which the policy does not name", private)
				}
			}
			a = b.visit(s.url + "/classic/graph")
		}
		p := b.fetch(http.MethodGet, s.url+"/api/v1/query?query=up").wantProblem(t, http.StatusForbidden, "not-allowed")
		if !strings.Contains(p.Message+p.Detail, "websites/fans") {
			t.Errorf("problem: got %+v, want the caller's own groups named", p)
		}
	})
}

func TestAPersonInThreeHundredGroupsSignsIn(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		s := setup.site(t)
		upstream := newRecorder(t)
		s.Recorder = upstream.url
		s.start()
		b := s.browser()
		got := b.signIn(s.url+"/recorder/", s.idp, people()["many"]).arrival(t)
		// Above 8 KiB of groups only those that policies name are sent.
		got.wantHeader(t, "X-Forwarded-Groups", "teams/kde-developers")
		if c := s.sessionCookie(b); c == nil || len(c.Value) > 1024 {
			t.Errorf("session cookie: got %v, want a short one however many groups there are", c)
		}
	})
}

func TestGroupsThatOnlyLookAlikeDoNotLetIn(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		s := setup.site(t)
		upstream := newRecorder(t)
		s.Recorder = upstream.url
		s.start()
		b := s.browser()
		a := b.signIn(s.url+"/recorder/", s.idp, people()["odd"]).wantStatus(t, http.StatusForbidden)
		if strings.Contains(a.body, "<script>") {
			t.Error("a group's name is in the page as markup")
		}
		if upstream.count() != 0 {
			t.Error("a request of the refused person reached the upstream")
		}

		// Where everybody may go, the names arrive in a header that no reader can
		// take for another group's.
		got := b.visit(s.url + "/anybody/").arrival(t)
		groups := got.Header.Get("X-Forwarded-Groups")
		for _, g := range strings.Split(groups, ",") {
			if strings.TrimSpace(g) == "teams/kde-developers" || strings.TrimSpace(g) == "admins" {
				t.Errorf("X-Forwarded-Groups %q reads as membership in %q", groups, g)
			}
		}
	})
}

func TestABlockedPersonGetsNowhere(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		s := setup.site(t).start()
		b := s.browser()
		a := b.atProvider(b.open(s.url+"/recorder/"), s.idp, people()["mallory"], true)
		if to := a.location(); to != nil {
			t.Fatalf("a blocked person is led to %s, want the provider to keep them", to)
		}
		b.fetch(http.MethodGet, s.url+"/recorder/").wantProblem(t, http.StatusUnauthorized, "no-credentials")
	})
}

func TestAPersonWhoIsBlockedWhileSigningInGetsNoSession(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		s := setup.site(t).start()
		who := s.idp.newPerson(t, "teams/kde-developers")
		b := s.browser()
		a := b.atProvider(b.open(s.url+"/recorder/"), s.idp, who, true)
		s.idp.change(t, who, map[string]any{"blocked": true})
		a = b.followWithin(a, mustParse(t, s.url).Host)
		if a.status < 400 {
			t.Errorf("got status %d, want a refusal", a.status)
		}
		if c := s.sessionCookie(b); c != nil {
			t.Error("a session was opened")
		}
	})
}

func TestTwoTabsSignInAtOnce(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		s := setup.site(t)
		s.Recorder = newRecorder(t).url
		s.start()
		host := mustParse(t, s.url).Host
		b := s.browser()
		// Both tabs are at the provider before either comes back.
		first := b.open(s.url + "/recorder/first")
		second := b.open(s.url + "/recorder/second")
		second = b.atProvider(second, s.idp, people()["alice"], true)
		first = b.atProvider(first, s.idp, people()["alice"], true)
		for _, tab := range []struct {
			a    *answer
			want string
		}{{first, "/recorder/first"}, {second, "/recorder/second"}} {
			if got := b.followWithin(tab.a, host).arrival(t); got.URI != tab.want {
				t.Errorf("a tab that wanted %s came to %s", tab.want, got.URI)
			}
		}
	})
}

func TestManyAbandonedAttemptsDoNotKeepAnybodyOut(t *testing.T) {
	t.Parallel()
	s := setups[1].site(t)
	s.Recorder = newRecorder(t).url
	s.start()
	b := s.browser()
	for range 40 { // a page that reloads itself while nobody is signed in
		b.open(s.url + "/recorder/")
	}
	size := 0
	for _, c := range b.cookies(s.url) {
		size += len(c.Name) + len(c.Value) + 3
	}
	if size > 16<<10 {
		t.Errorf("the attempts left %d bytes of cookies, want less than servers refuse", size)
	}
	b.signIn(s.url+"/recorder/", s.idp, people()["alice"]).wantStatus(t, http.StatusOK)
}

func TestSigningInGivesANewSessionEachTime(t *testing.T) {
	t.Parallel()
	s := setups[1].site(t)
	s.Recorder = newRecorder(t).url
	s.start()
	b := s.browser()
	b.signIn(s.url+"/recorder/", s.idp, people()["alice"]).wantStatus(t, http.StatusOK)
	first := s.sessionCookie(b)
	b.followWithin(b.atProvider(b.open(s.url+"/.auth/start/invent?return_to=/recorder/"), s.idp, people()["alice"], true), mustParse(t, s.url).Host).wantStatus(t, http.StatusOK)
	if second := s.sessionCookie(b); second == nil || second.Value == first.Value {
		t.Error("signing in again left the session cookie as it was: a planted session would be taken over")
	}
}

func TestASessionOutlivesARestartOfTheProxy(t *testing.T) {
	t.Parallel()
	s := setups[0].site(t)
	s.Recorder = newRecorder(t).url
	s.start()
	b := s.browser()
	b.signIn(s.url+"/recorder/", s.idp, people()["alice"]).wantStatus(t, http.StatusOK)
	s.restart()
	b.visit(s.url+"/recorder/").wantStatus(t, http.StatusOK)
}

func TestASessionEndsWhenItsLifetimeIsOver(t *testing.T) {
	t.Parallel()
	s := setups[1].site(t)
	s.Recorder = newRecorder(t).url
	s.Session = "{idle: 4s, lifetime: 6s}"
	s.start()
	b := s.browser()
	b.signIn(s.url+"/recorder/", s.idp, people()["alice"]).wantStatus(t, http.StatusOK)
	// A browser lets the cookie go when its time is over; a copy does not.
	copied := withCookie(t, s.url, s.sessionCookie(b))
	var last *answer
	eventually(t, soon, "the session ends", func() bool {
		last = copied.fetch(http.MethodGet, s.url+"/recorder/")
		return last.status != http.StatusOK
	})
	last.wantProblem(t, http.StatusUnauthorized, "session-expired")
	for _, b := range []*browser{b, copied} {
		b.visit(s.url+"/recorder/").wantStatus(t, http.StatusFound)
	}
}
