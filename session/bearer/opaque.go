package bearer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/provider"
)

// grant is what the provider says of an opaque token, apart from the person.
type grant struct {
	client  string
	subject string // "" when this source names nobody
	expires time.Time
	layer   session.Layer
	// known says that an endpoint which knows only access tokens knows this one.
	// Introspection alone does not: it calls refresh tokens active.
	known bool
	// owned says that there is a person behind the token, though this source does
	// not say who in the provider's own words.
	owned bool
}

// checkOpaque asks the provider about a token that says nothing itself.
func (v *Verifier) checkOpaque(ctx context.Context, p *provider.Provider, token string) (*entry, error) {
	md, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	mode := p.OpaqueMode(md)
	if mode == provider.OpaqueOff || !p.Bearer.AccessToken {
		return nil, session.Reject(session.ReasonTokenKind, "Tokens of this kind are not accepted here.", nil)
	}
	var g *grant
	if mode == provider.OpaqueIntrospection {
		g, err = v.introspect(ctx, p, md, token)
	} else {
		g, err = tokenInfo(ctx, p, token)
	}
	if err != nil {
		return nil, err
	}
	if !p.Listed(g.client) {
		return nil, foreignClient(fmt.Errorf("client %q is not listed", g.client))
	}
	if !g.expires.IsZero() && !v.Now().Before(g.expires) {
		return nil, session.Reject(session.ReasonTokenExpired, "The access token has expired.", nil)
	}
	if err := refuseBound(g.layer.Claims); err != nil {
		return nil, err
	}
	return v.addPerson(ctx, p, md, token, g)
}

// introspect asks with the credentials of each client that may, until one gets a
// positive answer: Doorkeeper says "not active" to every client but the token's
// own (RFC 7662 section 2.1).
func (v *Verifier) introspect(ctx context.Context, p *provider.Provider, md *provider.Metadata, token string) (*grant, error) {
	var refused error
	asked := 0
	for _, client := range p.Accepted() {
		if client.NoIntrospection {
			continue
		}
		in, err := p.Introspect(ctx, client, token)
		if errors.Is(err, provider.ErrClientRefused) {
			// Not an answer about the token: the next may know.
			v.Log.Warn("introspection refused", "provider", p.ID, "client", client.ID, "error", err)
			refused = err
			continue
		}
		if err != nil {
			return nil, err
		}
		if asked++; in.Active {
			return readIntrospection(p, in)
		}
	}
	if refused != nil || asked == 0 {
		return v.withoutIntrospection(ctx, p, md, token, refused)
	}
	return nil, session.Reject(session.ReasonTokenInvalid, "The access token is not valid.", errors.New("introspection: not active"))
}

func readIntrospection(p *provider.Provider, in *provider.Introspection) (*grant, error) {
	c := in.Claims
	if iss, there := c["iss"]; there && iss != p.Issuer {
		return nil, session.Reject(session.ReasonTokenProvider, "The access token is from another provider.", errors.New("iss of the introspection reply is another"))
	}
	if kind, there := c.String("token_type"); there && !acceptableType(kind) {
		return nil, session.Reject(session.ReasonTokenKind, "This token is not a bearer access token.", fmt.Errorf("token_type %q", kind))
	}
	g := &grant{expires: in.Expires, layer: session.Layer{Source: session.SourceIntrospection, Claims: c}}
	g.subject, _ = c.String("sub")
	g.client, _ = c.String("client_id")
	if g.client == "" {
		for _, aud := range c.Strings("aud") {
			if p.Listed(aud) {
				g.client = aud
				break
			}
		}
	}
	return g, nil
}

// acceptableType says whether an introspection reply's token_type can be that of
// a bearer token. Providers write "Bearer" in any case, and some "access_token".
func acceptableType(kind string) bool {
	return strings.EqualFold(kind, "Bearer") || strings.EqualFold(kind, "access_token")
}

// withoutIntrospection decides when some client's credentials were refused, or
// no client may ask, and nobody got a positive answer. Token information names
// the client, so it decides whole. Userinfo does not: its 401 refuses the token,
// but a good answer leaves open whose token it is, and that is an outage.
func (v *Verifier) withoutIntrospection(ctx context.Context, p *provider.Provider, md *provider.Metadata, token string, refused error) (*grant, error) {
	if md.TokenInfoEndpoint != "" {
		return tokenInfo(ctx, p, token)
	}
	if _, err := p.UserInfo(ctx, token); errors.Is(err, provider.ErrTokenRefused) {
		return nil, session.Reject(session.ReasonTokenInvalid, "The access token is not valid.", err)
	}
	if refused == nil {
		refused = errors.New("no client of this provider may introspect")
	}
	return nil, &session.Unavailable{
		Reason:     session.ReasonProviderUnavailable,
		Sentence:   "The access token cannot be checked right now. Please try again in a moment.",
		RetryAfter: time.Minute,
		Cause:      fmt.Errorf("provider %s: introspection: %w", p.ID, refused),
	}
}

