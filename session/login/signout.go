package login

import (
	"errors"
	"net/http"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/answer"
)

// signOut ends the session on POST, here and at the provider; GET shows the button,
// because nothing that a link or an image can do may end a session.
func (h *Handler) signOut(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		h.signOutPage(w, r)
		return
	}
	if !h.askedHere(w, r, "Not signed out", "Signing out must be asked for on this site itself.",
		answer.Action{Label: "Go to the sign-out page", URL: h.link("sign-out"), Main: true}) {
		return
	}
	// Read first, because afterwards it is gone. Who has no session gets the cookie
	// deleted and no more, and whether it can be ended says End.
	rec, _ := h.Sessions.Record(r)
	if err := h.Sessions.End(w, r); err != nil {
		h.unavailable(w, r, storeFailed("Signing out did not work: you are still signed in. Please try again in a moment.", err), h.signOutAgain())
		return
	}
	next := h.link("sign-out")
	if rec != nil {
		if away := h.endAtProvider(w, r, rec); away != "" {
			next = away
		}
	}
	// 303 makes a GET of the POST (RFC 9110 section 15.4.4).
	h.Answers.Redirect(w, r, http.StatusSeeOther, next)
}

// askedHere refuses what another site has a browser send, and says whether the request
// is one that a page of ours, or a program, may have sent.
func (h *Handler) askedHere(w http.ResponseWriter, r *http.Request, title, sentence string, instead answer.Action) bool {
	if h.crossOrigin.Check(r) == nil {
		return true
	}
	h.Answers.Refuse(w, r, http.StatusForbidden,
		answer.Problem{Code: reasonNotAllowed, Detail: sentence},
		answer.Content{Title: title, Text: []string{sentence}, Actions: []answer.Action{instead}})
	return false
}

// signOutPage asks whoever is signed in whether to sign out, and tells everybody else
// that they are. It is also where providers lead people back to.
func (h *Handler) signOutPage(w http.ResponseWriter, r *http.Request) {
	id, err := h.Sessions.Identify(r)
	if unknown(err) {
		// Whoever reads "you are signed out" leaves the desk.
		h.unavailable(w, r, storeFailed("Whether you are signed in cannot be looked up right now. Please try again in a moment.", err), h.signOutAgain())
		return
	}
	if err != nil {
		c := answer.Content{
			Title:   "You are signed out",
			Text:    []string{"Nobody is signed in here with this browser. You may still be signed in at your provider."},
			Actions: []answer.Action{{Label: "Sign in", URL: h.link("sign-in"), Main: true}},
		}
		if name := h.backFrom(w, r); name != "" {
			c.Text = []string{"You are signed out here and at " + name + "."}
		}
		h.Answers.Page(w, r, http.StatusOK, c)
		return
	}
	h.Answers.Page(w, r, http.StatusOK, answer.Content{
		Title:       "Sign out?",
		Text:        []string{"You are signed in as " + nameOf(id) + "."},
		Actions:     []answer.Action{{Label: "Sign out", URL: h.link("sign-out"), Main: true, Post: true}},
		FormOrigins: h.signOutOrigins(r, id),
	})
}

func (h *Handler) signOutAgain() answer.Action {
	return answer.Action{Label: "Try again", URL: h.link("sign-out"), Main: true}
}

// unknown says whether an error of Identify leaves open who is signed in: it is
// neither "nobody" nor "a session that is over".
func unknown(err error) bool {
	var rejected *session.Rejected
	return err != nil && !errors.Is(err, session.ErrNoCredentials) && !errors.As(err, &rejected)
}

// storeFailed is the outcome for a failure of Sessions: its own, when it says
// "cannot know now", else a fault of ours, which is treated alike.
func storeFailed(sentence string, err error) error {
	var u *session.Unavailable
	if errors.As(err, &u) {
		return err
	}
	return &session.Unavailable{Reason: session.ReasonStoreUnavailable, Sentence: sentence, Cause: err}
}
