package login

import (
	"log/slog"
	"net/http"

	"github.com/claimproxy/claimproxy/session/answer"
)

// signOut ends the session on POST; GET shows the button, because nothing that a
// link or an image can do may end a session.
func (h *Handler) signOut(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		h.signOutPage(w, r)
		return
	}
	if err := h.crossOrigin.Check(r); err != nil {
		h.Answers.Refuse(w, r, http.StatusForbidden,
			answer.Problem{Code: "not-allowed", Detail: "Signing out must be asked for on this site itself."},
			answer.Content{Title: "Not signed out", Text: []string{"Signing out must be asked for on this site itself."},
				Actions: []answer.Action{{Label: "Go to the sign-out page", URL: h.link("sign-out")}}})
		return
	}
	if err := h.Sessions.End(w, r); err != nil {
		h.log(r.Context(), slog.LevelError, w, "ending a session failed", "error", err)
		w.Header().Set("Retry-After", "5")
		h.Answers.Refuse(w, r, http.StatusServiceUnavailable,
			answer.Problem{Code: "store-unavailable", Detail: "Signing out did not work. Please try again in a moment."},
			answer.Content{Title: "You are still signed in", Text: []string{"Signing out did not work. Please try again in a moment."},
				Actions: []answer.Action{{Label: "Try again", URL: h.link("sign-out")}}})
		return
	}
	h.Answers.Redirect(w, r, http.StatusSeeOther, h.link("sign-out"))
}

func (h *Handler) signOutPage(w http.ResponseWriter, r *http.Request) {
	id, err := h.Sessions.Identify(r)
	if err != nil {
		h.Answers.Page(w, r, http.StatusOK, answer.Content{
			Title:   "You are signed out",
			Text:    []string{"Nobody is signed in here in this browser. You may still be signed in at your provider."},
			Actions: []answer.Action{{Label: "Sign in", URL: h.link("sign-in")}},
		})
		return
	}
	h.Answers.Page(w, r, http.StatusOK, answer.Content{
		Title:   "Sign out?",
		Text:    []string{"You are signed in as " + nameOf(id) + "."},
		Actions: []answer.Action{{Label: "Sign out", URL: h.link("sign-out"), Post: true}},
	})
}
