package bearer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/provider"
)

// kind is what a JWT was made for. One kind is never taken for another (RFC 8725
// section 3.12).
type kind int

const (
	// unmarked says neither: such a token counts as an access token only when aud
	// names more than a client.
	unmarked kind = iota
	accessToken
	idToken
	foreign
)

// kindOf looks at the marks that providers in the field set.
func kindOf(t *provider.JWT) kind {
	typ, hasTyp := t.Claims["typ"]
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { _, ok := t.Claims[n]; return ok })
	}
	switch header := t.Typ(); {
	case header != "" && header != "jwt" && header != "at+jwt":
		return foreign // logout+jwt, token-introspection+jwt, dpop+jwt, secevent+jwt ...
	case has("events"):
		return foreign
	case hasTyp && typ == "ID":
		if header == "at+jwt" {
			return foreign
		}
		return idToken
	case hasTyp && typ != "Bearer":
		return foreign // Keycloak's Refresh, Offline, Logout
	case header == "at+jwt", hasTyp, has("scope", "scp", "roles"):
		return accessToken
	case has("nonce", "at_hash"):
		return idToken
	}
	return unmarked
}

// checkJWT checks a signed token here (RFC 9068 section 4, and the looser kind
// that came before it).
func (v *Verifier) checkJWT(ctx context.Context, p *provider.Provider, token string) (*entry, error) {
	t, err := p.VerifyJWT(ctx, token)
	if err != nil {
		return nil, rejectJWT(err)
	}
	k := kindOf(t)
	switch {
	case k == foreign:
		return nil, session.Reject(session.ReasonTokenKind, "This token is not an access token.", errors.New("it is another kind of JWT"))
	case k == idToken && !p.Bearer.IDToken:
		return nil, session.Reject(session.ReasonTokenKind, "This is an ID token; an access token is needed.", nil)
	case k != idToken && !p.Bearer.AccessToken:
		return nil, session.Reject(session.ReasonTokenKind, "This is an access token; an ID token is needed.", nil)
	}
	if err := refuseBound(t.Claims); err != nil {
		return nil, err
	}
	client, err := clientOf(p, t.Claims)
	if err != nil {
		return nil, err
	}
	audience, err := restrict(p, t.Claims, k)
	if err != nil {
		return nil, err
	}
	id := &session.Identity{
		Provider: p.ID, Issuer: p.Issuer, ClientID: client, Auth: session.AuthBearer,
		SignedIn: v.Now(), Until: t.Expires,
	}
	layers := []session.Layer{{Source: session.SourceAccessToken, Claims: t.Claims}}
	if k == idToken {
		layers[0].Source = session.SourceIDToken
	}
	sub, ok := t.Claims["sub"]
	switch id.Subject, _ = sub.(string); {
	case ok && id.Subject == "":
		return nil, session.Reject(session.ReasonTokenInvalid, "The access token names nobody.", errors.New("sub is empty or no string"))
	case !ok && k == idToken:
		return nil, session.Reject(session.ReasonTokenInvalid, "The ID token names nobody.", errors.New("sub is missing"))
	case !ok, id.Subject == client:
		// A token without a user (RFC 9068 section 5: sub is then the client).
		id.Auth, id.Subject = session.AuthClient, ""
	case k != idToken && v.lacks(p, t.Claims):
		info, err := p.UserInfo(ctx, token)
		switch {
		case err == nil && info["sub"] != sub:
			return nil, session.Reject(session.ReasonTokenInvalid, "The provider's answers about the token do not agree.", errors.New("sub of userinfo is another"))
		case err == nil:
			layers = append(layers, session.Layer{Source: session.SourceUserInfo, Claims: info})
		case !errors.Is(err, provider.ErrTokenRefused) && !errors.Is(err, provider.ErrNoClaims):
			return nil, err
		}
	}
	finish(id, p, layers)
	return &entry{identity: id, audience: audience, expires: t.Expires}, nil
}

// rejectJWT gives the outcome for a token that failed verification.
func rejectJWT(err error) error {
	const invalid = "The access token is not valid."
	switch {
	case errors.Is(err, provider.ErrExpired):
		return session.Reject(session.ReasonTokenExpired, "The access token has expired.", nil)
	case errors.Is(err, provider.ErrIssuer):
		return session.Reject(session.ReasonTokenProvider, "The access token is from another provider.", err)
	case errors.Is(err, provider.ErrSignature), errors.Is(err, provider.ErrMalformed), errors.Is(err, provider.ErrNotYet):
		return session.Reject(session.ReasonTokenInvalid, invalid, err)
	}
	return err
}

// clientOf finds the client a token was issued to. Each claim that names one must
// name a listed one: two providers' habits in one token are no way around the
// list.
func clientOf(p *provider.Provider, c session.Claims) (string, error) {
	client := ""
	for _, name := range []string{"client_id", "azp", "appid", "cid"} {
		value, there := c[name]
		if !there {
			continue
		}
		id, _ := value.(string)
		if !p.Listed(id) {
			return "", foreignClient(fmt.Errorf("%s %q is not listed", name, id))
		}
		if client == "" {
			client = id
		}
	}
	if client == "" {
		for _, aud := range c.Strings("aud") {
			if p.Listed(aud) {
				return aud, nil
			}
		}
	}
	return client, nil
}

func foreignClient(cause error) *session.Rejected {
	return session.Reject(session.ReasonTokenClient, "The access token was issued to an application that is not accepted here.", cause)
}

// restrict says where a token may be used (RFC 9700 section 2.3): nil means
// everywhere here, because aud names a listed client or a configured audience;
// otherwise the audiences, one of which must be the resource published for the
// request.
func restrict(p *provider.Provider, c session.Claims, k kind) ([]string, error) {
	audience := c.Strings("aud")
	for _, aud := range audience {
		if slices.Contains(p.Bearer.Audiences, aud) && k != idToken || k != unmarked && p.Listed(aud) {
			return nil, nil
		}
	}
	if len(audience) == 0 || k == idToken {
		return nil, session.Reject(session.ReasonTokenAudience, "The token was issued for another service.",
			fmt.Errorf("aud %q names no listed client and no configured audience", audience))
	}
	return audience, nil
}

// refuseBound refuses a token that is bound to a key (RFC 7800 section 3.1):
// whoever merely holds it has not proved to be its owner.
func refuseBound(c session.Claims) error {
	if _, bound := c["cnf"]; bound {
		return session.Reject(session.ReasonTokenKind, "The access token is bound to a key and cannot be used as a plain bearer token.", nil)
	}
	return nil
}
