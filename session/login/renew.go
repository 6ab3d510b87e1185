package login

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/provider"
)

// Renewer brings the records of sessions up to date: it asks userinfo while the access
// token lives, and refreshes when it does not. It implements session.Renewer and is
// safe for concurrent use.
type Renewer struct {
	providers []*provider.Provider
	now       func() time.Time
	log       *slog.Logger
	observer  Observer

	mu   sync.Mutex
	told map[string]time.Time // when the log was told last that a provider's sessions go unchecked
}

// NewRenewer makes a Renewer. now is the clock, nil means time.Now; log receives what
// was refused, nil discards it; observer is told of renewals, nil for nobody.
func NewRenewer(providers []*provider.Provider, now func() time.Time, log *slog.Logger, observer Observer) *Renewer {
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if observer == nil {
		observer = unobserved{}
	}
	return &Renewer{providers: providers, now: now, log: log, observer: observer, told: make(map[string]time.Time)}
}

// almostOver is how long before its end an access token is not used any more.
const almostOver = 10 * time.Second

// Renew implements session.Renewer.
func (n *Renewer) Renew(ctx context.Context, rec *session.Record, keep func(*session.Record)) (*session.Record, error) {
	i := slices.IndexFunc(n.providers, func(p *provider.Provider) bool {
		return p.ID == rec.Identity.Provider && p.Issuer == rec.Identity.Issuer && p.Client.ID == rec.Identity.ClientID
	})
	if i < 0 {
		return nil, ended(errors.New("its provider is not configured any more"))
	}
	fresh, err := n.renew(ctx, n.providers[i], rec, keep)
	n.observer.Renewed(n.providers[i].ID, resultOf(err))
	var u *session.Unavailable
	if errors.As(err, &u) && ctx.Err() == nil && n.tells(n.providers[i].ID) {
		n.log.WarnContext(ctx, "a session cannot be checked again right now; within session.grace it goes on as it was", "provider", n.providers[i].ID, "error", u)
	}
	return fresh, err
}

// tellEvery is how often the log is told of sessions that go unchecked: there may be many.
const tellEvery = time.Minute

// tells says whether the log is told now.
func (n *Renewer) tells(provider string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	if last, ok := n.told[provider]; ok && now.Sub(last) < tellEvery && !now.Before(last) {
		return false
	}
	n.told[provider] = now
	return true
}

func (n *Renewer) renew(ctx context.Context, p *provider.Provider, rec *session.Record, keep func(*session.Record)) (*session.Record, error) {
	if alive := rec.AccessExpiry.IsZero() || n.now().Before(rec.AccessExpiry.Add(-almostOver)); alive && rec.AccessToken != "" {
		info, err := n.userInfo(ctx, p, rec, rec.AccessToken)
		switch {
		case err == nil:
			return fresh(p, rec, withoutUserInfo(rec.Identity), info), nil
		case errors.Is(err, provider.ErrTokenRefused), errors.Is(err, provider.ErrNoClaims):
			// Revoked, over earlier than was said, or not for userinfo: a refresh tells.
		default:
			return nil, err
		}
	}
	if rec.RefreshToken == "" {
		return nil, session.Reject(session.ReasonSessionExpired, "Your session has to be checked with "+nameAt(p)+". Please sign in again.",
			&session.Unchecked{Provider: p.ID})
	}
	return n.refresh(ctx, p, rec, keep)
}

