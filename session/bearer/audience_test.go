package bearer_test

import (
	"encoding/json"
	"testing"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/devprovider"
)

const telemetry = "https://telemetry.example"

// publish has api.example published as a protected resource, and the audience
// telemetry configured.
func publish(s *setup) {
	s.provider.Bearer.Audiences = []string{telemetry}
	s.verifier.Resource = func(host string) string {
		if host == "api.example" {
			return "https://api.example"
		}
		return ""
	}
}

// TestTokenForAnotherServiceIsRefused: Argo CD's CVE-2023-22482 and Vault's
// CVE-2024-5798, a good token of the right provider that was meant for somebody
// else.
func TestTokenForAnotherServiceIsRefused(t *testing.T) {
	r := start(t, publish)
	for _, c := range []struct {
		name   string
		aud    any
		reason session.Reason
	}{
		{"the provider's own client", "web", ""},
		{"another listed client", "tool", ""},
		{"a listed client among others", []string{"https://other.example", "native"}, ""},
		{"a configured audience", telemetry, ""},
		{"a configured audience among others", []string{"x", telemetry}, ""},
		{"the published resource", "https://api.example", ""},
		{"a listed client beside what is no text", []any{5, "web", nil}, ""},
		{"another service", "https://other.example", session.ReasonTokenAudience},
		{"other services", []string{"https://other.example", "account"}, session.ReasonTokenAudience},
		{"a client that is not listed", "stranger", session.ReasonTokenAudience},
		{"the issuer", r.Issuer(), session.ReasonTokenAudience},
		{"nobody", nil, session.ReasonTokenAudience},
		{"null", json.RawMessage("null"), session.ReasonTokenAudience},
		{"an empty list", []string{}, session.ReasonTokenAudience},
		{"the empty audience", "", session.ReasonTokenAudience},
		{"a client in capitals", "WEB", session.ReasonTokenAudience},
		{"the beginning of a client", "we", session.ReasonTokenAudience},
		{"a client and a blank", "web ", session.ReasonTokenAudience},
		{"two clients in one text", "web native", session.ReasonTokenAudience},
		{"an object", map[string]any{"web": "web"}, session.ReasonTokenAudience},
		{"a list in a list", []any{[]string{"web"}}, session.ReasonTokenAudience},
		{"a path below a configured audience", telemetry + "/x", session.ReasonTokenAudience},
		{"a configured audience with a slash", telemetry + "/", session.ReasonTokenAudience},
	} {
		t.Run(c.name, func(t *testing.T) { r.want(t, r.sign(map[string]any{"aud": c.aud}), c.reason) })
	}
}

// TestPublishedResourceIsHostAndPathPrefix: RFC 9728 has a resource with a path
// published for that path; a token for /api is none for /apix.
func TestPublishedResourceIsHostAndPathPrefix(t *testing.T) {
	r := start(t, publish)
	for _, c := range []struct {
		name, aud, host, path string
		good                  bool
	}{
		{"the whole host", "https://api.example", "api.example", "/anything", true},
		{"the whole host, with a slash", "https://api.example/", "api.example", "/anything", true},
		{"the very path", "https://api.example/x", "api.example", "/x", true},
		{"the very path with a slash behind", "https://api.example/x", "api.example", "/x/", true},
		{"below the path", "https://api.example/x", "api.example", "/x/y/z", true},
		{"a resource that ends in a slash", "https://api.example/x/", "api.example", "/x/y", true},
		{"a deeper path", "https://api.example/x/y", "api.example", "/x/y/z", true},
		{"beside the path", "https://api.example/x", "api.example", "/xy", false},
		{"beside the path, with a slash", "https://api.example/x/", "api.example", "/xy", false},
		{"above the path", "https://api.example/x/y", "api.example", "/x", false},
		{"the root", "https://api.example/x", "api.example", "/", false},
		{"in other letters", "https://api.example/x", "api.example", "/X", false},
		{"behind an encoded slash", "https://api.example/x", "api.example", "/x%2Fy", false},
		{"another host, not published", "https://api.example", "other.example", "/x", false},
		{"a host that is named but not published", "https://other.example", "other.example", "/x", false},
		{"without TLS", "http://api.example", "api.example", "/x", false},
		{"a host in capitals", "https://API.example", "api.example", "/x", false},
		{"a longer host", "https://api.example.evil.example", "api.example", "/x", false},
		{"a longer name", "https://api.examples/x", "api.example", "/x", false},
		{"a port", "https://api.example:8443/x", "api.example", "/x", false},
		{"a user before another host", "https://api.example@evil.example/x", "api.example", "/x", false},
		{"a query", "https://api.example?x", "api.example", "/x", false},
		{"a path alone", "/x", "api.example", "/x", false},
		{"the host alone", "api.example", "api.example", "/x", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			token := r.sign(map[string]any{"aud": c.aud})
			id, err := r.v.Verify(t.Context(), session.Presented{Token: token, Host: c.host, Path: c.path})
			if !c.good {
				wantReason(t, id, err, session.ReasonTokenAudience)
			} else if err != nil {
				t.Errorf("got %v, want an identity", err)
			}
		})
	}
}

