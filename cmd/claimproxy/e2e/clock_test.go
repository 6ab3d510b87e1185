package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestAClockThatIsMoved: that of the provider, and back. Who is signed in goes on, nobody
// new can be let in by a proof from another time, and everybody is told that it is a clock.
// The program's own clock moves in the tests of its rooms.
func TestAClockThatIsMoved(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		ahead  time.Duration
		page   string // what somebody reads who signs in
		counts string // as what that is counted
		token  string // why a program is refused, with a token from then; empty: it is not
	}{
		"ahead":  {3 * time.Hour, "is not valid yet", "token-invalid", ""},
		"behind": {-3 * time.Hour, "had already expired", "token-expired", "token-expired"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newTroubled(t, "session: {recheck: 1s}\n")
			c.start()
			b := c.mustSignIn("ada")
			c.want(t, "/developers/", c.ada, http.StatusOK)

			c.ahead.Store(int64(test.ahead))
			in, a := c.signedIn("ada")
			if in != nil {
				t.Error("somebody is let in by a proof from another time")
			}
			a.wantStatus(t, http.StatusBadRequest).wantText(t, test.page).wantText(t, "clock").wantOwn(t)
			if c.metric("claimproxy_logins_total", `result="`+test.counts+`"`) != 1 {
				t.Errorf("the metrics do not count it as %s", test.counts)
			}
			c.wantLogged(`"reason":"` + test.counts + `"`)
			token := c.provider.Issue("ada", "proxy-web", "openid profile").AccessToken
			c.leaks.add(token)
			if got := c.bearer("/developers/", token); test.token != "" {
				got.wantProblem(t, http.StatusUnauthorized, test.token)
			} else if got.status != http.StatusOK && got.status != http.StatusUnauthorized {
				t.Errorf("a token: got %d", got.status)
			}
			for began := time.Now(); time.Since(began) < 3*time.Second; time.Sleep(200 * time.Millisecond) {
				b.visit(c.url+"/developers/").wantStatus(t, http.StatusOK)
			}
			if c.metric("claimproxy_session_renewals_total") == 0 {
				t.Error("the session was not even due")
			}
			if test.ahead > 0 { // its new tokens are not valid yet
				c.wantLogged("a session cannot be checked again right now", "do the clocks differ?")
			}
			c.want(t, "/developers/", c.ada, http.StatusOK)
			c.wantReady(true)

			c.ahead.Store(0)
			b.visit(c.url+"/developers/").wantStatus(t, http.StatusOK)
			c.mustSignIn("ada")
			c.wantReady(true)
			if strings.Contains(c.process.out.since(0), `"reason":"session-ended"`) {
				t.Error("a session was ended by a clock")
			}
		})
	}
}
