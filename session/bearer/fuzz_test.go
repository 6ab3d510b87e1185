package bearer_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/devprovider"
)

// FuzzVerify: whatever text comes as a token, it ends in one of the outcomes, never
// in a panic, in an identity only if it was issued, and in no long text for the
// log.
func FuzzVerify(f *testing.F) {
	// The provider is called without a network, which would slow the search down and
	// blur what it finds.
	var r *rig
	r = start(f, publish, func(s *setup) {
		s.provider.Bearer.IDToken = true
		s.provider.Transport = roundTrip(func(req *http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			r.ServeHTTP(w, req)
			return w.Result(), nil
		})
	})
	tokens := r.Issue("ada", "native", "openid email")
	accessJWT := r.sign(map[string]any{"groups": nil})
	nonce := map[string]any{"nonce": "n", "scope": nil}
	idToken := devprovider.SignJWT(r.Key(), nil, r.claims(nonce))
	issued := map[string]bool{tokens.AccessToken: true, accessJWT: true, idToken: true}
	for token := range issued {
		r.wantIdentity(f, token)
		f.Add(token)
		f.Add(token[:len(token)-1])
		f.Add(token + "=")
		f.Add(" " + token)
	}
	stranger := devprovider.NewKey("ES256")
	stranger.ID = r.Key().ID
	f.Add(tokens.RefreshToken)
	f.Add(r.signWith(stranger, nil, nil))
	f.Add(r.signWith(devprovider.Key{ID: stranger.ID, Algorithm: "none"}, nil, nil))
	f.Add(r.sign(map[string]any{"exp": 1}))
	f.Add(r.sign(map[string]any{"aud": "https://api.example/y"}))
	f.Add(r.signMore(f, `"sub":"2",`))
	f.Add(strings.Repeat("e30.", 5))
	f.Add("e30.e30.")
	f.Add("eyJhbGciOiJub25lIn0.W10.")
	f.Add("token=x&client_id=native")
	f.Fuzz(func(t *testing.T, token string) {
		id, err := r.verify(t, token)
		var rejected *session.Rejected
		var unavailable *session.Unavailable
		switch {
		case err == nil && (id == nil || !issued[token]):
			t.Errorf("%q: identity %+v", token, id)
		case err == nil:
		case !errors.As(err, &rejected) && !errors.As(err, &unavailable):
			t.Errorf("%q: got %v, want one of the outcomes", token, err)
		case id != nil || len(err.Error()) > 1000 || len(token) > 8 && strings.Contains(err.Error(), token):
			t.Errorf("%q: identity %v, error %v", token, id, err)
		}
	})
}
