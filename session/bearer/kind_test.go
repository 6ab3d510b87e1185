package bearer_test

import (
	"maps"
	"testing"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/devprovider"
)

type object = map[string]any

// good is the reason of a token that is accepted.
const good session.Reason = ""

// outcome is what becomes of a token where accept names access_token, id_token, or
// both.
type outcome struct{ access, id, both session.Reason }

var (
	isAccess   = outcome{good, session.ReasonTokenKind, good}
	isID       = outcome{session.ReasonTokenKind, good, good}
	isForeign  = same(session.ReasonTokenKind)
	isUnsure   = outcome{session.ReasonTokenAudience, session.ReasonTokenKind, session.ReasonTokenAudience}
	isForOther = outcome{session.ReasonTokenAudience, session.ReasonTokenKind, session.ReasonTokenAudience}
)

func same(r session.Reason) outcome { return outcome{r, r, r} }

// shape is a token as a provider in the field makes it. iss, iat and exp are added
// unless they are there; nil leaves one out.
type shape struct {
	name    string
	header  object
	claims  object
	outcome outcome
	auth    session.Auth // bearer when empty
}

var plain = object{"typ": "JWT"}

// with adds claims to others.
func with(claims, more object) object {
	all := maps.Clone(claims)
	maps.Copy(all, more)
	return all
}

// The listed clients web and native stand for whatever ids a provider gives.
var (
	gitlab = object{
		"sub": "1", "aud": "web", "auth_time": 1795262400, "sub_legacy": "6f1c", "name": "Ada", "nickname": "ada",
		"preferred_username": "ada", "email": "ada@kde.example", "email_verified": true, "groups_direct": []string{"teams/kde-developers"},
	}
	keycloak24 = object{
		"jti": "a5", "sub": "9e0c", "typ": "Bearer", "azp": "native", "session_state": "5f", "sid": "5f", "acr": "1",
		"allowed-origins": []string{"https://telemetry.example"}, "realm_access": object{"roles": []string{"offline_access"}},
		"scope": "openid email profile", "preferred_username": "ada", "aud": []string{"web", "account"},
	}
	keycloak25 = object{
		"jti": "onrtac:a5", "sub": "9e0c", "typ": "Bearer", "azp": "native", "sid": "5f", "acr": "1",
		"realm_access": object{"roles": []string{"offline_access"}}, "scope": "openid email profile",
		"preferred_username": "ada", "aud": []string{"web", "account"},
	}
	keycloakID = object{
		"jti": "b6", "sub": "9e0c", "typ": "ID", "azp": "native", "aud": "native", "nonce": "n", "at_hash": "h", "acr": "1",
		"sid": "5f", "auth_time": 1795262400, "preferred_username": "ada",
	}
	entra1 = object{
		"aud": telemetry, "nbf": 1795262400, "acr": "1", "aio": "AX", "amr": []string{"pwd"}, "appid": "native", "appidacr": "0",
		"name": "Ada", "oid": "0f31", "scp": "user_impersonation", "sub": "pairwise", "tid": "7d", "unique_name": "ada@kde.example",
		"upn": "ada@kde.example", "uti": "u", "ver": "1.0",
	}
	entra2 = object{
		"aud": "web", "nbf": 1795262400, "aio": "AX", "azp": "native", "azpacr": "0", "name": "Ada", "oid": "0f31",
		"preferred_username": "ada@kde.example", "scp": "Telemetry.Read", "sub": "pairwise", "tid": "7d", "uti": "u", "ver": "2.0",
	}
	entraApp = object{
		"aud": "web", "nbf": 1795262400, "aio": "AX", "azp": "native", "azpacr": "1", "oid": "0f31", "sub": "0f31",
		"roles": []string{"Telemetry.Read.All"}, "tid": "7d", "uti": "u", "ver": "2.0",
	}
	entraID = object{
		"aud": "web", "nbf": 1795262400, "name": "Ada", "nonce": "n", "oid": "0f31", "preferred_username": "ada@kde.example",
		"sub": "pairwise", "tid": "7d", "uti": "u", "ver": "2.0",
	}
	google = object{
		"azp": "native", "aud": "native", "sub": "110169484474386276334", "hd": "kde.example", "email": "ada@kde.example",
		"email_verified": true, "at_hash": "h",
	}
	lemon = object{
		"sub": "ada", "aud": []string{"native"}, "client_id": "native", "jti": "c7", "scope": "openid profile", "sid": "s",
	}
	lemonID = object{
		"sub": "ada", "aud": []string{"native"}, "azp": "native", "acr": "loa-2", "auth_time": 1795262400, "at_hash": "h", "sid": "s",
	}
	panva = object{
		"jti": "d8", "sub": "ada", "client_id": "native", "aud": telemetry, "scope": "read", "groups": []string{"teams/kde-developers"},
	}
	auth0 = object{
		"sub": "auth0|507f", "aud": []string{telemetry, "https://kde.eu.auth0.example/userinfo"}, "azp": "native",
		"scope": "openid profile", "permissions": []string{"read:data"},
	}
	kubernetes = object{
		"aud": []string{telemetry}, "nbf": 1795262400, "jti": "e9", "sub": "system:serviceaccount:monitoring:prometheus",
		"kubernetes.io": object{"namespace": "monitoring", "serviceaccount": object{"name": "prometheus", "uid": "u"}},
	}
	logout = object{
		"aud": "native", "jti": "fa", "sub": "1", "sid": "s", "events": object{"http://schemas.openid.net/event/backchannel-logout": object{}},
	}
)

