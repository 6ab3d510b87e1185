package bearer

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/provider"
)

// contradict refuses an access token when a good ID token beside it names somebody else.
// Programs renew their access tokens alone, so that the ID token beside a good one is
// often over: then, or when it is broken, it says nothing, and the access token decides.
func (v *Verifier) contradict(ctx context.Context, id *session.Identity, shown session.Presented) error {
	p := v.provider(id.Provider)
	if p == nil || p.Bearer.IDTokenHeader == "" {
		return nil
	}
	fields := shown.Header[http.CanonicalHeaderKey(p.Bearer.IDTokenHeader)]
	switch {
	case len(fields) == 0:
		return nil
	case len(fields) > 1:
		return session.Reject(session.ReasonTokenInvalid, "The request carries more than one ID token.", nil)
	case !plausible(fields[0]):
		return nil
	}
	token := fields[0]
	key := keyOf(asIDToken, p.ID, token)
	e, ok := v.cache.get(key)
	if ok {
		e.found()
	} else {
		var err error
		e, err = v.lookUpOnce(ctx, p, KindIDToken, key, func(ctx context.Context) (*entry, error) { return v.checkIDToken(ctx, p, token) })
		if err != nil {
			return err
		}
	}
	if e.refused != nil || !v.Now().Before(e.expires) || e.names == id.Subject {
		return nil
	}
	return session.Reject(session.ReasonTokenInvalid, "The ID token and the access token are not of the same person.",
		errors.New("the ID token in "+p.Bearer.IDTokenHeader+" names another subject"))
}

// checkIDToken finds out whom an ID token names. It is a good one when a client that is
// listed here got it from the provider, and it is not over.
func (v *Verifier) checkIDToken(ctx context.Context, p *provider.Provider, token string) (*entry, error) {
	raw, ok := provider.Peek(token)
	if !ok {
		return nil, invalid(provider.ErrMalformed)
	}
	if p.Over(raw) { // no reason to ask for keys
		return nil, expired()
	}
	t, err := p.VerifyJWT(ctx, raw)
	if err != nil {
		return nil, rejectJWT(err)
	}
	if k := kindOf(t); k != idToken && k != unmarked {
		return nil, session.Reject(session.ReasonTokenKind, "This is no ID token.", nil)
	}
	if err := provider.CheckSubject(t.Claims); err != nil {
		return nil, invalid(err)
	}
	if listedAudience(p, t.Claims) == "" {
		return nil, session.Reject(session.ReasonTokenAudience, "The ID token was issued for another service.",
			fmt.Errorf("aud %s names no listed client", quote(t.Claims.Strings("aud"))))
	}
	if _, err := clientOf(p, t.Claims); err != nil {
		return nil, err
	}
	subject, _ := t.Claims.String("sub")
	return &entry{names: subject, expires: t.Expires}, nil
}
