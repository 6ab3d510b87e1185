package e2e

import (
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestWhatEndsAtOneReplicaEndsAtAll: the cookie of somebody's laptop was copied, and both
// replicas have the session in memory. It ends at one of them, in a way that knows no
// cookie, and the copy is dead at the other.
func TestWhatEndsAtOneReplicaEndsAtAll(t *testing.T) {
	t.Parallel()
	p := newOIDCProvider(t)
	alice := people()["alice"]
	for _, test := range []struct {
		name string
		// end ends the session of the laptop by way of the first replica.
		end func(t *testing.T, r *replicas, laptop *browser, admin string)
		// phone says whether the person's other session goes on.
		phone bool
	}{
		{"by back-channel logout", func(t *testing.T, r *replicas, laptop *browser, _ string) {
			r.only.Store(0) // the provider's call comes by itself
			asks := laptop.visit(p.issuer+"/session/end").wantStatus(t, http.StatusOK)
			laptop.button(asks, "/session/end/confirm", map[string]string{"logout": "yes"})
		}, true},
		{"by claimproxy sessions end", func(t *testing.T, r *replicas, laptop *browser, admin string) {
			me := laptop.fetch(http.MethodGet, r.url+"/.auth/me").wantStatus(t, http.StatusOK).object(t)
			sub, _ := me["sub"].(string)
			out, err := exec.Command(binary(t), "sessions", "end", "--admin", "http://"+admin, "--provider", "invent", "--sub", sub).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "2 sessions have ended") {
				t.Fatalf("claimproxy sessions end: got %v, want two sessions ended\n%s", err, out)
			}
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			admin := loopback(freePort(t))
			r := newReplicas(t, p, "", "admin: {listen: "+admin+"}")
			p.fixtureCall(t, http.MethodPut, "/_fixture/clients/proxy-web", map[string]any{
				"backchannel_logout_uri":              r.url + "/.auth/backchannel-logout/invent",
				"backchannel_logout_session_required": true,
			})
			page := r.url + "/recorder/"
			laptop, phone := r.browser(), r.browser()
			for _, b := range []*browser{laptop, phone} {
				b.signIn(page, p, alice).wantStatus(t, http.StatusOK)
			}
			copied := r.sessionCookie(laptop)
			r.leaks.add(copied.Value)
			r.all[1].leaks.add(copied.Value)
			thief := withCookie(t, r.url, copied)
			for i := range r.all {
				for _, b := range []*browser{laptop, phone, thief} {
					r.at(i, func() *answer { return b.fetch(http.MethodGet, page) }).wantStatus(t, http.StatusOK)
				}
			}

			test.end(t, r, laptop, admin)
			r.only.Store(1)
			eventually(t, 2*time.Second, "the other replica has heard of it", func() bool {
				return thief.fetch(http.MethodGet, page).status == http.StatusUnauthorized
			})
			for i := range r.all {
				for _, b := range []*browser{laptop, thief} {
					r.at(i, func() *answer { return b.fetch(http.MethodGet, page) }).wantProblem(t, http.StatusUnauthorized, "session-ended")
				}
				a := r.at(i, func() *answer { return phone.fetch(http.MethodGet, page) })
				if test.phone {
					a.wantStatus(t, http.StatusOK)
				} else {
					a.wantProblem(t, http.StatusUnauthorized, "session-ended")
				}
			}
		})
	}
}
