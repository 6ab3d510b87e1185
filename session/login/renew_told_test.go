package login_test

import (
	"net/http"
	"slices"
	"testing"

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
