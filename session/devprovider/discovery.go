package devprovider

import (
	"net/http"

	"github.com/go-jose/go-jose/v4"
)

// serveDiscovery is OpenID Connect Discovery 1.0 section 4. Like GitLab it does
// not announce token/info, which is no standard endpoint.
func (p *Provider) serveDiscovery(w http.ResponseWriter, r *http.Request) {
	doc := map[string]any{
		"issuer":                                p.opts.Issuer,
		"authorization_endpoint":                p.URL(Authorization),
		"token_endpoint":                        p.URL(Token),
		"revocation_endpoint":                   p.URL(Revocation),
		"introspection_endpoint":                p.URL(Introspection),
		"userinfo_endpoint":                     p.URL(UserInfo),
		"device_authorization_endpoint":         p.URL(Device),
		"jwks_uri":                              p.URL(KeySet),
		"end_session_endpoint":                  p.URL(EndSession),
		"backchannel_logout_supported":          true,
		"backchannel_logout_session_supported":  true,
		"scopes_supported":                      p.opts.Scopes,
		"response_types_supported":              []string{"code"},
		"response_modes_supported":              []string{"query"},
		"grant_types_supported":                 []string{"authorization_code", "client_credentials", "refresh_token", deviceGrant},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post", "none"},
		"code_challenge_methods_supported":      []string{"S256"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{p.opts.Algorithm},
		"claim_types_supported":                 []string{"normal"},
		"claims_supported": []string{
			"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "sub_legacy", "name", "nickname",
			"preferred_username", "email", "email_verified", "profile", "groups", "groups_direct",
			ownerClaim, maintainerClaim, developerClaim,
		},
	}
	if p.opts.ResponseIssuer {
		doc["authorization_response_iss_parameter_supported"] = true
	}
	writeJSON(w, http.StatusOK, p.rewritten(DiscoveryDocument, doc))
}

// serveKeySet is the JWK Set of RFC 7517 section 5.
func (p *Provider) serveKeySet(w http.ResponseWriter, r *http.Request) {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, k := range p.keys.all() {
		set.Keys = append(set.Keys, k.public())
	}
	writeJSON(w, http.StatusOK, set)
}
