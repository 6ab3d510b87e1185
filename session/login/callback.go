package login

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/answer"
	"github.com/claimproxy/claimproxy/session/provider"
)

// maxParameter bounds a parameter of the authorization response.
const maxParameter = 4096

// failure is why a callback did not end in a session.
type failure struct {
	status   int
	code     string // the reason word
	title    string
	sentence string
	cause    error // for the log
}

func (f *failure) Error() string { return fmt.Sprintf("%s: %s: %v", f.code, f.sentence, f.cause) }

// refuse makes a failure that starting over may mend.
func refuse(sentence string, cause error) *failure {
	return &failure{http.StatusBadRequest, "sign-in-failed", "Signing in did not work", sentence, cause}
}

// callback takes the provider's answer (RFC 6749 section 4.1.2). Nothing of it is
// believed before the attempt's cookie and iss have been checked.
func (h *Handler) callback(w http.ResponseWriter, r *http.Request, p *provider.Provider) {
	params, a, err := h.admitCallback(w, r, p)
	if err != nil {
		h.failed(w, r, p, "/", err)
		return
	}
	rec, err := h.finish(r.Context(), p, a, params)
	if err != nil {
		h.failed(w, r, p, a.ReturnTo, err)
		return
	}
	if err := h.Sessions.Start(w, r, rec); err != nil {
		h.unavailable(w, r, p, a.ReturnTo, err)
		return
	}
	h.log(r.Context(), slog.LevelInfo, w, "signed in", "provider", p.ID, "sub", rec.Identity.Subject)
	h.Answers.Redirect(w, r, http.StatusSeeOther, h.destination(a.ReturnTo))
}

// response is what a provider sends back through the browser.
type response struct{ state, code, iss, errorCode string }

// admitCallback binds a callback to the attempt that began in this browser, uses
// that attempt up, and checks whom the answer is from (RFC 9207 section 2.4).
func (h *Handler) admitCallback(w http.ResponseWriter, r *http.Request, p *provider.Provider) (response, attempt, error) {
	params, err := readResponse(r)
	if err != nil {
		return response{}, attempt{}, refuse("The answer of the provider cannot be read.", err)
	}
	a, err := h.recall(r, p.ID, params.state)
	if err != nil {
		return response{}, attempt{}, refuse("This sign-in is not known here, was already used, or took too long. Please start again. If this happens each time, check that your browser accepts cookies of this site.", err)
	}
	h.forget(w, h.cookieOf(params.state))
	md, err := p.Metadata(r.Context())
	if err != nil {
		return response{}, a, err
	}
	switch {
	case params.iss != "" && params.iss != p.Issuer:
		return response{}, a, refuse("The answer came from another provider.", fmt.Errorf("iss: expected %q, got another", p.Issuer))
	case params.iss == "" && md.ResponseIssuer:
		return response{}, a, refuse("The answer does not say which provider it is from.", errors.New("iss is missing though the provider announces it"))
	}
	return params, a, nil
}

// readResponse wants each parameter at most once (RFC 6749 section 3.1), a state,
// and either a code or an error.
func readResponse(r *http.Request) (response, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return response{}, errors.New("query is malformed")
	}
	var out response
	for name, into := range map[string]*string{"state": &out.state, "code": &out.code, "iss": &out.iss, "error": &out.errorCode} {
		values := q[name]
		if len(values) > 1 {
			return response{}, fmt.Errorf("%s appears %d times", name, len(values))
		}
		if len(values) == 1 {
			if *into = values[0]; len(*into) > maxParameter {
				return response{}, fmt.Errorf("%s is longer than %d bytes", name, maxParameter)
			}
		}
	}
	switch {
	case out.state == "":
		return response{}, errors.New("state is missing")
	case out.code == "" && out.errorCode == "":
		return response{}, errors.New("neither code nor error")
	case out.code != "" && out.errorCode != "":
		return response{}, errors.New("both code and error")
	}
	return out, nil
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
		return nil, refuse("The provider did not accept this sign-in. Please start again.", err)
	case errors.Is(err, provider.ErrClientRefused):
		return nil, &session.Unavailable{Reason: session.ReasonProviderUnavailable, Cause: err,
			Sentence: "The provider does not accept this service's own credentials. Please tell whoever runs it."}
	case err != nil:
		return nil, err
	case tokens.ID == "":
		return nil, refuse("The provider did not say who you are.", errors.New("the token reply has no id_token"))
	}
	idClaims, err := p.VerifyIDToken(ctx, tokens.ID, provider.Expected{Nonce: a.Nonce, AccessToken: tokens.Access})
	if err != nil {
		return nil, notVerified(err)
	}
	layers := []session.Layer{{Source: session.SourceIDToken, Claims: idClaims}}
	info, err := p.UserInfo(ctx, tokens.Access)
	switch {
	case err == nil && info["sub"] != idClaims["sub"]: // Core section 5.3.2
		return nil, refuse("The provider gave two different answers about who you are.", errors.New("sub of userinfo is not that of the ID token"))
	case err == nil:
		layers = append(layers, session.Layer{Source: session.SourceUserInfo, Claims: info})
	case errors.Is(err, provider.ErrTokenRefused), errors.Is(err, provider.ErrNoClaims):
		// The access token is for another resource: the ID token has all claims.
		h.Log.Debug("no userinfo for a login", "provider", p.ID, "error", err)
	default:
		return nil, err
	}
	return h.record(p, tokens, layers), nil
}

