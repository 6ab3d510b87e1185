package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// ErrLogoutToken says that a logout token is not one that ends a session here.
var ErrLogoutToken = errors.New("logout token")

const (
	// logoutEvent is the member of events that makes a JWT a logout token (OpenID
	// Connect Back-Channel Logout section 2.4).
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"
	// maxLogoutTokenAge bounds how long ago a logout token was made, whatever its exp
	// says, and with that for how long its jti must be remembered.
	maxLogoutTokenAge = 5 * time.Minute
	// maxLogoutText bounds jti and sid.
	maxLogoutText = 1024
)

// LogoutToken is a verified logout token.
type LogoutToken struct {
	// Subject and SID say whose sessions end: those of one login, or all of a person's.
	// One of them may be empty.
	Subject, SID string
	// ID is the jti. The same one must not be accepted again before Until.
	ID    string
	Until time.Time
}

// VerifyLogoutToken checks a logout token whole (OpenID Connect Back-Channel Logout
// section 2.6), but for replay, which whoever acts on it looks out for. The error wraps
// ErrLogoutToken, or is a *session.Unavailable.
func (p *Provider) VerifyLogoutToken(ctx context.Context, raw string) (*LogoutToken, error) {
	u, ok := Peek(raw)
	if !ok {
		return nil, fmt.Errorf("%w: %w", ErrLogoutToken, ErrMalformed)
	}
	// What is no logout token for this client whoever signed it costs no look at keys.
	if err := p.checkLogoutToken(u.Header, u.Claims); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLogoutToken, err)
	}
	t, err := p.VerifyJWT(ctx, u)
	if u, ok := asUnavailable(err); ok {
		return nil, u
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLogoutToken, err)
	}
	// The algorithm is one that the provider signs ID tokens with (section 2.6 item 2).
	md, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	if alg, _ := t.Header.String("alg"); !slices.Contains(md.SigningAlgs, alg) {
		return nil, fmt.Errorf("%w: the provider does not sign with %s", ErrLogoutToken, quote(alg))
	}
	iat, _, _ := numericDate(t.Claims, "iat")
	lt := &LogoutToken{Until: iat.Add(maxLogoutTokenAge + leeway)}
	lt.Subject, _ = t.Claims.String("sub")
	lt.SID, _ = t.Claims.String("sid")
	lt.ID, _ = t.Claims.String("jti")
	return lt, nil
}

// checkLogoutToken checks everything but signature, iss, exp and nbf.
func (p *Provider) checkLogoutToken(header, c session.Claims) error {
	// An ID token, or any other kind, is not to be taken for a logout token (RFC 8725
	// section 3.12). Not all providers write the type.
	if typ := (&JWT{Header: header}).Typ(); header["typ"] != nil && typ != "logout+jwt" && typ != "jwt" {
		return fmt.Errorf("header typ %s is another kind of token", quote(typ))
	}
	events, _ := c["events"].(map[string]any)
	if _, ok := events[logoutEvent].(map[string]any); !ok {
		return errors.New("events does not have the logout event as an object")
	}
	if _, there := c["nonce"]; there {
		return errors.New("it has a nonce, as ID tokens have")
	}
	if err := p.checkLogoutAudience(c); err != nil {
		return err
	}
	if jti, ok := c.String("jti"); !ok || jti == "" || len(jti) > maxLogoutText {
		return errors.New("jti is missing or too long")
	}
	_, hasSub := c["sub"]
	if hasSub {
		if err := CheckSubject(c); err != nil {
			return err
		}
	}
	v, hasSID := c["sid"]
	if sid, ok := v.(string); hasSID && (!ok || sid == "" || len(sid) > maxLogoutText) {
		return errors.New("sid is not a text of sensible length")
	}
	if !hasSub && !hasSID {
		return errors.New("it has neither sub nor sid")
	}
	iat, ok, err := numericDate(c, "iat")
	now := p.Now()
	switch {
	case err != nil:
		return err
	case !ok:
		return errors.New("iat is missing")
	case iat.After(now.Add(leeway)):
		return errors.New("iat is in the future: do the clocks differ?")
	case !iat.After(now.Add(-maxLogoutTokenAge - leeway)):
		return errors.New("iat is too long ago")
	}
	return nil
}

// checkLogoutAudience wants the client that sessions begin with, and no audience that
// is not listed here, as for ID tokens.
func (p *Provider) checkLogoutAudience(c session.Claims) error {
	if list, ok := c["aud"].([]any); ok && len(list) != len(c.Strings("aud")) {
		return errors.New("aud has elements that are not strings")
	}
	aud := c.Strings("aud")
	if p.Client.ID == "" || !slices.Contains(aud, p.Client.ID) {
		return errors.New("aud does not name this client")
	}
	for _, a := range aud {
		if !p.Listed(a) {
			return fmt.Errorf("aud names %s, which is not a client listed here", quote(a))
		}
	}
	return nil
}
