package e2e

import "testing"

// setup is one of the ways that providers hand out tokens.
type setup struct {
	name   string
	shared func(testing.TB) *idp
	// fresh starts a provider for one test alone, which may stop it.
	fresh func(testing.TB, ...string) *idp
	// resource is what native programs ask a token for; access tokens are JWTs then.
	resource string
}

// jwt says whether access tokens are JWTs: checked without asking anybody, and
// good until they end whatever happens at the provider.
func (s setup) jwt() bool { return s.resource != "" }

var setups = []setup{
	{name: "Doorkeeper", shared: sharedDoorkeeper, fresh: newDoorkeeper},
	{name: "oidc-provider with opaque tokens", shared: sharedOIDCProvider, fresh: newOIDCProvider},
	{name: "oidc-provider with JWT tokens", shared: sharedOIDCProvider, fresh: newOIDCProvider, resource: telemetryAPI},
}

// eachSetup runs a test for every setup.
func eachSetup(t *testing.T, run func(t *testing.T, setup setup)) {
	t.Helper()
	t.Parallel()
	for _, setup := range setups {
		t.Run(setup.name, func(t *testing.T) {
			t.Parallel()
			run(t, setup)
		})
	}
}

// eachProvider runs a test for every provider, where the kind of access token
// does not matter.
func eachProvider(t *testing.T, run func(t *testing.T, setup setup)) {
	t.Helper()
	t.Parallel()
	for _, setup := range setups[:2] {
		t.Run(setup.name, func(t *testing.T) {
			t.Parallel()
			run(t, setup)
		})
	}
}

// site prepares an installation in front of the shared provider.
func (s setup) site(t testing.TB) *site {
	t.Helper()
	return s.siteAt(t, s.shared(t))
}

// siteAt prepares an installation in front of a provider.
func (s setup) siteAt(t testing.TB, p *idp) *site {
	t.Helper()
	site := newSite(t, p)
	if s.jwt() {
		site.Audiences = []string{s.resource}
	}
	return site
}
