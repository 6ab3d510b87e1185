package signin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/oauth2"
)

// margin is how long an access token has to be good for, or it is renewed first.
const margin = 30 * time.Second

// Token is an access token that is good now.
type Token struct {
	AccessToken string
	// Expiry is when it ends; zero where the provider does not say.
	Expiry time.Time
	// Origin is the only place that it may be sent to.
	Origin string
	// Provider is the id that the application has for the provider that gave it.
	Provider string
	// ProviderHeader is the header in which the application wants to be told Provider, empty
	// for none.
	ProviderHeader string
}

// Token returns a fresh access token for an address where the person has signed in. It is
// renewed if need be: by one process at a time, and kept before it is used, since a provider
// that rotates refresh tokens takes the old one back at once.
func (a *Agent) Token(ctx context.Context, address string) (Token, error) {
	u, err := parseAddress(address)
	if err != nil {
		return Token{}, err
	}
	return a.token(ctx, originOf(u))
}

func (a *Agent) token(ctx context.Context, origin string) (t Token, err error) {
	err = a.lockedLogin(ctx, origin, func() error {
		l, err := a.load(origin) // another process may just have renewed it
		if err != nil {
			return err
		}
		if !a.good(l.Tokens) {
			if err := a.renew(ctx, l); err != nil {
				return err
			}
		}
		t = Token{AccessToken: l.Tokens.Access, Expiry: l.Tokens.Expiry, Origin: origin, Provider: l.Provider, ProviderHeader: l.ProviderHeader}
		return nil
	})
	return t, err
}

func (a *Agent) good(t *tokens) bool {
	return isToken(t.Access) && (t.Expiry.IsZero() || t.Expiry.Sub(a.now()) > margin)
}

// renew gets new tokens for a login and keeps them. Once the provider is asked this goes on to
// its end: whoever presses ctrl-C in between would lose the tokens.
func (a *Agent) renew(ctx context.Context, l *login) error {
	if l.Tokens.Refresh == "" {
		return fmt.Errorf("the token for %s has ended, and the provider gave none to renew it with: run \"claimproxy login %s\"", l.Origin, l.Origin)
	}
	p, err := a.provider(ctx, l.Issuer, l.ClientID, l.Scopes, l.Resource)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	t, err := p.refresh(ctx, l.Tokens.Refresh)
	if errors.Is(err, errEnded) {
		return fmt.Errorf("%w; run \"claimproxy login %s\"", err, l.Origin)
	}
	if t == nil {
		return fmt.Errorf("the token for %s cannot be renewed now: %w", l.Origin, err)
	}
	old := l.Tokens.Refresh
	l.Tokens = tokensOf(t)
	if l.Tokens.Refresh == "" {
		l.Tokens.Refresh = old // RFC 6749 section 6: it may go on
	}
	was := l.InKeyring
	why, saving := a.save(l)
	if saving != nil {
		return fmt.Errorf("the new tokens for %s cannot be kept, sign in again: %w", l.Origin, saving)
	}
	if was && why != nil {
		fmt.Fprintf(a.Say, "The keyring does not take the new tokens (%s): they are in %s, readable by you alone.\n", clean(why.Error()), a.file(l.Origin))
	}
	return err // of a token that may not be sent
}

func tokensOf(t *oauth2.Token) *tokens {
	return &tokens{Access: t.AccessToken, Expiry: t.Expiry, Refresh: t.RefreshToken}
}
