package login_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/devprovider"
)

// renewals notes how they came out.
type renewals []string

func (n *renewals) SignedIn(string, string) {}

func (n *renewals) Renewed(provider, result string) { *n = append(*n, provider+" "+result) }

// TestRenewalsAreTold, and nothing is as long as none is due.
func TestRenewalsAreTold(t *testing.T) {
	k := signedIn(t)
	use := func() { _, _ = k.store.Identify(k.request()) }
	use()
	k.clock.Advance(recheck)
	use()
	use()
	k.Override(devprovider.UserInfo, devprovider.Answer(http.StatusBadGateway, "text/plain", "down"))
	k.clock.Advance(recheck)
	use()
	k.Override(devprovider.UserInfo, nil)
	k.RevokeAll("ada")
	k.clock.Advance(recheck)
	use()
	want := []string{"dev ok", "dev provider-unavailable", "dev session-ended"}
	if !slices.Equal(k.told, want) {
		t.Errorf("got %q, want %q", k.told, want)
	}
}

// TestAWrongClockEndsNoSession: an ID token that a refresh has brought a moment ago, and
// that is over already or not valid yet, says nothing about the person.
func TestAWrongClockEndsNoSession(t *testing.T) {
	for name, change := range map[string]func(map[string]any, time.Time){
		"not valid yet": func(c map[string]any, now time.Time) { c["iat"] = now.Add(time.Hour).Unix() },
		"over already":  func(c map[string]any, now time.Time) { c["exp"] = now.Add(-time.Hour).Unix() },
		"old":           func(c map[string]any, now time.Time) { c["iat"] = now.Add(-48 * time.Hour).Unix() },
	} {
		t.Run(name, func(t *testing.T) {
			k := signedIn(t, func(o *devprovider.Options) { o.AccessTokenLife = time.Minute })
			k.Rewrite(devprovider.IDTokenClaims, func(c map[string]any) { change(c, k.clock.Now()) })
			k.clock.Advance(recheck)
			if _, err := k.store.Identify(k.request()); err != nil {
				t.Errorf("within its grace the session is refused: %v", err)
			}
			k.clock.Advance(recheck + grace)
			var u *session.Unavailable
			if _, err := k.store.Identify(k.request()); !errors.As(err, &u) {
				t.Errorf("after its grace: got %v, want that it cannot be known", err)
			}
			k.Rewrite(devprovider.IDTokenClaims, nil)
			k.clock.Advance(time.Minute)
			if _, err := k.store.Identify(k.request()); err != nil {
				t.Errorf("with a clock that is right again: %v", err)
			}
			if n := len(k.told); n != 3 || k.told[0] != "dev provider-unavailable" || k.told[2] != "dev ok" {
				t.Errorf("counted as %q", k.told)
			}
		})
	}
}
