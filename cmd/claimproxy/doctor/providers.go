package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/provider"
)

// tolerable is the difference of clocks that checks of tokens allow for.
const tolerable = 30 * time.Second

// provider looks at one provider: is it there, with keys and the same time, and does it
// know our clients?
func (p *Patient) provider(ctx context.Context, one *provider.Provider) []Finding {
	n := &notes{about: "provider " + one.ID}
	began := p.Now()
	md, err := one.Metadata(ctx)
	if err != nil {
		n.add(Problem, "discovery", cause(err), fmt.Sprintf("see whether this machine can open %s/.well-known/openid-configuration; issuer must be letter by letter what stands in it; a private certificate authority goes into ca, a proxy into HTTPS_PROXY", one.Issuer))
		return n.list
	}
	n.add(OK, "discovery", fmt.Sprintf("it answers, after %d ms", p.Now().Sub(began).Milliseconds()), "")
	switch count, err := one.KeyCount(ctx); {
	case err != nil:
		n.add(Problem, "keys", cause(err), fmt.Sprintf("see what %s answers: tokens and logins cannot be checked without", md.JWKSURI))
	case count == 0:
		n.add(Problem, "keys", "the key set is empty", "no token and no login of this provider can be checked")
	default:
		n.add(OK, "keys", fmt.Sprintf("%d, at %s", count, md.JWKSURI), "")
	}
	clock(ctx, n, one)
	for _, client := range one.Accepted() {
		p.client(ctx, n, one, md, client)
	}
	if one.Client.ID != "" {
		redirect(ctx, n, one)
		if md.EndSessionEndpoint == "" {
			n.add(Note, "sign-out", "it announces no end_session_endpoint: signing out ends the session here and not there", "")
		}
	}
	opaque(n, one, md)
	if md.UserInfoEndpoint == "" {
		n.add(Warning, "userinfo", "it announces no userinfo_endpoint: claims come from tokens alone, and sessions are checked again by refreshing", "see that groups stand in the ID token")
	}
	return n.list
}

func clock(ctx context.Context, n *notes, one *provider.Provider) {
	skew, err := one.ClockSkew(ctx)
	switch {
	case errors.Is(err, provider.ErrNoDate):
		n.add(Note, "clock", "its answers have no Date, so the clocks cannot be compared", "")
	case err != nil:
		n.add(Warning, "clock", "the clocks could not be compared: "+err.Error(), "")
	case skew.Abs() > tolerable:
		which := "ahead of"
		if skew < 0 {
			which = "behind"
		}
		n.add(Problem, "clock", fmt.Sprintf("it is %s %s this machine", skew.Abs().Round(time.Second), which),
			"set both by NTP: tokens are refused as expired, or as not valid yet")
	case skew != 0:
		n.add(OK, "clock", fmt.Sprintf("%s apart, which is allowed for", skew.Abs().Round(time.Second)), "")
	default:
		n.add(OK, "clock", "no difference", "")
	}
}

// client sees whether a client's credentials are accepted, and whether it may ask about
// tokens.
func (p *Patient) client(ctx context.Context, n *notes, one *provider.Provider, md *provider.Metadata, client provider.Client) {
	check := "client " + client.ID
	kind := "its secret is accepted"
	if client.Secret == "" {
		kind = "it is known, and needs no secret"
	}
	switch err := one.TryClient(ctx, client); {
	case err == nil:
		n.add(OK, check, kind, "")
	case !errors.Is(err, provider.ErrClientRefused):
		n.add(Warning, check, "whether its credentials are accepted could not be seen: "+cause(err), "")
	case client.ID == one.Client.ID:
		n.add(Problem, check, "the provider refuses its credentials, so that nobody can sign in", "compare client_id and client_secret with what the provider shows; without client_secret it must be registered as a public client")
		return
	default:
		n.add(Problem, check, "the provider refuses its credentials", "compare client_id and client_secret with what the provider shows, or leave the secret out of a public client")
		return
	}
	if client.NoIntrospection || one.OpaqueMode(md) != provider.OpaqueIntrospection {
		return
	}
	token, what := "nobody-has-this-token", "it may ask about tokens"
	if p.Token != "" {
		token = p.Token
	}
	in, err := one.Introspect(ctx, client, token)
	switch {
	case errors.Is(err, provider.ErrClientRefused):
		n.add(Warning, check+", introspection", "the provider does not let it ask about tokens: "+err.Error(), "give the client that right, as a confidential client; or introspect: false, so that it is not tried; others may ask")
	case err != nil:
		n.add(Problem, check+", introspection", cause(err), "tokens that say nothing themselves cannot be checked")
	case p.Token == "":
		n.add(OK, check+", introspection", what, "")
	case in.Active:
		n.add(OK, check+", introspection", what+", and the provider calls this one active", "")
	default:
		n.add(Note, check+", introspection", what+", and the provider calls this one not active: it has ended, or is another client's and shown to that alone", "")
	}
}

func redirect(ctx context.Context, n *notes, one *provider.Provider) {
	switch got, err := one.TryRedirect(ctx); {
	case err != nil:
		n.add(Warning, "redirect URI", cause(err), "")
	case got == provider.RedirectRefused:
		n.add(Problem, "redirect URI", fmt.Sprintf("the provider refuses %s", one.RedirectURI), "register it there, letter by letter; public_url is what it begins with")
	case got == provider.RedirectAccepted:
		n.add(OK, "redirect URI", one.RedirectURI, "")
	default:
		n.add(Note, "redirect URI", "whether "+one.RedirectURI+" is registered shows only when somebody signs in", "")
	}
}

// opaque says how tokens that say nothing themselves are checked.
func opaque(n *notes, one *provider.Provider, md *provider.Metadata) {
	if !one.Bearer.AccessToken {
		return
	}
	switch mode := one.OpaqueMode(md); {
	case mode == provider.OpaqueIntrospection && md.IntrospectionEndpoint == "":
		n.add(Problem, "opaque tokens", "bearer.opaque is introspection, and the provider announces no introspection_endpoint", "name it in metadata, or choose another way")
	case mode == provider.OpaqueTokenInfo && md.TokenInfoEndpoint == "":
		n.add(Problem, "opaque tokens", "bearer.opaque is token_info, and where that is, is not known", "name token_info_endpoint in metadata, or choose another way")
	case mode == provider.OpaqueOff:
		n.add(Note, "opaque tokens", "tokens that are no JWT are refused: there is no way to ask about them", "")
	default:
		n.add(OK, "opaque tokens", "tokens that are no JWT are checked by "+string(mode), "")
	}
}

// cause is what happened, in place of what people are told about it.
func cause(err error) string {
	var u *session.Unavailable
	if errors.As(err, &u) && u.Cause != nil {
		return u.Cause.Error()
	}
	var r *session.Rejected
	if errors.As(err, &r) {
		if r.Cause != nil {
			return fmt.Sprintf("%s: %s (%v)", r.Reason, r.Sentence, r.Cause)
		}
		return fmt.Sprintf("%s: %s", r.Reason, r.Sentence)
	}
	return err.Error()
}
