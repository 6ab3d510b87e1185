package provider_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

func TestAClientsCredentialsAreTriedWithoutSigningIn(t *testing.T) {
	r := start(t)
	for name, test := range map[string]struct {
		client  provider.Client
		refused bool
	}{
		"a good secret":           {provider.Client{ID: "web", Secret: webSecret}, false},
		"another secret":          {provider.Client{ID: "web", Secret: "wrong"}, true},
		"a client without one":    {provider.Client{ID: "native"}, false},
		"one that is not there":   {provider.Client{ID: "nobody", Secret: "x"}, true},
		"a secret that is lacked": {provider.Client{ID: "web"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			err := r.p.TryClient(t.Context(), test.client)
			if got := errors.Is(err, provider.ErrClientRefused); got != test.refused || !test.refused && err != nil {
				t.Errorf("got %v, want refused: %v", err, test.refused)
			}
		})
	}
	r.Fail(http.StatusBadGateway, devprovider.Token)
	wantUnavailable(t, r.p.TryClient(t.Context(), provider.Client{ID: "web", Secret: webSecret}))
}

func TestARedirectURIIsTriedWithoutSigningIn(t *testing.T) {
	r := start(t)
	if got, err := r.p.TryRedirect(t.Context()); got != provider.RedirectAccepted || err != nil {
		t.Errorf("registered: got %v, %v", got, err)
	}
	other := speakWith(t, r.Issuer(), r.clock, func(c *provider.Config) { c.RedirectURI = "https://elsewhere.example/callback" })
	if got, err := other.TryRedirect(t.Context()); got != provider.RedirectRefused || err != nil {
		t.Errorf("not registered: got %v, %v", got, err)
	}
	r.Override(devprovider.Authorization, devprovider.Redirect("/users/sign_in"))
	if got, err := r.p.TryRedirect(t.Context()); got != provider.RedirectUnclear || err != nil {
		t.Errorf("after signing in: got %v, %v", got, err)
	}
	r.Override(devprovider.Authorization, devprovider.Drop)
	_, err := r.p.TryRedirect(t.Context())
	wantUnavailable(t, err)
}

func TestClocksAreCompared(t *testing.T) {
	r := start(t)
	for _, ahead := range []time.Duration{0, -time.Hour, 3 * time.Minute} {
		r.Override(devprovider.Discovery, func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Date", r.clock.Now().Add(ahead).UTC().Format(http.TimeFormat))
			r.Real(devprovider.Discovery)(w, req)
		})
		if got, err := r.p.ClockSkew(t.Context()); got != ahead || err != nil {
			t.Errorf("got %v, %v, want %v", got, err, ahead)
		}
	}
	r.Override(devprovider.Discovery, func(w http.ResponseWriter, req *http.Request) { w.Header()["Date"] = nil })
	if _, err := r.p.ClockSkew(t.Context()); !errors.Is(err, provider.ErrNoDate) {
		t.Errorf("got %v", err)
	}
	r.Restore()
	r.clock.Advance(time.Minute) // discovery has failed a moment ago
	if n, err := r.p.KeyCount(t.Context()); n < 1 || err != nil {
		t.Errorf("got %d keys, %v", n, err)
	}
}