// tokenInfo asks Doorkeeper's token information, which needs nothing but the
// token and knows access tokens alone.
func tokenInfo(ctx context.Context, p *provider.Provider, token string) (*grant, error) {
	info, err := p.TokenInfo(ctx, token)
	if errors.Is(err, provider.ErrTokenRefused) {
		return nil, session.Reject(session.ReasonTokenInvalid, "The access token is not valid.", err)
	}
	if err != nil {
		return nil, err
	}
	claims := session.Claims{}
	if len(info.Scope) > 0 {
		claims["scope"] = strings.Join(info.Scope, " ")
	}
	return &grant{
		client: info.ClientID, expires: info.Expires, known: true, owned: info.Owner != "",
		layer: session.Layer{Source: session.SourceTokenInfo, Claims: claims},
	}, nil
}

// addPerson asks userinfo who is behind a token and makes the identity.
func (v *Verifier) addPerson(ctx context.Context, p *provider.Provider, md *provider.Metadata, token string, g *grant) (*entry, error) {
	id := &session.Identity{
		Provider: p.ID, Issuer: p.Issuer, Subject: g.subject, ClientID: g.client, Auth: session.AuthBearer,
		SignedIn: v.Now(), Until: g.expires,
	}
	layers := []session.Layer{g.layer}
	if g.known && !g.owned { // a token without a user: there is nobody to ask about
		id.Auth, id.Subject = session.AuthClient, ""
		finish(id, p, layers)
		return &entry{identity: id, expires: g.expires}, nil
	}
	info, err := p.UserInfo(ctx, token)
	switch {
	case err == nil:
		sub, _ := info.String("sub")
		if g.subject != "" && sub != g.subject {
			return nil, session.Reject(session.ReasonTokenInvalid, "The provider's answers about the token do not agree.", errors.New("sub of userinfo is another"))
		}
		id.Subject = sub
		layers = append(layers, session.Layer{Source: session.SourceUserInfo, Claims: info},
			session.Layer{Source: g.layer.Source, Claims: session.Claims{"sub": sub}})
	case errors.Is(err, provider.ErrTokenRefused):
		return v.refusedByUserInfo(ctx, p, md, token, g)
	case errors.Is(err, provider.ErrNoClaims) && md.UserInfoEndpoint == "" && !g.known:
		// Nobody confirms that this is an access token and not a refresh token.
		return nil, session.Reject(session.ReasonTokenKind, "It cannot be told whether this is an access token.", err)
	case errors.Is(err, provider.ErrNoClaims):
		// A token without the scope openid. It is a client's own only when that is
		// said somewhere; else it is somebody's of whom nothing is known, which is
		// neither signed in nor a client.
		if !g.known && g.subject == "" && md.TokenInfoEndpoint != "" {
			return v.addOwner(ctx, p, token, id, layers)
		}
		if id.Subject == g.client {
			id.Auth, id.Subject = session.AuthClient, ""
		}
	default:
		return nil, err
	}
	finish(id, p, layers)
	return &entry{identity: id, expires: g.expires}, nil
}

// addOwner asks token information whether there is a person behind a token that
// userinfo gives no claims for.
func (v *Verifier) addOwner(ctx context.Context, p *provider.Provider, token string, id *session.Identity, layers []session.Layer) (*entry, error) {
	info, err := tokenInfo(ctx, p, token)
	if err != nil {
		return nil, err
	}
	if info.client != id.ClientID {
		return nil, foreignClient(fmt.Errorf("token information names client %q, introspection %q", info.client, id.ClientID))
	}
	if !info.owned {
		id.Auth = session.AuthClient
	}
	finish(id, p, layers)
	return &entry{identity: id, expires: id.Until}, nil
}

// refusedByUserInfo decides about a token that introspection calls active and
// userinfo does not know: a refresh token, which is refused, or a client's own
// token, which token information can tell apart.
func (v *Verifier) refusedByUserInfo(ctx context.Context, p *provider.Provider, md *provider.Metadata, token string, g *grant) (*entry, error) {
	rejected := session.Reject(session.ReasonTokenInvalid, "The access token is not valid.", errors.New("userinfo does not know it: a refresh token, or one just revoked"))
	if g.known || g.subject != "" || md.TokenInfoEndpoint == "" {
		return nil, rejected
	}
	info, err := tokenInfo(ctx, p, token)
	if err != nil {
		return nil, err
	}
	if info.owned || info.client != g.client {
		return nil, rejected
	}
	g.known = true
	return v.addPerson(ctx, p, md, token, g)
}
