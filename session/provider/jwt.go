package provider

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// leeway is how far the provider's clock and ours may differ.
const leeway = time.Minute

// Errors that VerifyJWT and VerifyIDToken wrap beside ErrSignature.
var (
	// ErrMalformed: not a signed JWT, or its claims are not what RFC 7519 asks.
	ErrMalformed = errors.New("not a well-formed token")
	// ErrIssuer: the token speaks for another issuer.
	ErrIssuer = errors.New("token is from another issuer")
	// ErrExpired: the token's time is over.
	ErrExpired = errors.New("token has expired")
	// ErrNotYet: the token's time has not come.
	ErrNotYet = errors.New("token is not valid yet")
)

// Unverified is a signed JWT as somebody sent it. What it says may decide whom to
// ask, never what to believe.
type Unverified struct {
	// Header is the protected header, Claims the payload.
	Header, Claims session.Claims

	raw                string
	signed             int // of raw, what the signature is of: header, dot, payload
	payload, signature []byte
}

// Peek reads a compact JWS without verifying it. ok is false when the text is not
// three base64url parts of which the first two are JSON objects.
func Peek(raw string) (_ *Unverified, ok bool) {
	head := strings.IndexByte(raw, '.')
	u := &Unverified{raw: raw, signed: strings.LastIndexByte(raw, '.')}
	if head < 0 || head >= u.signed || strings.IndexByte(raw[head+1:u.signed], '.') >= 0 {
		return nil, false
	}
	if strings.ContainsAny(raw, "\r\n") { // which base64 would pass over
		return nil, false
	}
	decoded := make([]byte, 0, base64.RawURLEncoding.DecodedLen(len(raw))) // for all three
	var parts [3][]byte
	for i, part := range [...]string{raw[:head], raw[head+1 : u.signed], raw[u.signed+1:]} {
		begin := len(decoded)
		var err error
		if decoded, err = strictBase64.AppendDecode(decoded, []byte(part)); err != nil {
			return nil, false
		}
		parts[i] = decoded[begin:len(decoded):len(decoded)]
	}
	u.payload, u.signature = parts[1], parts[2]
	var err error
	if u.Header, err = session.ParseClaims(parts[0]); err != nil {
		return nil, false
	}
	if u.Claims, err = session.ParseClaims(u.payload); err != nil {
		return nil, false
	}
	return u, true
}

// strictBase64 refuses a text whose last character has bits that mean nothing.
var strictBase64 = base64.RawURLEncoding.Strict()

// Over says whether a JWT says of itself that its time is over, leeway included. Nobody
// makes up that a token is no good.
func (p *Provider) Over(u *Unverified) bool {
	exp, ok, err := numericDate(u.Claims, "exp")
	return err == nil && ok && !p.Now().Add(-leeway).Before(exp)
}

// JWT is a verified token: the signature is by a key of the provider, iss is the
// provider, exp has not passed and nbf has. Nothing else is promised; audience
// and kind are for the caller.
type JWT struct {
	// Header is the protected header, Claims the payload.
	Header, Claims session.Claims
	// Expires is exp. It may be up to a minute ago.
	Expires time.Time

	raw     string
	payload []byte
}

// Typ returns the header's typ in lower case without "application/" (RFC 7515
// section 4.1.9), or "".
func (t *JWT) Typ() string {
	typ, _ := t.Header.String("typ")
	return strings.TrimPrefix(strings.ToLower(typ), "application/")
}

// VerifyJWT checks signature, iss, exp and nbf of a JWT. The error wraps one of
// the errors above, or is a *session.Unavailable.
func (p *Provider) VerifyJWT(ctx context.Context, u *Unverified) (*JWT, error) {
	if err := p.checkIssuer(u); err != nil {
		return nil, err
	}
	// Verified first, believed afterwards.
	if err := p.keys.verify(ctx, u); err != nil {
		return nil, err
	}
	return p.believe(u)
}

// VerifyHeldJWT is VerifyJWT without anybody being asked or waited for. sure is false when
// the keys that are here do not suffice; then there is no other result.
func (p *Provider) VerifyHeldJWT(u *Unverified) (t *JWT, sure bool, err error) {
	if err := p.checkIssuer(u); err != nil {
		return nil, true, err
	}
	if sure, err := p.keys.verifyHeld(u); !sure || err != nil {
		return nil, sure, err
	}
	t, err = p.believe(u)
	return t, true, err
}

func (p *Provider) checkIssuer(u *Unverified) error {
	if iss, _ := u.Claims.String("iss"); iss != p.Issuer {
		return fmt.Errorf("%w: expected %q", ErrIssuer, p.Issuer)
	}
	return nil
}

// believe checks the times of a JWT whose signature is good. Its claims are what was read
// of the very bytes that are signed.
func (p *Provider) believe(u *Unverified) (*JWT, error) {
	t := &JWT{Header: u.Header, Claims: u.Claims, raw: u.raw, payload: u.payload}
	now := p.Now()
	exp, ok, err := numericDate(t.Claims, "exp")
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, fmt.Errorf("%w: exp is missing", ErrMalformed)
	case !now.Add(-leeway).Before(exp):
		return nil, ErrExpired
	}
	t.Expires = exp
	nbf, ok, err := numericDate(t.Claims, "nbf")
	switch {
	case err != nil:
		return nil, err
	case ok && now.Add(leeway).Before(nbf):
		return nil, ErrNotYet
	}
	dropElsewhere(t.Claims)
	return t, nil
}

// dropElsewhere takes aggregated and distributed claims off: they would have us
// call strangers (OpenID Connect Core section 5.6.2), and the tokens for that are
// nobody's business.
func dropElsewhere(c session.Claims) {
	delete(c, "_claim_names")
	delete(c, "_claim_sources")
}

// numericDate reads a NumericDate (RFC 7519 section 2): a JSON number of seconds,
// fractions allowed. A string, or a number that no calendar has, is an error.
func numericDate(c session.Claims, name string) (t time.Time, present bool, err error) {
	v, there := c[name]
	if !there {
		return time.Time{}, false, nil
	}
	n, ok := v.(json.Number)
	if !ok {
		return time.Time{}, true, fmt.Errorf("%w: %s is not a number", ErrMalformed, name)
	}
	f, err := n.Float64()
	const year9999 = 253402300799
	if err != nil || math.IsNaN(f) || f < 0 || f > year9999 {
		return time.Time{}, true, fmt.Errorf("%w: %s is no date", ErrMalformed, name)
	}
	sec, frac := math.Modf(f)
	return time.Unix(int64(sec), int64(frac*1e9)), true, nil
}

// text prints a claim's value that names somebody: text or a number.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}
