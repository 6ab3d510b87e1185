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
	if h.elsewhere(w, r) {
		return
	}
	place := h.returnTo(r.URL.Query().Get("return_to"))
	pairs := []string{"return_to", place}
	if r.URL.Query().Has("switch") {
		pairs = append(pairs, "switch", "true")
	}
	if len(h.Providers) == 1 {
		h.Answers.Redirect(w, r, http.StatusSeeOther, h.destination(h.link("start/"+h.Providers[0].ID, pairs...)))
		return
	}
	c := answer.Content{Title: "Sign in", Text: []string{"Choose where to sign in."}}
	for _, p := range h.Providers {
		c.Actions = append(c.Actions, answer.Action{
			Label: p.Name, URL: h.link("start/"+p.ID, pairs...), Logo: p.Logo, Color: p.Color, ColorDark: p.ColorDark,
		})
	}
	h.Answers.Page(w, r, http.StatusOK, c)
}

// start begins the authorization code flow at a provider.
func (h *Handler) start(w http.ResponseWriter, r *http.Request, p *provider.Provider) {
	if h.elsewhere(w, r) {
		return
	}
	a := newAttempt(p.ID, h.returnTo(r.URL.Query().Get("return_to")), h.Now())
	to, err := p.AuthorizationURL(r.Context(), provider.AuthorizationRequest{
		State: a.State, Nonce: a.Nonce, Verifier: a.Verifier,
		// "Sign in as somebody else" must not end with the same person at once.
		Again: r.URL.Query().Has("switch"),
	})
	if err != nil {
		h.unavailable(w, r, p, a.ReturnTo, err)
		return
	}
	if err := h.remember(w, r, a); err != nil {
		h.unavailable(w, r, p, a.ReturnTo, err)
		return
	}
	h.Answers.Redirect(w, r, http.StatusSeeOther, to)
}

// unavailable shows that signing in is not possible now and offers to try again.
func (h *Handler) unavailable(w http.ResponseWriter, r *http.Request, p *provider.Provider, place string, err error) {
	if r.Context().Err() != nil {
		return // the person has left
	}
	sentence := "Signing in is not possible right now. Please try again in a moment."
	u := &session.Unavailable{Reason: session.ReasonProviderUnavailable, Sentence: sentence}
	errors.As(err, &u)
	h.log(r.Context(), slog.LevelWarn, w, "signing in is not possible", "provider", p.ID, "reason", string(u.Reason), "error", err)
	w.Header().Set("Retry-After", strconv.Itoa(u.Seconds()))
	h.Answers.Refuse(w, r, http.StatusServiceUnavailable,
		answer.Problem{Code: string(u.Reason), Detail: u.Sentence},
		answer.Content{Title: "Not possible right now", Text: []string{u.Sentence}, Actions: []answer.Action{h.again(p, place)}})
}

// again is the button that starts over.
func (h *Handler) again(p *provider.Provider, place string) answer.Action {
	return answer.Action{Label: "Try again", URL: h.link("start/"+p.ID, "return_to", place)}
}
