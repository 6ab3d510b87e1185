package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// spoofed are headers with which a client tries to be somebody else, in the
// spellings that CGI, WSGI and PHP read as the real ones.
var spoofed = []string{
	"X-Forwarded-User: admin", "x-forwarded-user: admin", "X_Forwarded_User: admin", "X-Forwarded_User: admin", "X.Forwarded.User: admin",
	"X-Forwarded-Groups: teams/sysadmins", "X_Forwarded_Groups: teams/sysadmins", "X-Forwarded-Email: admin@example.test",
	"X-Forwarded-Preferred-Username: admin", "Remote-User: admin", "Remote_User: admin", "X-WEBAUTH-USER: admin",
	"X-Original-URL: /closed/", "X-Rewrite-URL: /closed/", "X-HTTP-Method-Override: DELETE",
}

func TestIdentityReachesTheUpstreamAndNothingSpoofedDoes(t *testing.T) {
	eachSetup(t, func(t *testing.T, setup setup) {
		s := setup.site(t)
		s.Recorder = newRecorder(t).url
		s.start()
		alice := people()["alice"]

		wantAlice := func(t *testing.T, got arrival) {
			t.Helper()
			got.wantHeader(t, "X-Forwarded-User", "alice")
			got.wantHeader(t, "X-Forwarded-Email", "alice@example.test")
			got.wantHeader(t, "X-Forwarded-Groups", strings.Join(alice.Groups, ","))
			got.wantHeader(t, "X-Forwarded-Preferred-Username", "alice")
			got.wantNowhere(t, "admin", "teams/sysadmins", "/closed/", "DELETE")
			for name := range got.Header {
				if strings.ContainsAny(name, "_.") {
					t.Errorf("upstream got the header %s", name)
				}
			}
			if got.URI != "/recorder/a%20b?c=%zz;d&e=1" {
				t.Errorf("upstream got %s, want the address byte for byte", got.URI)
			}
			if got.Host != strings.TrimPrefix(s.url, "http://") {
				t.Errorf("upstream got Host %s, want the one that was asked for", got.Host)
			}
		}

		t.Run("a browser", func(t *testing.T) {
			b := s.browser()
			b.signIn(s.url+"/recorder/", s.idp, alice).wantStatus(t, http.StatusOK)
			cookie := s.sessionCookie(b)
			b.jar.SetCookies(mustParse(t, s.url), []*http.Cookie{{Name: "sessionid", Value: "the-application-s-own", Path: "/"}})
			got := b.fetch(http.MethodGet, s.url+"/recorder/a%20b?c=%zz;d&e=1", spoofed...).arrival(t)
			wantAlice(t, got)
			got.wantNowhere(t, cookie.Value, cookie.Name+"=")
			got.wantHeader(t, "Cookie", "sessionid=the-application-s-own")
			got.wantHeader(t, "Authorization")
		})
		t.Run("a native program", func(t *testing.T) {
			token := s.native("native-public", setup.resource).signIn(alice).Access
			got := s.bearer("/recorder/a%20b?c=%zz;d&e=1", token, spoofed...).arrival(t)
			wantAlice(t, got)
			got.wantNowhere(t, token)
			got.wantHeader(t, "Authorization")
		})
		t.Run("nobody, on a public path", func(t *testing.T) {
			got := get(t, s.url+"/receiver/submit/x", spoofed...).arrival(t)
			got.wantNowhere(t, "admin", "teams/sysadmins", "/closed/", "DELETE")
		})
		t.Run("a header that is named hop by hop", func(t *testing.T) {
			token := s.native("native-public", setup.resource).signIn(alice).Access
			got := s.bearer("/recorder/", token, "Connection: X-Forwarded-User, X-Forwarded-Groups").arrival(t)
			got.wantHeader(t, "X-Forwarded-User", "alice")
			got.wantHeader(t, "X-Forwarded-Groups", strings.Join(alice.Groups, ","))
		})
	})
}

func TestAnUnverifiedAddressIsNotSent(t *testing.T) {
	eachSetup(t, func(t *testing.T, setup setup) {
		s := setup.site(t)
		s.Recorder = newRecorder(t).url
		s.start()
		got := s.bearer("/recorder/", s.native("native-public", setup.resource).signIn(people()["erin"]).Access).arrival(t)
		got.wantHeader(t, "X-Forwarded-User", "erin")
		got.wantHeader(t, "X-Forwarded-Email")
	})
}

func TestATokenIsHandedOnOnlyWhereThatIsConfigured(t *testing.T) {
	t.Parallel()
	s := setups[0].site(t)
	s.Recorder = newRecorder(t).url
	s.config = strings.Replace(s.config, "routes:", `routes:
  - {path: /api/, upstream: recorder, allow: developers, forward_token: true}`, 1)
	s.start()
	token := s.native("native-public", "").signIn(people()["alice"]).Access
	s.bearer("/api/", token).arrival(t).wantHeader(t, "Authorization", "Bearer "+token)
	s.bearer("/recorder/", token).arrival(t).wantHeader(t, "Authorization")
}

func TestAnAddressWithTwoReadingsIsRefused(t *testing.T) {
	t.Parallel()
	s := setups[0].site(t)
	upstream := newRecorder(t)
	s.Recorder = upstream.url
	s.start()
	for _, target := range []string{
		"/receiver/submit/../../recorder/", "/receiver/submit/%2e%2e/recorder/", "/receiver/submit/..%2frecorder/", "/receiver/submit/..%5crecorder",
		"/receiver/submit//x", "/receiver/submit/x;y=1", "/receiver/submit/%00", "/receiver/submit/%zz", `/receiver/submit/..\recorder`,
	} {
		a := rawRequest(t, s, "GET "+target+" HTTP/1.1\r\nHost: "+strings.TrimPrefix(s.url, "http://")+"\r\nConnection: close\r\n\r\n")
		if a.StatusCode != http.StatusBadRequest {
			t.Errorf("GET %s: got status %d, want 400", target, a.StatusCode)
		}
	}
	if upstream.count() != 0 {
		t.Errorf("%d requests reached the upstream", upstream.count())
	}
}
