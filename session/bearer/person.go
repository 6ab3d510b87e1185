package bearer

import (
	"context"
	"errors"
	"fmt"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/provider"
)

// addPerson asks userinfo who is behind an opaque token and makes the identity.
func (v *Verifier) addPerson(ctx context.Context, p *provider.Provider, md *provider.Metadata, token string, g *grant) (*entry, error) {
	if g.confirmed && g.owner == nobody { // there is nobody to ask about
		return v.entryOf(p, g, nil), nil
	}
	info, err := p.UserInfo(ctx, token)
	switch {
	case err == nil:
		sub, _ := info.String("sub")
		if g.subject != "" && sub != g.subject {
			return nil, disagree()
		}
		if g.subject = sub; g.owner == unknown {
			g.owner = person
		}
		if withoutUser(session.Claims{"sub": sub}, g.client) {
			g.owner = nobody
		}
		return v.entryOf(p, g, info), nil
	case errors.Is(err, provider.ErrTokenRefused):
		// A refresh token, or one that was just revoked; or a client's own, which
		// token information can tell apart.
		if g.confirmed || g.owner == person || md.TokenInfoEndpoint == "" {
			return nil, invalid(fmt.Errorf("userinfo: %w", err))
		}
		if g, err = askOwner(ctx, p, token, g); err != nil {
			return nil, err
		}
		if g.owner != nobody {
			return nil, invalid(errors.New("token information knows the token, userinfo does not"))
		}
		return v.entryOf(p, g, nil), nil
	case errors.Is(err, provider.ErrNoClaims):
		// A token without the scope openid, or a provider without userinfo.
		if md.UserInfoEndpoint != "" {
			g.confirmed = true // it knows the token
		}
		if (!g.confirmed || g.owner == unknown) && md.TokenInfoEndpoint != "" {
			if g, err = askOwner(ctx, p, token, g); err != nil {
				return nil, err
			}
		}
		if !g.confirmed {
			return nil, session.Reject(session.ReasonTokenKind, "It cannot be told whether this is an access token.", err)
		}
		return v.entryOf(p, g, nil), nil
	}
	return nil, err
}

// askOwner asks token information what introspection and userinfo left open: is it
// an access token, is there a person behind it.
func askOwner(ctx context.Context, p *provider.Provider, token string, g *grant) (*grant, error) {
	info, err := tokenInfo(ctx, p, token)
	if err != nil {
		return nil, err
	}
	if info.client != g.client {
		return nil, foreignClient(errors.New("token information names another client than introspection"))
	}
	known := *g
	known.confirmed = true
	if g.owner == unknown {
		known.owner = info.owner
	}
	return &known, nil
}

// entryOf makes the identity of a grant. Where no source names a person the token
// counts as its client's own, which is the least: never signed in, no user.
func (v *Verifier) entryOf(p *provider.Provider, g *grant, info session.Claims) *entry {
	id := &session.Identity{
		Provider: p.ID, Issuer: p.Issuer, Subject: g.subject, ClientID: g.client, Auth: session.AuthBearer,
		SignedIn: v.Now(), Until: g.expires,
	}
	if g.owner != person {
		id.Auth, id.Subject = session.AuthClient, ""
	}
	layers := []session.Layer{g.layer}
	if info != nil {
		layers = append(layers, session.Layer{Source: session.SourceUserInfo, Claims: info})
	}
	v.finish(id, p, layers, true)
	return &entry{identity: id, audience: g.audience, expires: g.expires}
}
