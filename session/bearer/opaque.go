package bearer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/provider"
)

// owner says whether there is a person behind a token, as far as a source knows.
type owner int

const (
	unknown owner = iota
	person
	nobody // the client alone
)

// grant is what the provider says of an opaque token, apart from the person.
type grant struct {
	client  string
	subject string // "" when this source names nobody
	owner   owner
	expires time.Time
	// audience restricts the token to resources published here; nil does not.
	audience []string
	layer    session.Layer
	// confirmed says that it is an access token for certain: a source said so, or
	// one knows it that knows access tokens alone. Introspection by itself is none,
	// it calls refresh tokens active.
	confirmed bool
}

// checkOpaque asks the provider about a token that says nothing itself.
func (v *Verifier) checkOpaque(ctx context.Context, p *provider.Provider, token string) (*entry, error) {
	refused := session.Reject(session.ReasonTokenKind, "Tokens of this kind are not accepted here.", nil)
	if !p.Bearer.AccessToken || p.Bearer.Opaque == provider.OpaqueOff {
		return nil, refused // whether or not the provider answers
	}
	md, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	var g *grant
	switch p.OpaqueMode(md) {
	case provider.OpaqueIntrospection:
		g, err = v.introspect(ctx, p, md, token)
	case provider.OpaqueTokenInfo:
		g, err = tokenInfo(ctx, p, token)
	default:
		return nil, refused
	}
	if err != nil {
		return nil, err
	}
	if !p.Listed(g.client) {
		return nil, foreignClient(fmt.Errorf("client %s is not listed", quote([]string{g.client})))
	}
	if !g.expires.IsZero() && !v.Now().Before(g.expires) {
		return nil, expired()
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
			if v.refused.due(p.ID+" "+client.ID, v.Now()) {
				v.Log.Warn("introspection refused", "provider", p.ID, "client", client.ID, "error", err)
			}
			refused = err
			continue
		}
		if err != nil {
			return nil, err
		}
		if asked++; in.Active {
			return v.readIntrospection(p, in)
		}
	}
	if refused != nil || asked == 0 {
		return withoutIntrospection(ctx, p, md, token, refused)
	}
	return nil, invalid(errors.New("introspection: not active"))
}

// readIntrospection takes what an active reply says, each member for what it may
// be and nothing else (RFC 7662 sections 2.2 and 4).
func (v *Verifier) readIntrospection(p *provider.Provider, in *provider.Introspection) (*grant, error) {
	c := in.Claims
	if iss, there := c["iss"]; there && iss != p.Issuer {
		return nil, foreignProvider(errors.New("iss of the introspection reply is another"))
	}
	marked, err := accessTokenMark(c)
	if err != nil {
		return nil, err
	}
	if !in.NotBefore.IsZero() && v.Now().Before(in.NotBefore) {
		return nil, invalid(provider.ErrNotYet)
	}
	g := &grant{expires: in.Expires, confirmed: marked, layer: session.Layer{Source: session.SourceIntrospection, Claims: c}}
	if id, there := c["client_id"]; there {
		g.client, _ = id.(string)
	} else {
		g.client = listedAudience(p, c)
	}
	if g.audience, err = restrictOpaque(p, c); err != nil {
		return nil, err
	}
	if c["sub"] == nil {
		return g, nil
	}
	if err := provider.CheckSubject(c); err != nil {
		return nil, invalid(err)
	}
	g.subject, _ = c.String("sub")
	if g.owner = person; withoutUser(c, g.client) {
		g.owner = nobody
	}
	return g, nil
}

// accessTokenMark reads the members that tell an access token from others:
// token_type (RFC 7662 section 2.2, in any case; some write "access_token"), Ory
// Hydra's token_use, Keycloak's typ. marked says that one of them can be nothing
// else. A refresh token may have token_type Bearer as well.
func accessTokenMark(c session.Claims) (marked bool, err error) {
	for name, words := range map[string][]string{
		"token_type": {"Bearer", "access_token"},
		"token_use":  {"access_token"},
		"typ":        {"Bearer"},
	} {
		value := c[name]
		if value == nil {
			continue
		}
		word, _ := value.(string)
		if !slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, word) }) {
			return false, session.Reject(session.ReasonTokenKind, "This token is not a bearer access token.", fmt.Errorf("its %s is another", name))
		}
		if name != "token_type" || !strings.EqualFold(word, "Bearer") {
			marked = true
		}
	}
	return marked, nil
}

// restrictOpaque is restrict for introspection, where aud may be missing: the
// listed client then says all.
func restrictOpaque(p *provider.Provider, c session.Claims) ([]string, error) {
	if list, ok := c["aud"].([]any); c["aud"] == nil || ok && len(list) == 0 {
		return nil, nil
	}
	return restrict(p, c, accessToken)
}

// withoutIntrospection decides when some client's credentials were refused, or
// no client may ask, and nobody got a positive answer. Token information names
// the client, so it decides whole. Userinfo does not: its 401 refuses the token,
// but a good answer leaves open whose token it is, and that is an outage.
func withoutIntrospection(ctx context.Context, p *provider.Provider, md *provider.Metadata, token string, refused error) (*grant, error) {
	if md.TokenInfoEndpoint != "" {
		return tokenInfo(ctx, p, token)
	}
	if _, err := p.UserInfo(ctx, token); errors.Is(err, provider.ErrTokenRefused) {
		return nil, invalid(err)
	}
	if refused == nil {
		refused = errors.New("no client of this provider may ask")
	}
	return nil, cannotCheck(p, fmt.Errorf("introspection: %w", refused))
}

// tokenInfo asks token information, which needs nothing but the token and knows access
// tokens alone.
func tokenInfo(ctx context.Context, p *provider.Provider, token string) (*grant, error) {
	info, err := p.TokenInfo(ctx, token)
	if errors.Is(err, provider.ErrTokenRefused) {
		return nil, invalid(err)
	}
	if err != nil {
		return nil, err
	}
	if info.Audience != info.ClientID && !p.Listed(info.Audience) {
		return nil, foreignClient(fmt.Errorf("client %s is listed, and the token is for %s", quote([]string{info.ClientID}), quote([]string{info.Audience})))
	}
	claims := session.Claims{}
	if len(info.Scope) > 0 {
		claims["scope"] = strings.Join(info.Scope, " ")
	}
	g := &grant{
		client: info.ClientID, subject: info.Subject, expires: info.Expires, confirmed: true,
		layer: session.Layer{Source: session.SourceTokenInfo, Claims: claims},
	}
	// The number of the person is Doorkeeper's own and need not be sub.
	switch {
	case info.Owner != "":
		g.owner = person
	case info.Alone:
		g.owner = nobody
	}
	return g, nil
}
