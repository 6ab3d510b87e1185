package login

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/answer"
	"github.com/claimproxy/claimproxy/session/provider"
)

// failure is why a callback did not end in a session.
type failure struct {
	status   int
	reason   session.Reason
	title    string
	sentence string
	cause    error // for the log
}

func (f *failure) Error() string { return fmt.Sprintf("%s: %s: %v", f.reason, f.sentence, f.cause) }

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.cause }

// refuse makes a failure that starting over may mend.
func refuse(reason session.Reason, sentence string, cause error) *failure {
	return &failure{http.StatusBadRequest, reason, "Signing in did not work", sentence, cause}
}

// notVerified tells a bad ID token from one that cannot be checked now.
func notVerified(err error) error {
	var u *session.Unavailable
	switch {
	case errors.As(err, &u):
		return u
	case errors.Is(err, provider.ErrExpired):
		return refuse(session.ReasonTokenExpired, "The provider's proof of who you are had already expired. Its clock and the one here may differ.", err)
	case errors.Is(err, provider.ErrNotYet):
		return refuse(session.ReasonTokenInvalid, "The provider's proof of who you are is not valid yet. Its clock and the one here may differ.", err)
	}
	return refuse(session.ReasonTokenInvalid, "The provider's proof of who you are cannot be trusted.", err)
}

// notKept tells a session that has no room where it is to be kept, which trying again
// does not change, from one that cannot be kept now.
func notKept(p *provider.Provider, err error) error {
	var large *session.TooLarge
	if !errors.As(err, &large) {
		return storeFailed("You cannot be signed in right now. Please try again in a moment.", err)
	}
	return &failure{http.StatusForbidden, reasonTooLarge, "You cannot be signed in",
		nameAt(p) + " says more about you than fits into the cookies of a browser: you may be in very many groups. " +
			"Trying again does not change that. Please tell whoever runs this service: the log says what takes up the room.", err}
}

// wantsThePerson says whether a provider that was asked with prompt=none has a question
// (OpenID Connect Core section 3.1.2.6).
func wantsThePerson(code string) bool {
	switch code {
	case "login_required", "interaction_required", "account_selection_required", "consent_required":
		return true
	}
	return false
}

// providerError explains an error response (RFC 6749 section 4.1.2.1, OpenID
// Connect Core section 3.1.2.6). The provider's own description is not shown:
// anybody can write one into a link.
func providerError(p *provider.Provider, code string) error {
	cause := fmt.Errorf("the provider answered %q", provider.CleanCode(code))
	switch {
	case code == "access_denied":
		return &failure{http.StatusForbidden, reasonNotAllowed, "Signing in was declined",
			nameAt(p) + " says that access was declined. If that was not you, ask whoever runs it.", cause}
	case code == "unmet_authentication_requirements":
		return &failure{http.StatusForbidden, session.ReasonStepUp, "This sign-in is not enough",
			nameAt(p) + " cannot sign you in as strongly as the page that you came from needs.", cause}
	case wantsThePerson(code):
		return refuse(session.ReasonNoCredentials, nameAt(p)+" wants you to sign in there first. Please start again.", cause)
	case code == "server_error", code == "temporarily_unavailable":
		return &session.Unavailable{Reason: session.ReasonProviderUnavailable, Cause: cause,
			Sentence: nameAt(p) + " cannot sign people in right now. Please try again in a moment."}
	}
	return refuse(session.ReasonNoCredentials, nameAt(p)+" could not sign you in. If this happens again, tell whoever runs this service.", cause)
}

// failed ends a callback on a page that says what to do. to is where the attempt was
// to lead; it is zero when there is no attempt.
func (h *Handler) failed(w http.ResponseWriter, r *http.Request, p *provider.Provider, to way, err error) {
	h.Observer.SignedIn(p.ID, resultOf(err))
	var f *failure
	if !errors.As(err, &f) {
		h.unavailable(w, r, err, h.again(p, to), "provider", p.ID)
		return
	}
	again := h.again(p, to)
	if f.reason == reasonTooLarge {
		again = answer.Action{Label: "Sign in as somebody else", URL: h.link("start/"+p.ID, "return_to", to.text(), "prompt", "select_account")}
	}
	h.refused(w, r, f, to, again, "provider", p.ID)
}

// refused shows why signing in has failed, with the button that starts over. about goes
// into the log.
func (h *Handler) refused(w http.ResponseWriter, r *http.Request, f *failure, to way, again answer.Action, about ...any) {
	h.log(r.Context(), slog.LevelWarn, w, "signing in failed", append(about, "reason", string(f.reason), "error", f.cause)...)
	c := answer.Content{Title: f.title, Text: []string{f.sentence}, Actions: []answer.Action{again}}
	// Where a stronger sign-in is needed, going on leads here once more.
	if _, err := h.Sessions.Identify(r); err == nil && f.reason != session.ReasonStepUp {
		// The back button, a reload, an old tab: the person is signed in already.
		c.Text = append(c.Text, "You are signed in already, so you can also simply go on.")
		c.Actions[0].Main = false
		c.Actions = append([]answer.Action{{Label: "Go on", URL: to.text(), Main: true}}, c.Actions...)
	}
	h.Answers.Refuse(w, r, f.status, answer.Problem{Code: string(f.reason), Detail: f.sentence}, c)
}
