package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// The tests here are about sessions in cookies alone, of two claimproxies that have nothing
// in common but a secret.

func newStatelessReplicas(t testing.TB, p *idp, more string) *replicas {
	t.Helper()
	return newReplicasWith(t, p, func(all [2]*site) *redisProcess {
		for _, s := range all {
			s.Session = inCookies(more)
		}
		return nil
	})
}

// passedOn follows an answer through all redirects, without typing anything.
func (b *browser) passedOn(a *answer) *answer {
	b.t.Helper()
	for range 15 {
		if a.location() == nil {
			return a
		}
		a = b.follow(a)
	}
	b.t.Fatalf("a redirect loop at %s", a.url)
	return nil
}

func TestSessionsInCookies(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		p := setup.shared(t)
		r := newStatelessReplicas(t, p, "")
		page := r.url + "/recorder/"
		for _, who := range []person{people()["alice"], crowd(t, p)} {
			b := r.browser()
			b.signIn(page, p, who).wantStatus(t, http.StatusOK)
			jar := r.sessionCookies(b)
			r.all[1].sessionCookies(b)
			if len(jar) > 1 != (len(who.Groups) > 100) {
				t.Errorf("%d groups take %d cookies", len(who.Groups), len(jar))
			}
			for i := range r.all {
				r.at(i, func() *answer { return b.visit(page) }).wantStatus(t, http.StatusOK)
			}
			me := b.fetch(http.MethodGet, r.url+"/.auth/me").wantStatus(t, http.StatusOK).object(t)
			if me["sessions"] != nil || me["user"] != who.Username {
				t.Errorf("me is %v", me)
			}
			b.visit(r.url+"/.auth/me").wantStatus(t, http.StatusOK).wantText(t, "Where else you are signed in is not known here")

			// A restart loses nothing, because nothing is kept.
			for i := range r.all {
				r.only.Store(int64(i))
				r.all[i].restart()
				b.visit(page).wantStatus(t, http.StatusOK)
			}
			// Signing out deletes every cookie, and the one that was asked remembers it.
			thief := withCookies(t, r.url, jar)
			r.only.Store(0)
			out := b.button(b.visit(r.url+"/.auth/sign-out").wantStatus(t, http.StatusOK), "/.auth/sign-out", nil).wantStatus(t, http.StatusSeeOther)
			if to := out.location(); to.Query().Has("id_token_hint") {
				t.Error("an ID token was kept")
			} else {
				r.leaks.add(to.Query().Get("state"))
			}
			if r.sessionCookie(b) != nil || strings.Contains(fmt.Sprint(b.cookies(r.url)), "claimproxy.") {
				t.Errorf("cookies are left: %v", b.cookies(r.url))
			}
			thief.fetch(http.MethodGet, page).wantProblem(t, http.StatusUnauthorized, "session-ended")
			r.only.Store(takeTurns)
		}
	})
}

// TestASessionInCookiesFollowsThePerson: a group that is lost is lost within recheck, and
// when the access token ends the person signs in again, without typing anything.
func TestASessionInCookiesFollowsThePerson(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		p := setup.shared(t)
		r := newStatelessReplicas(t, p, ", recheck: 1s, grace: 3s")
		page := r.url + "/recorder/"
		who := p.newPerson(t, "teams/kde-developers")
		b := r.browser()
		b.signIn(page, p, who).wantStatus(t, http.StatusOK)
		p.change(t, who, map[string]any{"groups": []string{"teams/kde-developers-emeritus"}})
		for i := range r.all {
			eventually(t, patience, "who lost the group is refused", func() bool {
				return r.at(i, func() *answer { return b.visit(page) }).status == http.StatusForbidden
			})
		}
		p.change(t, who, map[string]any{"groups": []string{"teams/kde-developers"}})
		eventually(t, patience, "who is in the group again is let in, without signing in", func() bool {
			return b.visit(page).status == http.StatusOK
		})
		r.learn(b)

		p.expireAll(t, who)
		eventually(t, patience, "the session has ended with its token", func() bool {
			return b.fetch(http.MethodGet, page).status == http.StatusUnauthorized
		})
		b.passedOn(b.visit(page).wantStatus(t, http.StatusFound)).wantStatus(t, http.StatusOK)
		b.fetch(http.MethodGet, page).wantStatus(t, http.StatusOK)

		// Signing out revokes the access token, so that a copied cookie is out at the other
		// replica too, within recheck.
		copied := r.browser()
		copied.signIn(page, p, who).wantStatus(t, http.StatusOK)
		thief := withCookies(t, r.url, r.sessionCookies(copied))
		r.all[1].learn(copied)
		r.at(1, func() *answer { return thief.fetch(http.MethodGet, page) }).wantStatus(t, http.StatusOK)
		out := r.at(0, func() *answer { return copied.button(copied.visit(r.url+"/.auth/sign-out"), "/.auth/sign-out", nil) }).wantStatus(t, http.StatusSeeOther)
		r.leaks.add(out.location().Query().Get("state"))
		eventually(t, patience, "the copied cookie is out at the other replica", func() bool {
			return r.at(1, func() *answer { return thief.fetch(http.MethodGet, page) }).status == http.StatusUnauthorized
		})

		p.change(t, who, map[string]any{"blocked": true})
		eventually(t, patience, "who is blocked is out", func() bool {
			return b.fetch(http.MethodGet, page).status != http.StatusOK
		})
	})
}