func (h *Handler) record(p *provider.Provider, tokens *provider.Tokens, layers []session.Layer) *session.Record {
	now := h.Now()
	id := &session.Identity{
		Provider: p.ID, Issuer: p.Issuer, ClientID: p.Client.ID, Auth: session.AuthBrowser, SignedIn: now,
	}
	id.Subject, _ = layers[0].Claims.String("sub")
	id.Claims, id.Origins = session.Merge(layers...)
	id.SetVirtual()
	id.User = p.User(id.Claims[p.UserClaim])
	return &session.Record{
		Identity: id, AccessToken: tokens.Access, RefreshToken: tokens.Refresh, IDToken: tokens.ID,
		AccessExpiry: tokens.Expires, Created: now,
	}
}

// notVerified tells a bad ID token from one that cannot be checked now.
func notVerified(err error) error {
	var u *session.Unavailable
	if errors.As(err, &u) {
		return u
	}
	if errors.Is(err, provider.ErrExpired) {
		return refuse("The provider's proof of who you are had already expired. Its clock and the one here may differ.", err)
	}
	return refuse("The provider's proof of who you are cannot be trusted.", err)
}

// providerError explains an error response (RFC 6749 section 4.1.2.1, OpenID
// Connect Core section 3.1.2.6). The provider's own description is not shown:
// anybody can write one into a link.
func providerError(p *provider.Provider, code string) error {
	cause := fmt.Errorf("the provider answered %q", provider.CleanCode(code))
	switch code {
	case "access_denied":
		return &failure{http.StatusForbidden, "sign-in-failed", "Signing in was declined",
			p.Name + " says that access was declined. If that was not you, ask whoever runs it.", cause}
	case "login_required", "interaction_required", "account_selection_required", "consent_required":
		return refuse(p.Name+" wants you to sign in there first. Please start again.", cause)
	case "server_error", "temporarily_unavailable":
		return &session.Unavailable{Reason: session.ReasonProviderUnavailable, Cause: cause,
			Sentence: p.Name + " cannot sign people in right now. Please try again in a moment."}
	}
	return refuse(p.Name+" could not sign you in. If this happens again, tell whoever runs this service.", cause)
}

// failed ends a callback on a page that says what to do.
func (h *Handler) failed(w http.ResponseWriter, r *http.Request, p *provider.Provider, place string, err error) {
	var f *failure
	if !errors.As(err, &f) {
		h.unavailable(w, r, p, place, err)
		return
	}
	h.log(r.Context(), slog.LevelWarn, w, "signing in failed", "provider", p.ID, "error", f.cause)
	c := answer.Content{Title: f.title, Text: []string{f.sentence}, Actions: []answer.Action{h.again(p, place)}}
	if _, err := h.Sessions.Identify(r); err == nil {
		// The back button, a reload, an old tab: the person is signed in already.
		c.Text = append(c.Text, "You are signed in already, so you can also simply go on.")
		c.Actions = append([]answer.Action{{Label: "Go on", URL: place}}, c.Actions...)
	}
	h.Answers.Refuse(w, r, f.status, answer.Problem{Code: f.code, Detail: f.sentence}, c)
}
