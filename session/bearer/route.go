package bearer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/provider"
)

// chosen is the provider that is said beside the token: by the header field for that, by
// the user name beside a token that came as a password, or because there is no other. It
// is nil when the token itself has to say. A token is never tried at one provider after
// another: each would get to see what is another's.
func (v *Verifier) chosen(shown session.Presented) (*provider.Provider, error) {
	named, err := v.named(shown)
	if err != nil {
		return nil, err
	}
	// Any user name goes with a token; only that of a provider means something.
	user := v.provider(shown.User)
	switch {
	case named != nil && user != nil && named != user:
		return nil, session.Reject(session.ReasonTokenProvider, "The request names two providers that the access token could be from.", nil)
	case named != nil:
		return named, nil
	case user != nil:
		return user, nil
	case len(v.Providers) == 1:
		return v.Providers[0], nil
	}
	return nil, nil
}

// named is the provider that the header names, nil when it names none.
func (v *Verifier) named(shown session.Presented) (*provider.Provider, error) {
	if v.ProviderHeader == "" {
		return nil, nil
	}
	fields := shown.Header[v.ProviderHeader]
	switch {
	case len(fields) == 0 || len(fields) == 1 && fields[0] == "":
		return nil, nil
	case len(fields) > 1:
		return nil, session.Reject(session.ReasonTokenProvider, "The request says more than once which provider the access token is from.", nil)
	}
	if p := v.provider(fields[0]); p != nil {
		return p, nil
	}
	return nil, foreignProvider(errors.New("the header " + v.ProviderHeader + " names no provider"))
}

// provider is the one with an id, nil if there is none.
func (v *Verifier) provider(id string) *provider.Provider {
	for _, p := range v.Providers {
		if p.ID == id {
			return p
		}
	}
	return nil
}

// providerOf says which provider a token is from: the chosen one, or the issuer that a
// JWT names. What an unverified token says only decides whose keys it must fit. jwt is
// nil for an opaque token.
func (v *Verifier) providerOf(chosen *provider.Provider, token string) (p *provider.Provider, jwt *provider.Unverified, err error) {
	jwt, isJWT := provider.Peek(token)
	switch {
	case !isJWT && meantAsJWT(token):
		return nil, nil, invalid(provider.ErrMalformed)
	case chosen != nil:
		return chosen, jwt, nil
	case !isJWT:
		return nil, nil, session.Reject(session.ReasonTokenProvider, "It cannot be told which provider the access token is from.", nil)
	}
	if iss, ok := jwt.Claims.String("iss"); ok {
		if i := slices.IndexFunc(v.Providers, func(p *provider.Provider) bool { return p.Issuer == iss }); i >= 0 {
			return v.Providers[i], jwt, nil
		}
	}
	return nil, nil, foreignProvider(nil)
}

// meantAsJWT says whether a text that is no signed JWT for us may be one for its
// provider, which may be lenient: a member twice, padding, unused bits. Asked about
// as an opaque token it would pass by the rules for JWTs.
func meantAsJWT(token string) bool {
	header, rest, _ := strings.Cut(token, ".")
	if strings.Count(rest, ".") != 1 {
		return false
	}
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(header, "="))
	return err == nil && json.Valid(b) && bytes.HasPrefix(bytes.TrimSpace(b), []byte("{"))
}

func foreignProvider(cause error) *session.Rejected {
	return session.Reject(session.ReasonTokenProvider, "The access token is from a provider that is not accepted here.", cause)
}