var shapes = []shape{
	{"GitLab: ID token", plain, with(gitlab, object{"nonce": "n"}), isID, ""},
	{"GitLab: refreshed ID token, which has no nonce", plain, gitlab, isUnsure, ""},
	// Whoever may write a CI job chooses its audience.
	{"GitLab: token of a CI job", plain, object{
		"sub": "project_path:eve/x:ref_type:branch:ref:main", "aud": "web", "nbf": 1795262400, "jti": "j", "project_path": "eve/x",
		"user_login": "eve", "groups_direct": []string{"teams/kde-developers"}, "job_id": "7",
	}, isUnsure, ""},

	{"Keycloak 24: access token", plain, keycloak24, isAccess, ""},
	{"Keycloak 24: access token without an audience mapper", plain, with(keycloak24, object{"aud": "account"}), isForOther, ""},
	{"Keycloak 24: access token of another client", plain, with(keycloak24, object{"azp": "stranger"}),
		outcome{session.ReasonTokenClient, session.ReasonTokenKind, session.ReasonTokenClient}, ""},
	{"Keycloak 24: service account", plain, with(keycloak24, object{
		"preferred_username": "service-account-native", "clientId": "native", "clientHost": "192.0.2.1", "session_state": nil,
	}), isAccess, session.AuthClient},
	{"Keycloak: ID token", plain, keycloakID, isID, ""},
	{"Keycloak: refresh token", plain, with(keycloakID, object{"typ": "Refresh", "scope": "openid"}), isForeign, ""},
	{"Keycloak: offline token", plain, with(keycloakID, object{"typ": "Offline", "scope": "openid"}), isForeign, ""},
	{"Keycloak: logout token", object{"typ": "logout+jwt"}, with(logout, object{"typ": "Logout"}), isForeign, ""},
	{"Keycloak: logout token of old", plain, with(logout, object{"typ": "Logout"}), isForeign, ""},
	{"Keycloak 25: access token", plain, keycloak25, isAccess, ""},
	{"Keycloak 26: access token by RFC 9068", object{"typ": "at+jwt"}, keycloak25, isAccess, ""},
	{"Keycloak 25: access token without the scope basic", plain, with(keycloak25, object{"sub": nil}), isAccess, session.AuthClient},
	{"Keycloak 25: service account", plain, with(keycloak25, object{
		"preferred_username": "service-account-native", "client_id": "native", "clientHost": "192.0.2.1", "sid": nil,
	}), isAccess, session.AuthClient},
	{"Keycloak 25: a person named like a service account", plain, with(keycloak25, object{"preferred_username": "service-account-native"}), isAccess, ""},
	{"Keycloak: DPoP access token", plain, with(keycloak25, object{"typ": "DPoP", "cnf": object{"jkt": "x"}}), isForeign, ""},

	{"Entra v1: access token", plain, entra1, isAccess, ""},
	{"Entra v1: access token of a provider configured as v2", plain, with(entra1, object{"iss": "https://sts.windows.example/7d/"}),
		same(session.ReasonTokenProvider), ""},
	{"Entra v1: access token for another resource", plain, with(entra1, object{"aud": "00000002-0000-0000-c000-000000000000"}), isForOther, ""},
	{"Entra v1: application alone", plain, with(entra1, object{"scp": nil, "sub": "0f31", "idtyp": "app"}), outcome{good, session.ReasonTokenKind, good}, session.AuthClient},
	{"Entra v2: access token", plain, entra2, isAccess, ""},
	{"Entra v2: access token for Graph", plain, with(entra2, object{"aud": "00000003-0000-0000-c000-000000000000"}), isForOther, ""},
	{"Entra v2: application alone", plain, entraApp, isAccess, session.AuthClient},
	{"Entra v2: application alone, marked", plain, with(entraApp, object{"idtyp": "app", "sub": "other"}), isAccess, session.AuthClient},
	{"Entra v2: ID token", plain, entraID, isID, ""},
	// The roles of an application mark an access token, whatever else it has.
	{"Entra v2: ID token with roles", plain, with(entraID, object{"roles": []string{"Reader"}}), isAccess, ""},

	{"Google: ID token", plain, google, isID, ""},
	{"Google: ID token of a browser's own sign-in", plain, with(google, object{"at_hash": nil, "nonce": "n"}), isID, ""},
	{"Google: ID token, iss without https", plain, with(google, object{"iss": "accounts.google.example"}), same(session.ReasonTokenProvider), ""},
	{"Google: ID token of a service account", plain, with(google, object{
		"azp": "117", "sub": "117", "aud": telemetry, "at_hash": nil, "hd": nil,
	}), outcome{session.ReasonTokenClient, session.ReasonTokenKind, session.ReasonTokenClient}, ""},

	{"LemonLDAP::NG: access token", object{"typ": "at+JWT"}, lemon, isAccess, ""},
	{"LemonLDAP::NG: access token of old", plain, lemon, isAccess, ""},
	{"LemonLDAP::NG: client credentials", object{"typ": "at+JWT"}, with(lemon, object{"sub": "native"}), isAccess, session.AuthClient},
	{"LemonLDAP::NG: ID token", plain, lemonID, isID, ""},
	{"LemonLDAP::NG: introspection reply", object{"typ": "token-introspection+jwt"}, object{
		"aud": "native", "token_introspection": object{"active": true, "sub": "ada", "scope": "openid", "client_id": "native"},
	}, isForeign, ""},
	{"LemonLDAP::NG: introspection reply, which ends never", object{"typ": "token-introspection+jwt"}, object{
		"aud": "native", "exp": nil, "token_introspection": object{"active": true},
	}, same(session.ReasonTokenInvalid), ""},
	{"LemonLDAP::NG: signed userinfo reply", plain, object{"sub": "ada", "aud": []string{"native"}, "groups": "admins"}, isUnsure, ""},

	{"oidc-provider: access token for a resource", object{"typ": "at+jwt"}, panva, isAccess, ""},
	{"oidc-provider: access token for another resource", object{"typ": "at+jwt"}, with(panva, object{"aud": "https://other.example"}), isForOther, ""},
	{"oidc-provider: client credentials", object{"typ": "at+jwt"}, with(panva, object{"sub": "native", "groups": nil}), isAccess, session.AuthClient},
	{"oidc-provider: ID token", nil, object{"sub": "ada", "aud": "native", "nonce": "n", "at_hash": "h", "sid": "s"}, isID, ""},
	{"oidc-provider: logout token", object{"typ": "logout+jwt"}, logout, isForeign, ""},
	{"oidc-provider: logout token, read as a JWT", plain, logout, isForeign, ""},
	{"oidc-provider: authorization response", object{"typ": "oauth-authz-resp+jwt"}, object{"aud": "native", "code": "c", "state": "s"}, isForeign, ""},
	{"oidc-provider: authorization response, unmarked", nil, object{"aud": "native", "code": "c", "state": "s"}, isUnsure, ""},

	{"Auth0: access token", plain, auth0, isAccess, ""},
	{"Auth0: access token by RFC 9068", object{"typ": "at+jwt"}, with(auth0, object{"client_id": "native", "azp": nil}), isAccess, ""},
	{"Auth0: access token for its own interface", plain, with(auth0, object{"aud": "https://kde.eu.auth0.example/api/v2/"}), isForOther, ""},
	{"Auth0: machine to machine", plain, with(auth0, object{"sub": "native@clients", "gty": "client-credentials", "aud": telemetry}), isAccess, session.AuthClient},
	{"Auth0: machine to machine without gty", plain, with(auth0, object{"sub": "native@clients"}), isAccess, session.AuthClient},
	{"Auth0: ID token", plain, object{"sub": "auth0|507f", "aud": "native", "nonce": "n", "sid": "s", "nickname": "ada"}, isID, ""},

	{"Okta: access token", nil, object{
		"ver": 1, "jti": "AT.1", "aud": telemetry, "cid": "native", "uid": "00u1", "scp": []string{"openid"}, "sub": "ada@kde.example",
	}, isAccess, ""},

	{"Kubernetes: service account", nil, kubernetes, isAccess, ""},
	{"Kubernetes: service account, for a client's name", nil, with(kubernetes, object{"aud": []string{"web"}}), isUnsure, ""},
	{"Kubernetes: service account, for the cluster", nil, with(kubernetes, object{"aud": []string{"https://kubernetes.default.svc"}}), isForOther, ""},

	{"DPoP proof", object{"typ": "dpop+jwt"}, object{"htm": "GET", "htu": telemetry, "jti": "j", "scope": "x", "aud": "web"}, isForeign, ""},
	{"security event", object{"typ": "secevent+jwt"}, with(logout, object{"scope": "x"}), isForeign, ""},
	{"client assertion", plain, object{"iss": "native", "sub": "native", "aud": "web", "jti": "j"}, same(session.ReasonTokenProvider), ""},
	{"a token that contradicts itself: at+jwt, ID", object{"typ": "at+jwt"}, keycloakID, isForeign, ""},
	{"a token that contradicts itself: id_token+jwt, Bearer", object{"typ": "id_token+jwt"}, keycloak25, isForeign, ""},
	{"a kind in full", object{"typ": "application/at+jwt"}, panva, isAccess, ""},
	{"a kind that is no text", plain, with(keycloak25, object{"typ": []string{"Bearer"}}), isForeign, ""},
	{"a kind in small letters", plain, with(keycloak25, object{"typ": "bearer"}), isForeign, ""},
}

