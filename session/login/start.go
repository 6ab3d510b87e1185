package login

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/answer"
	"github.com/claimproxy/claimproxy/session/provider"
)

// signIn shows a button for each provider. With one provider there is nothing to
// choose.
func (h *Handler) signIn(w http.ResponseWriter, r *http.Request) {
	to := h.wayOf(r)
	asked := h.asked(r, to)
	switch here, ok := h.here(r); {
	case !ok || here != "" && (to.origin != here || h.shares(here)):
		// It is public_url's host that signs people in, and there they are known here.
		h.Answers.Redirect(w, r, http.StatusFound, h.destination(h.link("sign-in", asked...)))
		return
	case here != "":
		h.begin(w, r, to)
		return
	case to.origin != "" && to.challenge == "" && !h.shares(to.origin):
		// An attempt begins where it is to end.
		h.Answers.Redirect(w, r, http.StatusFound, to.origin+h.link("sign-in", h.asked(r, way{path: to.path})...))
		return
	case h.known(w, r, to):
		return
	}
	if p := h.own(r, demanded(r)); p != nil {
		h.Answers.Redirect(w, r, http.StatusFound, h.destination(h.link("start/"+p.ID, asked...)))
		return
	}
	if p := h.unchecked(r); p != nil {
		// Whose session could only not be checked is asked nothing, if possible.
		h.Answers.Redirect(w, r, http.StatusFound, h.destination(h.link("start/"+p.ID, asked...)))
		return
	}
	switch len(h.Providers) {
	case 0:
		h.Answers.Refuse(w, r, http.StatusNotFound,
			answer.Problem{Code: reasonNoRoute, Detail: "Nobody can sign in here with a browser."},
			answer.Content{Title: "Not found", Text: []string{"Nobody can sign in here with a browser."}})
		return
	case 1:
		h.Answers.Redirect(w, r, http.StatusFound, h.destination(h.link("start/"+h.Providers[0].ID, asked...)))
		return
	}
	c := answer.Content{Title: "Sign in", Text: []string{"Choose where to sign in."}}
	for _, p := range h.Providers {
		c.Actions = append(c.Actions, answer.Action{
			Label: nameAt(p), URL: h.link("start/"+p.ID, asked...), Logo: p.Logo, Color: p.Color, ColorDark: p.ColorDark,
		})
	}
	h.Answers.Page(w, r, http.StatusOK, c)
}

// asked is what a request for signing in says, as pairs for link: where to go
// afterwards, made safe, whether it is to be as somebody else, and in which way.
func (h *Handler) asked(r *http.Request, to way) []string {
	pairs := to.pairs()
	if asSomebodyElse(r) {
		pairs = append(pairs, "prompt", "select_account")
	}
	return append(pairs, demanded(r).pairs()...)
}

// asSomebodyElse says whether a person asked for another account than the one that
// the provider still knows. Other values of prompt are passed over: prompt=none in
// a link would make a sign-in that nobody sees.
func asSomebodyElse(r *http.Request) bool {
	prompt := parameter(r, "prompt")
	return prompt == "select_account" || prompt == "login"
}

// start begins the authorization code flow at a provider.
func (h *Handler) start(w http.ResponseWriter, r *http.Request, p *provider.Provider) {
	way := h.wayOf(r)
	if hostOf(r) != h.host {
		// People sign in on public_url's host alone.
		h.Answers.Redirect(w, r, http.StatusFound, h.destination(h.link("start/"+p.ID, h.asked(r, way)...)))
		return
	}
	d := demanded(r)
	if h.inVain(w, r, way, d) {
		return
	}
	a := newAttempt(p.ID, way.path, h.Now())
	a.Origin, a.Challenge = way.origin, way.challenge
	a.demand, a.Silent = d, d.none() && h.unchecked(r) == p
	to, err := p.AuthorizationURL(r.Context(), d.of(provider.AuthorizationRequest{
		State: a.State, Nonce: a.Nonce, Verifier: a.Verifier,
		// This must not end with the same person at once. Few providers know
		// prompt=select_account, so they are asked for a login.
		Again: asSomebodyElse(r), Silent: a.Silent,
	}))
	if err == nil {
		err = h.remember(w, r, a)
	}
	if err != nil {
		h.unavailable(w, r, err, h.again(p, way), "provider", p.ID)
		return
	}
	h.Answers.Redirect(w, r, http.StatusFound, to)
}

// unchecked is the provider that the person of this request may still be signed in at,
// while their session here is over because there is no token left to check it with; nil
// in every other case, and when asking there without a question has failed already.
func (h *Handler) unchecked(r *http.Request) *provider.Provider {
	if parameter(r, aloud) != "" || asSomebodyElse(r) {
		return nil
	}
	_, err := h.Sessions.Identify(r)
	var cause *session.Unchecked
	if !errors.As(err, &cause) {
		return nil
	}
	for _, p := range h.Providers {
		if p.ID == cause.Provider {
			return p
		}
	}
	return nil
}

// aloud is the parameter of start that keeps a sign-in from being tried without a
// question once more.
const aloud = "ask"

// unavailable shows that something cannot be done now and offers to try again.
// about goes into the log.
func (h *Handler) unavailable(w http.ResponseWriter, r *http.Request, err error, again answer.Action, about ...any) {
	u := &session.Unavailable{
		Reason:   session.ReasonProviderUnavailable,
		Sentence: "This is not possible right now. Please try again in a moment.",
	}
	errors.As(err, &u)
	level := slog.LevelWarn
	if r.Context().Err() != nil {
		level = slog.LevelDebug // the person has left, and that is all
	}
	h.log(r.Context(), level, w, "not possible right now", append(about, "reason", string(u.Reason), "error", err)...)
	w.Header().Set("Retry-After", strconv.Itoa(u.Seconds()))
	h.Answers.Refuse(w, r, http.StatusServiceUnavailable,
		answer.Problem{Code: string(u.Reason), Detail: u.Sentence},
		answer.Content{Title: "Not possible right now", Text: []string{u.Sentence}, Actions: []answer.Action{again}})
}

// again is the button that starts over. An attempt on another host may be over by then,
// and begins anew there.
func (h *Handler) again(p *provider.Provider, to way) answer.Action {
	return answer.Action{Label: "Try again", URL: h.link("start/"+p.ID, "return_to", to.text()), Main: true}
}
