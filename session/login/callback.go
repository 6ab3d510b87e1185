package login

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/answer"
	"github.com/claimproxy/claimproxy/session/provider"
)

// callback takes the provider's answer (RFC 6749 section 4.1.2). Nothing of it is
// believed before the attempt's cookie and iss have been checked.
func (h *Handler) callback(w http.ResponseWriter, r *http.Request, p *provider.Provider) {
	params, a, err := h.admit(w, r, p)
	if err != nil {
		h.failed(w, r, p, a.way(), err)
		return
	}
	if a.Silent && wantsThePerson(params.errorCode) {
		h.Answers.Redirect(w, r, http.StatusFound, h.destination(h.link("start/"+p.ID, append(a.way().pairs(), aloud, "true")...)))
		return
	}
	rec, err := h.finish(r.Context(), p, a, params)
	if err != nil {
		h.failed(w, r, p, a.way(), err)
		return
	}
	h.signedInAgain(w, r, rec, a.demand)
	rec.Address, rec.Browser = addressOf(r), browserName(r.UserAgent())
	if err := h.Sessions.Start(w, r, rec); err != nil {
		h.failed(w, r, p, a.way(), notKept(p, err))
		return
	}
	h.log(r.Context(), slog.LevelInfo, w, "signed in", "provider", p.ID, "sub", rec.Identity.Subject)
	place := h.urlTo(a.way())
	if a.Challenge != "" && h.Handover != nil {
		pass, err := h.Handover.Pass(r)
		if err == nil {
			place, err = h.acceptURL(a.way(), pass)
		}
		if err != nil {
			h.failed(w, r, p, a.way(), storeFailed("You cannot be signed in right now. Please try again in a moment.", err))
			return
		}
	}
	h.Observer.SignedIn(p.ID, ResultOK)
	h.goOn(w, r, place)
}

// goOn leads somebody who has just been signed in on to a place, which urlTo or acceptURL
// made.
func (h *Handler) goOn(w http.ResponseWriter, r *http.Request, place string) {
	if strings.HasPrefix(place, h.ownOrigin(r)+"/") && !h.StrictCookie {
		h.Answers.Redirect(w, r, http.StatusFound, place)
		return
	}
	// A redirect would still be the provider's navigation. Where a form began that, the
	// form's page may allow redirects to the callback's host and to no other (form-action,
	// which Chromium holds against each of them). And no new strict cookie would be sent
	// along: what looks like a stranger would be sent to sign in, for ever. What a page of
	// ours begins is its own navigation, and same-site.
	w.Header().Set("Refresh", "0; url="+place)
	h.Answers.Page(w, r, http.StatusOK, answer.Content{
		Title: "You are signed in", Actions: []answer.Action{{Label: "Go on", URL: place, Main: true}},
	})
}

// finish trades the code for tokens, checks them whole and makes the record of a
// session.
func (h *Handler) finish(ctx context.Context, p *provider.Provider, a attempt, params response) (*session.Record, error) {
	if params.errorCode != "" {
		return nil, providerError(p, params.errorCode)
	}
	tokens, err := p.Exchange(ctx, params.code, a.Verifier)
	switch {
	case errors.Is(err, provider.ErrGrantRefused):
		return nil, refuse(session.ReasonSessionExpired, "The provider did not accept this sign-in. Please start again.", err)
	case errors.Is(err, provider.ErrClientRefused):
		return nil, &session.Unavailable{Reason: session.ReasonProviderUnavailable, Cause: err,
			Sentence: "The provider does not accept this service's own credentials. Please tell whoever runs it."}
	case err != nil:
		return nil, err
	case tokens.ID == "":
		return nil, refuse(session.ReasonTokenInvalid, "The provider did not say who you are.", errors.New("the token reply has no id_token"))
	}
	idClaims, err := p.VerifyIDToken(ctx, tokens.ID, provider.Expected{Nonce: a.Nonce, AccessToken: tokens.Access})
	if err != nil {
		return nil, notVerified(err)
	}
	if !a.metBy(idClaims, h.Now()) {
		return nil, notEnough(p, a.demand)
	}
	layers := []session.Layer{{Source: session.SourceIDToken, Claims: idClaims}}
	info, err := p.UserInfo(ctx, tokens.Access)
	switch {
	case err == nil && !samePerson(idClaims, info):
		return nil, refuse(session.ReasonTokenInvalid, "The provider gave two different answers about who you are.",
			errors.New("sub of userinfo is not that of the ID token"))
	case err == nil:
		layers = append(layers, session.Layer{Source: session.SourceUserInfo, Claims: info})
	case errors.Is(err, provider.ErrTokenRefused), errors.Is(err, provider.ErrNoClaims):
		// The access token is for another resource: the ID token has all claims.
		h.Log.DebugContext(ctx, "no userinfo for a login", "provider", p.ID, "error", err)
	default:
		return nil, err
	}
	return h.record(p, tokens, layers, a.Nonce), nil
}

// samePerson compares sub, without which userinfo may be anybody's (OpenID Connect
// Core section 5.3.2).
func samePerson(idToken, info session.Claims) bool {
	a, ok := idToken.String("sub")
	b, also := info.String("sub")
	return ok && also && a == b
}

// bindings are claims that bound an ID token to one attempt. They have been
// compared, and say nothing about the person.
var bindings = []string{"nonce", "at_hash", "c_hash", "s_hash"}

func (h *Handler) record(p *provider.Provider, tokens *provider.Tokens, layers []session.Layer, nonce string) *session.Record {
	now := h.Now()
	id := &session.Identity{
		Provider: p.ID, Issuer: p.Issuer, ClientID: p.Client.ID, Auth: session.AuthBrowser, SignedIn: now,
	}
	id.Subject, _ = layers[0].Claims.String("sub")
	id.Claims, id.Origins = session.Merge(layers...)
	for _, name := range bindings {
		delete(id.Claims, name)
		delete(id.Origins, name)
	}
	id.SetVirtual()
	id.User = p.User(id.Claims[p.UserClaim])
	return &session.Record{
		Identity: id, AccessToken: tokens.Access, RefreshToken: tokens.Refresh, IDToken: tokens.ID,
		AccessExpiry: tokens.Expires, Nonce: nonce, Created: now,
	}
}
