package provider_test

import (
	"testing"

	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

// TestAChangedSecretAsksNobodyForMetadataAndKeys: the provider may be down just then.
func TestAChangedSecretAsksNobodyForMetadataAndKeys(t *testing.T) {
	r := start(t)
	token := r.sign(r.Key(), map[string]any{"typ": "at+jwt"}, map[string]any{"aud": "web", "client_id": "web"})
	if _, err := r.verify(t, token); err != nil {
		t.Fatal(err)
	}
	next := speakWith(t, r.Issuer(), r.clock, func(c *provider.Config) { c.Client.Secret = "another" })
	next.Inherit(r.p)
	r.p = next
	if _, err := r.verify(t, token); err != nil {
		t.Errorf("got %v", err)
	}
	r.wantCalls(t, devprovider.Discovery, 1)
	r.wantCalls(t, devprovider.KeySet, 1)
}

// TestNothingIsInheritedAcrossIssuers: the keys of one provider never vouch for another.
func TestNothingIsInheritedAcrossIssuers(t *testing.T) {
	r := start(t)
	if _, err := r.p.Metadata(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*provider.Config){
		"another issuer":        func(c *provider.Config) { c.Issuer += "/" },
		"other keys configured": func(c *provider.Config) { c.Overrides.JWKSURI = r.Issuer() + "/elsewhere" },
	} {
		t.Run(name, func(t *testing.T) {
			next := speakWith(t, r.Issuer(), r.clock, change)
			before := r.Calls(devprovider.Discovery)
			next.Inherit(r.p)
			_, _ = next.Metadata(t.Context())
			if r.Calls(devprovider.Discovery) == before {
				t.Error("nobody was asked")
			}
		})
	}
}