// TestCachedTokenIsNoKeyToOtherResources: Oathkeeper's CVE-2021-32701, what one
// route had cached opened the next.
func TestCachedTokenIsNoKeyToOtherResources(t *testing.T) {
	r := start(t, publish)
	token := r.sign(map[string]any{"aud": "https://api.example/x"})
	for range 2 { // the second time both answers come out of the cache
		for _, c := range []struct {
			host, path string
			good       bool
		}{{"other.example", "/x", false}, {"api.example", "/y", false}, {"api.example", "/x/1", true}, {"api.example", "/", false}} {
			id, err := r.v.Verify(t.Context(), session.Presented{Token: token, Host: c.host, Path: c.path})
			if !c.good {
				wantReason(t, id, err, session.ReasonTokenAudience)
			} else if err != nil {
				t.Errorf("%s%s: got %v, want an identity", c.host, c.path, err)
			}
		}
	}
}

// TestNothingIsPublishedUnlessSaid: without a resource a token for this very host
// is for somebody else.
func TestNothingIsPublishedUnlessSaid(t *testing.T) {
	r := start(t)
	r.wantRejected(t, r.sign(map[string]any{"aud": "https://api.example"}), session.ReasonTokenAudience)
	r.wantIdentity(t, r.sign(nil))
}

// TestClientAloneDoesNotMarkAnAccessToken: a token with no mark may be an ID token,
// a signed userinfo reply or what a CI job was given for the asking. What was made
// for this service by name is accepted.
func TestClientAloneDoesNotMarkAnAccessToken(t *testing.T) {
	r := start(t, publish)
	for _, c := range []struct {
		name   string
		aud    any
		reason session.Reason
	}{
		{"a client", "web", session.ReasonTokenAudience},
		{"two clients", []string{"web", "native"}, session.ReasonTokenAudience},
		{"a client and another service", []string{"web", "https://other.example"}, session.ReasonTokenAudience},
		{"a configured audience", telemetry, ""},
		{"a client and a configured audience", []string{"web", telemetry}, ""},
		{"the published resource", "https://api.example/x", ""},
		{"a client and the published resource", []string{"web", "https://api.example/x"}, ""},
		{"a client and another path of it", []string{"web", "https://api.example/y"}, session.ReasonTokenAudience},
	} {
		t.Run(c.name, func(t *testing.T) {
			claims := r.claims(map[string]any{"aud": c.aud, "scope": nil})
			r.want(t, devprovider.SignJWT(r.Key(), map[string]any{"typ": "JWT"}, claims), c.reason)
		})
	}
}

// TestJWTOfAForeignClientIsRefused: each claim that names a client must name a
// listed one. Whoever looked at one of them alone would take a token that the
// same provider gave to a stranger's application.
func TestJWTOfAForeignClientIsRefused(t *testing.T) {
	r := start(t, publish)
	for _, c := range []struct {
		name   string
		change map[string]any
		client string
		reason session.Reason
	}{
		{"client_id", map[string]any{"client_id": "native"}, "native", ""},
		{"azp", map[string]any{"azp": "tool"}, "tool", ""},
		{"appid", map[string]any{"appid": "tool"}, "tool", ""},
		{"cid", map[string]any{"cid": "tool"}, "tool", ""},
		{"all of them", map[string]any{"client_id": "native", "azp": "native", "appid": "native", "cid": "native"}, "native", ""},
		{"two listed ones", map[string]any{"client_id": "native", "azp": "web"}, "native", ""},
		{"none, and a client in aud", map[string]any{"aud": []string{"x", "web"}}, "web", ""},
		{"none, and a configured audience", map[string]any{"aud": telemetry}, "", ""},
		{"a foreign client_id", map[string]any{"client_id": "stranger"}, "", session.ReasonTokenClient},
		{"a foreign azp", map[string]any{"azp": "stranger"}, "", session.ReasonTokenClient},
		{"a foreign appid", map[string]any{"appid": "stranger"}, "", session.ReasonTokenClient},
		{"a foreign cid", map[string]any{"cid": "stranger"}, "", session.ReasonTokenClient},
		{"a foreign azp beside a listed client_id", map[string]any{"client_id": "native", "azp": "stranger"}, "", session.ReasonTokenClient},
		{"a foreign client_id beside a listed azp", map[string]any{"client_id": "stranger", "azp": "native"}, "", session.ReasonTokenClient},
		{"a foreign cid beside three listed", map[string]any{"client_id": "web", "azp": "web", "appid": "web", "cid": "stranger"}, "", session.ReasonTokenClient},
		{"a foreign client for a configured audience", map[string]any{"aud": telemetry, "azp": "stranger"}, "", session.ReasonTokenClient},
		{"a foreign client for the published resource", map[string]any{"aud": "https://api.example", "azp": "stranger"}, "", session.ReasonTokenClient},
		{"an empty client_id", map[string]any{"client_id": ""}, "", session.ReasonTokenClient},
		{"null", map[string]any{"azp": json.RawMessage("null")}, "", session.ReasonTokenClient},
		{"a list", map[string]any{"azp": []string{"native"}}, "", session.ReasonTokenClient},
		{"in capitals", map[string]any{"azp": "NATIVE"}, "", session.ReasonTokenClient},
	} {
		t.Run(c.name, func(t *testing.T) {
			change := map[string]any{"client_id": nil}
			for name, v := range c.change {
				change[name] = v
			}
			token := r.sign(change)
			if r.want(t, token, c.reason); c.reason != "" {
				return
			}
			if id := r.wantIdentity(t, token); id.ClientID != c.client {
				t.Errorf("client %q, want %q", id.ClientID, c.client)
			}
		})
	}
	if r.asked() != 0 {
		t.Errorf("the provider was asked %d times about a stranger's tokens", r.asked())
	}
}