// TestSecretsAreRotatedUnderLoad: the secret of both is changed, one after the other, while
// people go on, and nobody is lost.
func TestSecretsAreRotatedUnderLoad(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"redis", "cookie"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := setups[1].shared(t)
			var r *replicas
			if name == "redis" {
				r = newReplicas(t, p, "")
			} else {
				r = newStatelessReplicas(t, p, "")
			}
			page := r.url + "/recorder/"
			var browsers []*browser
			for i := range 6 {
				who := people()["alice"]
				if i == 0 {
					who = crowd(t, p)
				}
				b := r.browser()
				b.signIn(page, p, who).wantStatus(t, http.StatusOK)
				r.learn(b)
				r.all[1].learn(b)
				browsers = append(browsers, b)
			}
			var visits, lost atomic.Int64
			stop := make(chan struct{})
			var people sync.WaitGroup
			for _, b := range browsers {
				people.Go(func() {
					for {
						select {
						case <-stop:
							return
						case <-time.After(5 * time.Millisecond):
						}
						if a := b.visit(page); a.status != http.StatusOK && lost.Add(1) == 1 {
							t.Errorf("somebody was lost: got status %d, after %d visits", a.status, visits.Load())
						}
						visits.Add(1)
					}
				})
			}
			fresh := freshSecret(t, r.all[:]...)
			for _, s := range r.all {
				s.write("next-secret", fresh)
			}
			// As docs/sessions.md says it for several.
			stages := []string{"{file: session-secret}, {file: next-secret}", "{file: next-secret}, {file: session-secret}"}
			if name == "cookie" { // whoever was there has a cookie of the new one by then
				stages = append(stages, "{file: next-secret}")
			}
			for _, secrets := range stages {
				for _, s := range r.all {
					from := s.process.out.size()
					s.put("claimproxy.yaml", strings.Replace(s.filledIn(), "secrets: [{file: session-secret}]", "secrets: ["+secrets+"]", 1))
					eventually(t, patience, "the configuration is at work", func() bool { return strings.Contains(s.process.out.since(from), loadedAgain) })
				}
				all := visits.Load() + 60
				eventually(t, patience, "everybody was there", func() bool { return visits.Load() >= all })
			}
			close(stop)
			people.Wait()
			if lost.Load() > 0 || visits.Load() < 100 {
				t.Errorf("%d of %d visits were refused", lost.Load(), visits.Load())
			}
			for _, b := range browsers {
				r.learn(b)
			}
		})
	}
}

// TestTheLargestSessionPassesANginx that is set up as docs/sessions.md says: nobody is lost
// to the limits of a web server in front.
func TestTheLargestSessionPassesANginx(t *testing.T) {
	t.Parallel()
	need(t, nginx)
	front := freePort(t)
	s := &site{t: t, dir: t.TempDir(), url: fmt.Sprintf("http://localhost:%d", front), Listen: loopback(freePort(t)), config: standardConfig, CacheMax: "5m", Recorder: newRecorder(t).url}
	s.Dir, s.Session = s.dir, inCookies("")
	s.write("client-secret", "proxy-web-secret")
	s.write("native-secret", "native-secret-secret")
	s.write("session-secret", freshSecret(t, s))
	groups := []string{"teams/kde-developers"}
	for i := range 350 { // more does not fit into a header, and is cut
		groups = append(groups, fmt.Sprintf("organisation/team-%04d", i))
	}
	provider := devprovider.NewServer(devprovider.Options{
		People:  []devprovider.Person{{Name: "max", Groups: groups}},
		Clients: []devprovider.Client{{ID: "proxy-web", Secret: "proxy-web-secret", RedirectURIs: []string{s.url + "/.auth/callback/invent"}}},
	})
	t.Cleanup(provider.Close)
	provider.SignInAs("max")
	s.Issuer = provider.Issuer()
	s.startBehindNginx("server {\n listen " + loopback(front) + ";\n server_name localhost;\n" + documented(t, "sessions.md", "nginx") +
		" location / {\n proxy_pass http://" + s.Listen + ";\n proxy_set_header Host $http_host;\n }\n}")
	b := s.browser()
	b.passedOn(b.visit(s.url+"/recorder/")).wantStatus(t, http.StatusOK)
	if jar := s.sessionCookies(b); len(jar) != 4 || len(cookieHeader(jar)) < 12<<10 {
		t.Errorf("the session takes %d cookies and %d bytes, which is no large one", len(jar), len(cookieHeader(jar)))
	}
	b.fetch(http.MethodGet, s.url+"/recorder/").wantStatus(t, http.StatusOK)
	b.visit(s.url+"/.auth/me").wantStatus(t, http.StatusOK)
}
