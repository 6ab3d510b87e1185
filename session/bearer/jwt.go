package bearer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/provider"
)

// jwtClaim is what a verified JWT claims to be, and may be by itself.
type jwtClaim struct {
	token    *provider.JWT
	identity *session.Identity // without claims
	source   session.Source
	// audience is as in entry.
	audience []string
	// asks tells that userinfo may know a claim that is used and that the token lacks.
	asks bool
}

// checkJWT checks a signed token here (RFC 9068 section 4, and the looser kind
// that came before it), and asks userinfo what it does not say.
func (v *Verifier) checkJWT(ctx context.Context, p *provider.Provider, raw *provider.Unverified, token string) (*entry, error) {
	t, err := p.VerifyJWT(ctx, raw)
	if err != nil {
		return nil, rejectJWT(err)
	}
	claim, err := v.judgeJWT(p, t)
	if err != nil {
		return nil, err
	}
	if !claim.asks {
		return v.entryOfJWT(p, claim, nil, true), nil
	}
	info, err := p.UserInfo(ctx, token)
	switch {
	case err == nil && info["sub"] != claim.identity.Subject:
		return nil, disagree()
	case err != nil && !errors.Is(err, provider.ErrTokenRefused) && !errors.Is(err, provider.ErrNoClaims):
		return nil, err
	}
	return v.entryOfJWT(p, claim, info, true), nil
}

// judgeJWT checks what a token whose signature is good claims to be. It asks nobody.
func (v *Verifier) judgeJWT(p *provider.Provider, t *provider.JWT) (*jwtClaim, error) {
	// The provider's leeway for clocks is for fresh ID tokens. A bearer token is not
	// used beyond its end, and nobody is asked about one that is over.
	if !v.Now().Before(t.Expires) {
		return nil, expired()
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
	claim := &jwtClaim{token: t, identity: id, source: session.SourceAccessToken, audience: audience}
	if k == idToken {
		claim.source = session.SourceIDToken
	}
	if _, there := t.Claims["sub"]; there || k == idToken {
		if err := provider.CheckSubject(t.Claims); err != nil {
			return nil, session.Reject(session.ReasonTokenInvalid, "The token names nobody.", err)
		}
	}
	if k != idToken && withoutUser(t.Claims, client) {
		id.Auth = session.AuthClient
	} else {
		id.Subject, _ = t.Claims.String("sub")
	}
	// An ID token is no key to userinfo, and a client's own token has nobody there.
	claim.asks = k != idToken && id.Auth != session.AuthClient && v.lacks(p, t.Claims)
	return claim, nil
}

// entryOfJWT makes the entry of a good token, with what userinfo said beside it; nil when
// it was not asked or does not know. keep tells that the entry is to be remembered.
func (v *Verifier) entryOfJWT(p *provider.Provider, claim *jwtClaim, info session.Claims, keep bool) *entry {
	layers := make([]session.Layer, 1, 2)
	layers[0] = session.Layer{Source: claim.source, Claims: claim.token.Claims}
	if info != nil {
		layers = append(layers, session.Layer{Source: session.SourceUserInfo, Claims: info})
	}
	v.finish(claim.identity, p, layers, keep)
	return &entry{identity: claim.identity, audience: claim.audience, expires: claim.token.Expires}
}

// rejectJWT gives the outcome for a token that failed verification.
func rejectJWT(err error) error {
	switch {
	case errors.Is(err, provider.ErrExpired):
		return expired()
	case errors.Is(err, provider.ErrIssuer):
		return foreignProvider(err)
	case errors.Is(err, provider.ErrSignature), errors.Is(err, provider.ErrMalformed), errors.Is(err, provider.ErrNotYet):
		return invalid(err)
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
			return "", foreignClient(fmt.Errorf("%s %s is not listed", name, quote([]string{id})))
		}
		if client == "" {
			client = id
		}
	}
	if client == "" {
		client = listedAudience(p, c)
	}
	return client, nil
}

// listedAudience is the first client of aud that is listed, or "".
func listedAudience(p *provider.Provider, c session.Claims) string {
	for _, aud := range c.Strings("aud") {
		if p.Listed(aud) {
			return aud
		}
	}
	return ""
}

func foreignClient(cause error) *session.Rejected {
	return session.Reject(session.ReasonTokenClient, "The access token was issued to an application that is not accepted here.", cause)
}

// disagree is the outcome when two sources name two people.
func disagree() *session.Rejected {
	return session.Reject(session.ReasonTokenInvalid, "The provider's answers about the token do not agree.", errors.New("sub of userinfo is another"))
}

// restrict says where a token may be used (RFC 9700 section 2.3): nil means
// everywhere here, because aud names a listed client or a configured audience;
// otherwise the audiences, one of which must be the resource published for the
// request.
func restrict(p *provider.Provider, c session.Claims, k kind) ([]string, error) {
	audience := c.Strings("aud")
	for _, aud := range audience {
		byClient := p.Listed(aud) && k != unmarked // a client alone does not tell an access token from an ID token
		byAudience := slices.Contains(p.Bearer.Audiences, aud) && k != idToken
		if byClient || byAudience {
			return nil, nil
		}
	}
	if len(audience) == 0 || k == idToken {
		return nil, session.Reject(session.ReasonTokenAudience, "The token was issued for another service.",
			fmt.Errorf("aud %s names no listed client and no configured audience", quote(audience)))
	}
	for i := range audience { // which are kept for longer than the token's text
		audience[i] = strings.Clone(audience[i])
	}
	return audience, nil
}
