package provider

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/claimproxy/claimproxy/session"
)

// maxIDTokenAge bounds how old an ID token may be that comes fresh from the
// token endpoint (OpenID Connect Core section 3.1.3.7 item 10).
const maxIDTokenAge = time.Hour

// ErrIDToken says that an ID token is not one for this login.
var ErrIDToken = errors.New("ID token")

// Expected is what an ID token from the token endpoint is compared with.
type Expected struct {
	// Nonce was sent with the authorization request.
	Nonce string
	// AccessToken came with the ID token; at_hash is compared with it when the
	// ID token has one.
	AccessToken string
	// Refreshed says that the ID token came for a refresh token. It then need not have
	// a nonce (Core section 12.2).
	Refreshed bool
}

// VerifyIDToken checks an ID token whole (OpenID Connect Core section 3.1.3.7).
// go-oidc checks algorithm, iss and aud; the rest, which its contract leaves to the
// caller, is checked here. The error wraps ErrIDToken, or is a *session.Unavailable.
func (p *Provider) VerifyIDToken(ctx context.Context, raw string, want Expected) (session.Claims, error) {
	md, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	// Strictly parsed before anything else: no line breaks inside the compact
	// form, no key twice, names exact, exp a number.
	u, ok := Peek(raw)
	if !ok {
		return nil, fmt.Errorf("%w: %w", ErrIDToken, ErrMalformed)
	}
	t, err := p.VerifyJWT(ctx, u)
	if u, ok := asUnavailable(err); ok {
		return nil, u
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIDToken, err)
	}
	verifier := oidc.NewVerifier(p.Issuer, once{t}, &oidc.Config{
		ClientID:             p.Client.ID,
		SupportedSigningAlgs: md.SigningAlgs,
		SkipExpiryCheck:      true, // VerifyJWT has, with leeway
	})
	if _, err := verifier.Verify(ctx, raw); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIDToken, err)
	}
	if err := p.checkIDToken(t, want); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIDToken, err)
	}
	return t.Claims, nil
}

// once is the key set for a token whose signature has been verified. go-oidc would
// flatten the error of a second verification to text, and an outage in between
// would look like a bad token.
type once struct{ t *JWT }

// VerifySignature implements oidc.KeySet.
func (o once) VerifySignature(_ context.Context, raw string) ([]byte, error) {
	if raw != o.t.raw {
		return nil, ErrSignature
	}
	return o.t.payload, nil
}

func (p *Provider) checkIDToken(t *JWT, want Expected) error {
	c := t.Claims
	// Kinds of JWT exclude each other (RFC 8725 section 3.12).
	if typ := t.Typ(); typ != "" && typ != "jwt" && typ != "id_token+jwt" {
		return fmt.Errorf("header typ %s is another kind of token", quote(typ))
	}
	if typ, there := c["typ"]; there && typ != "ID" {
		return fmt.Errorf("payload typ %s is another kind of token", quote(text(typ)))
	}
	if _, there := c["events"]; there {
		return errors.New("it is a logout or event token")
	}
	if err := CheckSubject(c); err != nil {
		return err
	}
	iat, ok, err := numericDate(c, "iat")
	now := p.Now()
	switch {
	case err != nil:
		return err
	case !ok:
		return errors.New("iat is missing")
	case iat.After(now.Add(leeway)):
		return fmt.Errorf("%w: iat is in the future: do the clocks differ?", ErrNotYet)
	case iat.Before(now.Add(-maxIDTokenAge)):
		return fmt.Errorf("%w: iat is too long ago: do the clocks differ?", ErrExpired)
	}
	if err := p.checkIDTokenAudience(c); err != nil {
		return err
	}
	nonce, _ := c.String("nonce")
	if _, there := c["nonce"]; !there && want.Refreshed {
		return checkAccessTokenHash(t, want.AccessToken)
	}
	if want.Nonce == "" || subtle.ConstantTimeCompare([]byte(nonce), []byte(want.Nonce)) != 1 {
		return errors.New("nonce is not the one that was sent")
	}
	return checkAccessTokenHash(t, want.AccessToken)
}

// CheckSubject wants sub as Core section 2 has it: at most 255 ASCII characters,
// and at least one.
func CheckSubject(c session.Claims) error {
	sub, ok := c.String("sub")
	if !ok || sub == "" {
		return errors.New("sub is missing")
	}
	if len(sub) > 255 {
		return errors.New("sub is longer than 255 characters")
	}
	for _, b := range []byte(sub) {
		if b < 0x20 || b > 0x7e {
			return errors.New("sub has characters that are not printable ASCII")
		}
	}
	return nil
}

// checkIDTokenAudience wants no audience that is not trusted, and an authorized
// party that is us (Core section 3.1.3.7 items 3 to 5).
func (p *Provider) checkIDTokenAudience(c session.Claims) error {
	if list, ok := c["aud"].([]any); ok && len(list) != len(c.Strings("aud")) {
		return errors.New("aud has elements that are not strings")
	}
	aud := c.Strings("aud")
	if !slices.Contains(aud, p.Client.ID) {
		return errors.New("aud does not name this client")
	}
	for _, a := range aud {
		if !p.Listed(a) {
			return fmt.Errorf("aud names %s, which is not a client listed here", quote(a))
		}
	}
	azp, there := c["azp"]
	switch {
	case there && azp != p.Client.ID:
		return errors.New("azp is another client")
	case !there && len(aud) > 1:
		return errors.New("azp is missing beside several audiences")
	}
	return nil
}

// checkAccessTokenHash compares at_hash, when there is one (Core section
// 3.1.3.8).
func checkAccessTokenHash(t *JWT, accessToken string) error {
	v, there := t.Claims["at_hash"]
	if !there {
		return nil
	}
	alg, _ := t.Header.String("alg")
	var sum []byte
	switch alg {
	case "RS256", "PS256", "ES256":
		h := sha256.Sum256([]byte(accessToken))
		sum = h[:]
	case "RS384", "PS384", "ES384":
		h := sha512.Sum384([]byte(accessToken))
		sum = h[:]
	default: // RS512, PS512, ES512, EdDSA with Ed25519
		h := sha512.Sum512([]byte(accessToken))
		sum = h[:]
	}
	want := base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
	if got, _ := v.(string); subtle.ConstantTimeCompare([]byte(got), []byte(want)) != 1 {
		return errors.New("at_hash does not fit the access token")
	}
	return nil
}
