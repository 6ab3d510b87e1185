package devprovider

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
)

// The role claims of GitLab: the groups in which a person has that role.
const (
	ownerClaim      = "https://gitlab.org/claims/groups/owner"
	maintainerClaim = "https://gitlab.org/claims/groups/maintainer"
	developerClaim  = "https://gitlab.org/claims/groups/developer"
)

// idToken makes an ID token (OpenID Connect Core 1.0 section 2) with GitLab's
// claims: neither groups nor a user name.
func (p *Provider) idToken(client *Client, person *Person, g grant, nonce string) string {
	now := p.opts.Now()
	claims := map[string]any{
		"iss": p.opts.Issuer, "sub": person.Subject, "aud": client.ID,
		"iat": now.Unix(), "exp": now.Add(p.opts.IDTokenLife).Unix(), "auth_time": g.authTime.Unix(),
		"sub_legacy": legacySubject(person), "groups_direct": list(person.Direct),
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if g.sid != "" && client.BackchannelLogoutURI != "" {
		claims["sid"] = g.sid
	}
	if g.has("email") {
		claims["email"], claims["email_verified"] = person.Email, !person.EmailUnverified
	}
	return p.SignJWT(map[string]any{"typ": "JWT"}, p.rewritten(IDTokenClaims, claims))
}

// accessJWT makes an access token of RFC 9068 section 2.
func (p *Provider) accessJWT(client *Client, person *Person, t *row) string {
	claims := map[string]any{
		"iss": p.opts.Issuer, "sub": client.ID, "client_id": client.ID, "scope": t.scope(),
		"iat": t.created.Unix(), "jti": random(),
	}
	switch len(client.Audience) {
	case 0:
		claims["aud"] = p.opts.Issuer
	case 1:
		claims["aud"] = client.Audience[0]
	default:
		claims["aud"] = client.Audience
	}
	if person != nil {
		claims["sub"] = person.Subject
	}
	if !t.expires.IsZero() {
		claims["exp"] = t.expires.Unix()
	}
	return p.SignJWT(map[string]any{"typ": "at+jwt"}, p.rewritten(AccessTokenClaims, claims))
}

// userInfo is the claims of the userinfo endpoint (OpenID Connect Core 1.0
// section 5.3.2), as GitLab fills them.
func (p *Provider) userInfo(person *Person, g grant) map[string]any {
	claims := map[string]any{
		"sub": person.Subject, "sub_legacy": legacySubject(person),
		"name": person.FullName, "nickname": person.Name, "preferred_username": person.Name,
		"profile": p.address("/" + person.Name), "groups": list(person.Groups),
	}
	if g.has("email") {
		claims["email"], claims["email_verified"] = person.Email, !person.EmailUnverified
	}
	for name, groups := range map[string][]string{
		ownerClaim: person.Owner, maintainerClaim: person.Maintainer, developerClaim: person.Developer,
	} {
		if len(groups) > 0 {
			claims[name] = groups
		}
	}
	maps.Copy(claims, person.Claims)
	return p.rewritten(UserInfoClaims, claims)
}

// legacySubject stands for the claim sub_legacy, which GitLab keeps from the time
// when subjects were hashes.
func legacySubject(person *Person) string {
	sum := sha256.Sum256([]byte(person.Subject + "-devprovider"))
	return hex.EncodeToString(sum[:])
}

// list keeps an empty list from becoming null in JSON.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