// TestTokensOfRealProviders: one kind of JWT is never taken for another (RFC 8725
// section 3.12), and a token without a person never counts as one.
func TestTokensOfRealProviders(t *testing.T) {
	for _, accept := range []struct {
		name        string
		access, id  bool
		wantFor     func(outcome) session.Reason
		wantNoCalls bool
	}{
		{"access_token", true, false, func(o outcome) session.Reason { return o.access }, false},
		{"id_token", false, true, func(o outcome) session.Reason { return o.id }, true},
		{"both", true, true, func(o outcome) session.Reason { return o.both }, false},
	} {
		t.Run(accept.name, func(t *testing.T) {
			r := start(t, publish, func(s *setup) {
				s.provider.Bearer.AccessToken, s.provider.Bearer.IDToken = accept.access, accept.id
			})
			for _, c := range shapes {
				t.Run(c.name, func(t *testing.T) { r.wantShape(t, c, accept.wantFor(c.outcome)) })
			}
			// An ID token is no key to userinfo.
			if accept.wantNoCalls && r.asked() != 0 {
				t.Errorf("the provider was asked %d times", r.asked())
			}
		})
	}
}

func (r *rig) wantShape(t *testing.T, c shape, reason session.Reason) {
	t.Helper()
	now := r.clock.Now().Unix()
	claims := with(object{"iss": r.Issuer(), "iat": now, "exp": now + 300}, c.claims)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	token := devprovider.SignJWT(r.Key(), c.header, claims)
	if r.want(t, token, reason); reason != good {
		return
	}
	id := r.wantIdentity(t, token)
	auth := c.auth
	if auth == "" {
		auth = session.AuthBearer
	}
	if id.Auth != auth || id.Claims["auth"] != string(auth) {
		t.Errorf("auth %s (claim %v), want %s", id.Auth, id.Claims["auth"], auth)
	}
	if auth == session.AuthClient && (id.User != "" || id.Subject != "") || auth == session.AuthBearer && id.Subject != claims["sub"] {
		t.Errorf("user %q, subject %q of sub %v", id.User, id.Subject, claims["sub"])
	}
	if client := id.ClientID; client != "" && client != "native" && client != "web" {
		t.Errorf("client %q, want a listed one", client)
	}
}
