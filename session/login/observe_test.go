package login

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

// tally notes what an Observer is told.
type tally struct {
	mu   sync.Mutex
	said []string
}

func (t *tally) note(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.said = append(t.said, text)
}

func (t *tally) SignedIn(provider, result string) { t.note(fmt.Sprint(provider, " ", result)) }
func (t *tally) Renewed(provider, result string) {
	t.note(fmt.Sprint("renewed ", provider, " ", result))
}

// take returns what was noted since it was called last.
func (t *tally) take() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer func() { t.said = nil }()
	return strings.Join(t.said, "; ")
}

// TestSignInsAreTold, each of them once and with the reason why not.
func TestSignInsAreTold(t *testing.T) {
	var told tally
	s := newSite(t, func(set *setup) { set.config.Observer = &told })
	for _, step := range []struct {
		name   string
		change func()
		want   string
	}{
		{"signed in", func() {}, "invent ok"},
		{"declined", func() {
			s.idp.Override(devprovider.Authorization, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, r.FormValue("redirect_uri")+"?error=access_denied&state="+r.FormValue("state")+"&iss="+s.idp.Issuer(), http.StatusFound)
			})
		}, "invent not-allowed"},
		{"a bad ID token", func() {
			s.idp.Override(devprovider.Authorization, nil)
			s.idp.Rewrite(devprovider.IDTokenClaims, func(c map[string]any) { c["nonce"] = "another" })
		}, "invent token-invalid"},
		{"a provider that is down", func() {
			s.idp.Override(devprovider.Token, devprovider.Answer(http.StatusBadGateway, "text/plain", "down"))
		}, "invent provider-unavailable"},
	} {
		step.change()
		b := s.browser()
		b.open(b.visit("/wanted").String())
		if got := told.take(); got != step.want {
			t.Errorf("%s: got %q, want %q", step.name, got, step.want)
		}
	}
	s.browser().open("/.auth/callback/invent?state=unheard-of&code=1").want(http.StatusBadRequest)
	if got, want := told.take(), "invent session-expired"; got != want {
		t.Errorf("a browser that knows of no attempt: got %q, want %q", got, want)
	}
}