// refresh trades the refresh token and fetches the claims with what comes of it.
func (n *Renewer) refresh(ctx context.Context, p *provider.Provider, rec *session.Record, keep func(*session.Record)) (*session.Record, error) {
	tokens, err := p.Refresh(ctx, rec.RefreshToken)
	if errors.Is(err, provider.ErrGrantRefused) && rec.FormerRefreshToken != "" {
		// The reply of an earlier refresh was lost, or an older state of the store has
		// come back. There is nothing left to lose.
		n.log.DebugContext(ctx, "the refresh token was refused, trying the one before", "provider", p.ID, "error", err)
		tokens, err = p.Refresh(ctx, rec.FormerRefreshToken)
	}
	switch {
	case errors.Is(err, provider.ErrGrantRefused):
		return nil, ended(err)
	case errors.Is(err, provider.ErrClientRefused):
		return nil, &session.Unavailable{Reason: session.ReasonProviderUnavailable, Cause: err,
			Sentence: "The provider does not accept this service's own credentials. Please tell whoever runs it."}
	case err != nil:
		return nil, n.forOne(ctx, p, err)
	}
	// From here on the old tokens may be worth nothing: whatever goes wrong, the new ones
	// go back.
	rotated := *rec
	rotated.AccessToken, rotated.AccessExpiry = tokens.Access, tokens.Expires
	if tokens.Refresh != "" && tokens.Refresh != rec.RefreshToken {
		rotated.RefreshToken, rotated.FormerRefreshToken = tokens.Refresh, rec.RefreshToken
		keep(&rotated)
	}
	layer := withoutUserInfo(rec.Identity)
	if tokens.ID != "" {
		claims, err := p.VerifyIDToken(ctx, tokens.ID, provider.Expected{Nonce: rec.Nonce, AccessToken: tokens.Access, Refreshed: true})
		var u *session.Unavailable
		switch {
		case errors.As(err, &u):
			return &rotated, err
		case errors.Is(err, provider.ErrNotYet), errors.Is(err, provider.ErrExpired):
			// It was made a moment ago: a clock is wrong, which says nothing about anybody.
			return &rotated, &session.Unavailable{Reason: session.ReasonProviderUnavailable, Cause: err,
				Sentence: "Your session cannot be checked right now, because a clock is wrong. Please tell whoever runs this service."}
		case err != nil:
			return &rotated, ended(err)
		}
		if sub, _ := claims.String("sub"); sub != rec.Identity.Subject {
			return &rotated, ended(errors.New("sub of the refreshed ID token is another"))
		}
		for _, name := range bindings {
			delete(claims, name)
		}
		rotated.IDToken = tokens.ID
		layer = session.Layer{Source: session.SourceIDToken, Claims: claims}
	}
	info, err := n.userInfo(ctx, p, rec, tokens.Access)
	switch {
	case err == nil:
	case errors.Is(err, provider.ErrNoClaims) && tokens.ID != "":
		// As at the login: the ID token has all claims.
	case errors.Is(err, provider.ErrTokenRefused) && tokens.ID != "" && !fromUserInfo(rec.Identity):
		// As at the login of a token for another resource.
	case errors.Is(err, provider.ErrTokenRefused), errors.Is(err, provider.ErrNoClaims):
		return &rotated, ended(err)
	default:
		return &rotated, err
	}
	return fresh(p, &rotated, layer, info), nil
}

// userInfo asks who the person is now, and compares sub. Where the provider fails for
// this one person the error wraps session.ErrNoGrace.
func (n *Renewer) userInfo(ctx context.Context, p *provider.Provider, rec *session.Record, token string) (session.Claims, error) {
	info, err := p.UserInfo(ctx, token)
	if err != nil {
		return nil, n.forOne(ctx, p, err)
	}
	if sub, _ := info.String("sub"); sub != rec.Identity.Subject {
		return nil, ended(errors.New("sub of userinfo is another"))
	}
	return info, nil
}

// forOne finds out whether a provider that failed does so for everybody.
func (n *Renewer) forOne(ctx context.Context, p *provider.Provider, err error) error {
	var u *session.Unavailable
	if !errors.Is(err, provider.ErrServer) || !errors.As(err, &u) || !p.Answers(ctx) {
		return err
	}
	alone := *u
	alone.Sentence = nameAt(p) + " does not answer about your account right now. Please try again in a moment."
	alone.Cause = fmt.Errorf("%w: %w", session.ErrNoGrace, u.Cause)
	return &alone
}

// withoutUserInfo is what the ID token said at the login, or the last time that it was
// refreshed. What userinfo had said instead is gone with it: a right that userinfo took
// the place of and does not mention any more does not come back.
func withoutUserInfo(id *session.Identity) session.Layer {
	claims := make(session.Claims, len(id.Claims))
	for name, v := range id.Claims {
		if id.Origins[name] == session.SourceIDToken {
			claims[name] = v
		}
	}
	return session.Layer{Source: session.SourceIDToken, Claims: claims}
}

// fromUserInfo reports whether userinfo has said anything about the person.
func fromUserInfo(id *session.Identity) bool {
	return slices.Contains(slices.Collect(maps.Values(id.Origins)), session.SourceUserInfo)
}

// fresh is the record with these claims.
func fresh(p *provider.Provider, rec *session.Record, layer session.Layer, info session.Claims) *session.Record {
	layers := []session.Layer{layer}
	if info != nil {
		layers = append(layers, session.Layer{Source: session.SourceUserInfo, Claims: info})
	}
	old := rec.Identity
	id := &session.Identity{
		Provider: old.Provider, Issuer: old.Issuer, Subject: old.Subject, ClientID: old.ClientID, Auth: old.Auth,
		SignedIn: old.SignedIn, Until: old.Until,
	}
	id.Claims, id.Origins = session.Merge(layers...)
	if _, there := id.Claims["sub"]; !there {
		id.Claims["sub"], id.Origins["sub"] = id.Subject, session.SourceIDToken
	}
	if sid, ok := old.Claims.String("sid"); ok && id.Claims["sid"] == nil {
		// The provider's own name for the login, by which it ends it.
		id.Claims["sid"], id.Origins["sid"] = sid, session.SourceIDToken
	}
	id.SetVirtual()
	id.User = p.User(id.Claims[p.UserClaim])
	renewed := *rec
	renewed.Identity = id
	return &renewed
}

// ended is the outcome when the provider does not vouch for the person any more.
func ended(cause error) error {
	return session.Reject(session.ReasonSessionEnded, "Your session has ended at your provider. Please sign in again.", cause)
}
