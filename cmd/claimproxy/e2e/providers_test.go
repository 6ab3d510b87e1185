package e2e

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// The tests here hold the providers themselves to what the other tests rely on:
// a fixture that does not behave as the real thing proves nothing.

func TestDoorkeeperAnswersLikeGitLab(t *testing.T) {
	t.Parallel()
	p := sharedDoorkeeper(t)
	alice := people()["alice"]
	own := native{t: t, idp: p, client: "native-public"}
	web := native{t: t, idp: p, client: "proxy-web", secret: "proxy-web-secret"}
	got := own.signIn(alice)

	discovery := get(t, p.issuer+"/.well-known/openid-configuration").wantStatus(t, http.StatusOK).object(t)
	if want := p.issuer + "/oauth/introspect"; discovery["introspection_endpoint"] != want {
		t.Errorf("discovery: got introspection_endpoint %v, want %s", discovery["introspection_endpoint"], want)
	}
	if len(got.Access) != 64 || strings.Contains(got.Access, ".") {
		t.Errorf("access token: got %d characters, want 64 opaque ones", len(got.Access))
	}
	if reply := own.introspect(got.Access); reply["active"] != true || reply["client_id"] != "native-public" || reply["sub"] != nil || reply["aud"] != nil {
		t.Errorf("introspection by the token's own client: got %v, want active, its client_id, nobody named", reply)
	}
	if reply := web.introspect(got.Access); reply["active"] != false {
		t.Errorf("introspection by another client: got %v, want inactive", reply)
	}
	if reply := own.introspect(got.Refresh); reply["active"] != true || reply["token_type"] != "Bearer" {
		t.Errorf("introspection of a refresh token: got %v, want it called active, as Doorkeeper does", reply)
	}
	own.userinfo(got.Refresh).wantStatus(t, http.StatusUnauthorized)

	claims := own.userinfo(got.Access).wantStatus(t, http.StatusOK).object(t)
	if groups := texts(claims["groups"]); !slices.Equal(groups, alice.Groups) {
		t.Errorf("userinfo: got groups %v, want %v", groups, alice.Groups)
	}
	idToken := payload(t, got.ID)
	if idToken["groups"] != nil || idToken["groups_direct"] == nil {
		t.Errorf("ID token: got %v, want groups_direct and no groups", idToken)
	}
	info := get(t, p.issuer+"/oauth/token/info", "Authorization: Bearer "+got.Access).wantStatus(t, http.StatusOK).object(t)
	if app, _ := info["application"].(map[string]any); app["uid"] != "native-public" {
		t.Errorf("token/info: got %v, want application native-public", info)
	}

	own.refresh(got)
	own.userinfo(got.Access).wantStatus(t, http.StatusUnauthorized) // a refresh ends the old pair at once

	mallory := p.newPerson(t, "teams/kde-developers")
	tokens := own.signIn(mallory)
	p.change(t, mallory, map[string]any{"blocked": true})
	own.userinfo(tokens.Access).wantStatus(t, http.StatusInternalServerError)
	if reply := own.introspect(tokens.Access); reply["active"] != true {
		t.Errorf("introspection of a blocked person's token: got %v, want it still active", reply)
	}
}

func TestOIDCProviderIsTheStrictOne(t *testing.T) {
	t.Parallel()
	p := sharedOIDCProvider(t)
	alice := people()["alice"]
	own := native{t: t, idp: p, client: "native-public"}
	web := native{t: t, idp: p, client: "proxy-web", secret: "proxy-web-secret"}
	got := own.signIn(alice)

	discovery := get(t, p.issuer+"/.well-known/openid-configuration").wantStatus(t, http.StatusOK).object(t)
	if discovery["authorization_response_iss_parameter_supported"] != true {
		t.Error("discovery does not announce the iss parameter")
	}
	if reply := web.introspect(got.Access); reply["active"] != true || reply["client_id"] != "native-public" {
		t.Errorf("introspection by another confidential client: got %v, want active and the token's client_id", reply)
	}
	if reply := web.introspect(got.Refresh); reply["active"] != true || reply["token_type"] != nil {
		t.Errorf("introspection of a refresh token: got %v, want active without token_type", reply)
	}
	claims := own.userinfo(got.Access).wantStatus(t, http.StatusOK).object(t)
	if groups := texts(claims["groups"]); !slices.Equal(groups, alice.Groups) {
		t.Errorf("userinfo: got groups %v, want %v", groups, alice.Groups)
	}
	if idToken := payload(t, got.ID); idToken["groups"] != nil {
		t.Errorf("ID token: got %v, want no groups", idToken)
	}

	jwt := native{t: t, idp: p, client: "native-public", resource: telemetryAPI}
	signed := jwt.signIn(alice)
	access := payload(t, signed.Access)
	if access["aud"] != telemetryAPI || access["client_id"] != "native-public" || access["iss"] != p.issuer {
		t.Errorf("JWT access token: got %v, want aud %s and the client's id", access, telemetryAPI)
	}
	if groups := texts(access["groups"]); !slices.Equal(groups, alice.Groups) {
		t.Errorf("JWT access token: got groups %v, want %v", groups, alice.Groups)
	}
	jwt.userinfo(signed.Access).wantStatus(t, http.StatusUnauthorized)
	web.post(p.introspectPath, url.Values{"token": {signed.Access}}).wantStatus(t, http.StatusBadRequest)

	renewed := own.refresh(got)
	own.userinfo(got.Access).wantStatus(t, http.StatusOK) // unlike Doorkeeper's, the old access token lives on
	own.post(p.tokenPath, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.Refresh}}).wantStatus(t, http.StatusBadRequest)
	own.userinfo(renewed.Access).wantStatus(t, http.StatusUnauthorized) // reuse ends the whole grant
}

func TestProvidersKnowTheirTokensAfterARestart(t *testing.T) {
	eachProvider(t, func(t *testing.T, setup setup) {
		p := setup.fresh(t)
		n := native{t: t, idp: p, client: "native-public"}
		got := n.signIn(people()["alice"])
		p.stop(t)
		p.start(t)
		n.userinfo(got.Access).wantStatus(t, http.StatusOK)
		n.refresh(got)
	})
}

// payload decodes the claims of a JWT without looking at its signature.
func payload(t testing.TB, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("JWT: got %d parts, want 3", len(parts))
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatalf("JWT: %v", err)
	}
	var claims map[string]any
	if err := json.Unmarshal(data, &claims); err != nil {
		t.Fatalf("JWT: %v", err)
	}
	return claims
}

// texts reads a list of strings out of decoded JSON.
func texts(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, e := range list {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}
