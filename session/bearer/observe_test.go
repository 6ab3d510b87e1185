package bearer_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/claimproxy/claimproxy/session"
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

func (t *tally) LookedUp(provider, kind, result string) {
	t.note(fmt.Sprint("looked up ", provider, " ", kind, " ", result))
}

func (t *tally) Found(provider, kind, result string) func() {
	return func() { t.note(fmt.Sprint("found ", provider, " ", kind, " ", result)) }
}

// take returns what was noted since it was called last, sorted.
func (t *tally) take() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer func() { t.said = nil }()
	slices.Sort(t.said)
	return strings.Join(t.said, "; ")
}

// TestLookupsAndFindsAreTold: each token twice. A JWT about which nobody need be asked is
// remembered when it comes for the second time.
func TestLookupsAndFindsAreTold(t *testing.T) {
	var told tally
	r := start(t, func(s *setup) {
		s.verifier.Observer = &told
		s.provider.Bearer.IDTokenHeader = "X-ID-Token"
	})
	opaque := r.Issue("ada", "web", "openid")
	stranger, another := r.sign(map[string]any{"client_id": "stranger"}), r.sign(map[string]any{"jti": "another"})
	for _, test := range []struct {
		name, token, idToken string
		once, again          string
	}{
		{"opaque", opaque.AccessToken, "", "looked up dev opaque good", "found dev opaque good"},
		{"opaque that nobody has", "nobody", "", "looked up dev opaque refused", "found dev opaque refused"},
		{"a JWT", r.sign(nil), "", "looked up dev jwt good", "found dev jwt good"},
		{"a JWT of another client", stranger, "", "looked up dev jwt refused", "looked up dev jwt refused"},
		{"the same again", stranger, "", "found dev jwt refused", "found dev jwt refused"},
		{"another JWT", another, "", "looked up dev jwt good", "looked up dev jwt good"},
		{"this one again", another, "", "found dev jwt good", "found dev jwt good"},
		{"an ID token beside", opaque.AccessToken, opaque.IDToken, "found dev opaque good; looked up dev id_token good", "found dev id_token good; found dev opaque good"},
		{"no token at all", "with blanks", "", "", ""},
	} {
		for _, want := range []string{test.once, test.again} {
			shown := session.Presented{Token: test.token, Host: "api.example", Path: "/x"}
			if test.idToken != "" {
				shown.Header = http.Header{"X-Id-Token": {test.idToken}}
			}
			_, err := r.v.Verify(t.Context(), shown)
			if got := told.take(); got != want {
				t.Errorf("%s: got %q (%v), want %q", test.name, got, err, want)
			}
		}
	}
	// What cannot be known is not remembered.
	r.Override(devprovider.Introspection, devprovider.Answer(http.StatusBadGateway, "text/plain", "down"))
	for range 2 {
		r.wantUnavailable(t, "unheard-of")
		if got, want := told.take(), "looked up dev opaque unknown"; got != want {
			t.Errorf("while the provider is down: got %q, want %q", got, want)
		}
	}
}
