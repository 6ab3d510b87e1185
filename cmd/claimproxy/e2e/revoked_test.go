package e2e

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestARevocationThatIsToldOfIsSeenAtOnce, long before cache_max: when an administrator
// ends what a person has open here, and when the provider tells of a sign-out.
func TestARevocationThatIsToldOfIsSeenAtOnce(t *testing.T) {
	t.Parallel()
	p := newOIDCProvider(t)
	s := newSite(t, p)
	s.Recorder = newRecorder(t).url
	admin := loopback(freePort(t))
	s.config = "admin: {listen: " + admin + "}\n" + s.config
	s.start()
	p.fixtureCall(t, http.MethodPut, "/_fixture/clients/proxy-web", map[string]any{
		"backchannel_logout_uri":              "http://" + s.Listen + "/.auth/backchannel-logout/invent",
		"backchannel_logout_session_required": true,
	})
	alice := people()["alice"]
	program := s.native("native-public", "")
	for _, told := range []struct {
		name string
		tell func(sub string)
	}{
		{"by an administrator", func(sub string) {
			res, err := http.PostForm("http://"+admin+"/sessions/end", url.Values{"sub": {sub}})
			if err != nil || res.StatusCode != http.StatusOK {
				t.Fatalf("ending sessions: got %v, %v", res, err)
			}
			res.Body.Close()
		}},
		{"by the provider", func(string) {
			b := s.browser()
			b.signIn(s.url+"/recorder/", p, alice).wantStatus(t, http.StatusOK)
			b.button(b.visit(p.issuer+"/session/end").wantStatus(t, http.StatusOK), "/session/end/confirm", map[string]string{"logout": "yes"})
			eventually(t, 10*time.Second, "the provider has told of the sign-out", func() bool {
				return strings.Contains(s.process.out.since(0), "signed out by the provider")
			})
		}},
	} {
		got := program.signIn(alice)
		s.bearer("/recorder/", got.Access).wantStatus(t, http.StatusOK)
		sub, _ := program.userinfo(got.Access).object(t)["sub"].(string)
		program.revoke(got.Access)
		s.bearer("/recorder/", got.Access).wantStatus(t, http.StatusOK) // remembered
		told.tell(sub)
		if a := s.bearer("/recorder/", got.Access); a.status != http.StatusUnauthorized {
			t.Errorf("%s: got %d, want 401 at once", told.name, a.status)
		}
	}
}

// TestARevocationIsSeenAtAllReplicas: the one that remembers the token is not the one that
// the administrator asks.
func TestARevocationIsSeenAtAllReplicas(t *testing.T) {
	t.Parallel()
	p := newOIDCProvider(t)
	r := newReplicas(t, p, "", "admin: {listen: "+loopback(freePort(t))+"}", "admin: {listen: "+loopback(freePort(t))+"}")
	alice := people()["alice"]
	program := r.native("native-public", "")
	got := program.signIn(alice)
	ask := func(replica int) *answer {
		return r.at(replica, func() *answer { return r.bearer("/recorder/", got.Access) })
	}
	for i := range r.all {
		ask(i).wantStatus(t, http.StatusOK)
	}
	sub, _ := program.userinfo(got.Access).object(t)["sub"].(string)
	program.revoke(got.Access)
	for i := range r.all {
		ask(i).wantStatus(t, http.StatusOK) // remembered
	}
	admin := regexp.MustCompile(`admin: {listen: (\S+)}`).FindStringSubmatch(r.all[0].config)[1]
	res, err := http.PostForm("http://"+admin+"/sessions/end", url.Values{"sub": {sub}})
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("ending sessions: got %v, %v", res, err)
	}
	res.Body.Close()
	ask(0).wantProblem(t, http.StatusUnauthorized, "token-invalid")
	eventually(t, 2*time.Second, "the other replica has heard of it", func() bool { return ask(1).status == http.StatusUnauthorized })
}
