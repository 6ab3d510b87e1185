package login

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/answer"
)

// People sign in on public_url's host; on every other host that a route names they have
// a cookie of the same session. The way there and back:
//
//	B/.auth/sign-in    begins an attempt in a cookie of B's, and goes to
//	A/.auth/sign-in    which signs in whoever is not known yet, and goes back to
//	B/.auth/accept     with a code, which that attempt alone can use, once, for a minute.
//
// A page that sends somebody to accept with a code of its own, to have them work in its
// session without noticing, finds no attempt in their browser that the code is for.

// Handover carries sessions to other hosts. *session.Store is one.
type Handover interface {
	// Pass returns what gives the request's session a cookie on another host.
	Pass(r *http.Request) ([]byte, error)
	// Adopt sets that cookie, for the host of the request.
	Adopt(w http.ResponseWriter, r *http.Request, pass []byte) error
	// Once returns session.ErrExists for a name that it was called with before.
	Once(ctx context.Context, name string, until time.Time) error
}

// begin begins an attempt on another host and leads to public_url's.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request, to way) {
	if h.Handover == nil {
		// Led on, they would come back here as nobody, and be led on for ever.
		const sentence = "Nobody can sign in on this host with a browser."
		h.Answers.Refuse(w, r, http.StatusNotFound, answer.Problem{Code: reasonNoRoute, Detail: sentence},
			answer.Content{Title: "Not found", Text: []string{sentence}})
		return
	}
	if h.inVain(w, r, to, demanded(r)) {
		return
	}
	a := newAttempt("", to.path, h.Now())
	a.Origin = to.origin
	var err error
	if a.Verifier, a.State, err = newKey(); err == nil {
		err = h.remember(w, r, a)
	}
	if err != nil {
		h.unavailable(w, r, err, h.signInHere(to.path))
		return
	}
	to.challenge = a.State
	h.Answers.Redirect(w, r, http.StatusFound, h.destination(h.link("sign-in", h.asked(r, to)...)))
}

// known leads somebody who is signed in on public_url's host, and only has no cookie on
// another one yet, back there. It says whether it has answered.
func (h *Handler) known(w http.ResponseWriter, r *http.Request, to way) bool {
	// Somebody who wants to be somebody else, or who is asked for a fresh proof, is led
	// to the provider; and nothing but a person's own navigation carries a session.
	if to.challenge == "" || h.Handover == nil || asSomebodyElse(r) || !h.meets(r, demanded(r)) || !answer.IsNavigation(r) {
		return false
	}
	// Who is nobody in these pages' eyes, as of a provider that is not configured any
	// more, would be none on the other host either, and be sent back here, for ever.
	id, err := h.Sessions.Identify(r)
	var pass []byte
	if err == nil {
		pass, err = h.Handover.Pass(r)
	}
	switch {
	case err == nil:
		h.ledBackAgain(w, r, id, to.origin)
		h.handOver(w, r, to, pass)
		return true
	case unknown(err):
		h.unavailable(w, r, storeFailed("Whether you are signed in cannot be looked up right now. Please try again in a moment.", err),
			answer.Action{Label: "Try again", URL: h.link("sign-in", h.asked(r, to)...), Main: true})
		return true
	case !h.StrictCookie || parameter(r, looked) != "" || strings.HasPrefix(r.Header.Get("Sec-Fetch-Site"), "same-"):
		return false
	}
	// The other host's redirect may be another site's navigation, with which a strict
	// cookie is not sent. What a page of ours begins is same-site.
	self := h.link("sign-in", append(h.asked(r, to), looked, "true")...)
	w.Header().Set("Refresh", "0; url="+h.destination(self))
	h.Answers.Page(w, r, http.StatusOK, answer.Content{
		Title: "Signing in", Actions: []answer.Action{{Label: "Go on", URL: self, Main: true}},
	})
	return true
}

// looked is the parameter of sign-in that says that a strict cookie would have come.
const looked = "looked"

// handOver leads to the end of a way on another host, with the code for a session.
func (h *Handler) handOver(w http.ResponseWriter, r *http.Request, to way, pass []byte) {
	place, err := h.acceptURL(to, pass)
	if err != nil {
		h.unavailable(w, r, err, answer.Action{Label: "Try again", URL: h.urlTo(to), Main: true})
		return
	}
	h.Answers.Redirect(w, r, http.StatusFound, place)
}

// acceptURL is where a way ends on another host, with the code for a session.
func (h *Handler) acceptURL(to way, pass []byte) (string, error) {
	text, err := h.newCode(to, pass)
	if err != nil {
		return "", err
	}
	return to.origin + h.link("accept", "code", text), nil
}

// accept takes a code, on the host that it was made for and in the browser in which the
// attempt began, for this host's own cookie of the session.
func (h *Handler) accept(w http.ResponseWriter, r *http.Request) {
	here, ok := h.here(r)
	if !ok || here == "" || h.Handover == nil {
		h.notFound(w, r)
		return
	}
	to, err := h.taken(w, r, here)
	if err == nil {
		h.log(r.Context(), slog.LevelInfo, w, "signed in on another host", "host", hostOf(r))
		h.goOn(w, r, h.urlTo(to))
		return
	}
	var f *failure
	if !errors.As(err, &f) {
		h.unavailable(w, r, err, h.signInHere(to.path), "host", hostOf(r))
		return
	}
	h.refused(w, r, f, to, h.signInHere(to.path), "host", hostOf(r))
}

// taken sets the cookie of the session that the request's code is for. The way is
// returned even when that is refused.
func (h *Handler) taken(w http.ResponseWriter, r *http.Request, here string) (way, error) {
	to := way{origin: here, path: "/"}
	text, c, err := h.readCode(r.URL.RawQuery, here)
	if err != nil {
		return to, refuse(session.ReasonSessionExpired, "This sign-in cannot be taken over here, or took too long. Please start again.", err)
	}
	// It is used up by whoever shows it first, whether it is theirs or not: one that was
	// read over somebody's shoulder is worth nothing once their browser has shown it.
	sum := sha256.Sum256([]byte(text))
	switch err := h.Handover.Once(r.Context(), "accept "+hex.EncodeToString(sum[:]), h.Now().Add(attemptLife)); {
	case errors.Is(err, session.ErrExists):
		return to, refuse(session.ReasonSessionExpired, "This sign-in was used already. Please start again.", errors.New("the code was used before"))
	case err != nil:
		return to, err
	}
	a, err := h.recall(r, "", c.Challenge)
	if err == nil && a.Origin != here {
		err = errNoAttempt
	}
	if err != nil {
		return to, refuse(session.ReasonSessionExpired, "This sign-in did not begin in this browser, or took too long. Please start again. If this happens each time, check that your browser accepts cookies of this site.", err)
	}
	h.forget(w, h.cookieOf(a.State))
	to.path = a.ReturnTo
	pass, err := c.pass(a.Verifier, here)
	if err != nil {
		return to, refuse(session.ReasonSessionExpired, "This sign-in cannot be taken over here. Please start again.", err)
	}
	err = h.Handover.Adopt(w, r, pass)
	switch {
	case unknown(err):
		return to, storeFailed("You cannot be signed in right now. Please try again in a moment.", err)
	case err != nil:
		return to, refuse(session.ReasonSessionEnded, "Your session has ended meanwhile. Please sign in again.", err)
	}
	return to, nil
}

// signInHere is the button that starts over on the request's own host.
func (h *Handler) signInHere(path string) answer.Action {
	return answer.Action{Label: "Try again", URL: h.link("sign-in", "return_to", path), Main: true}
}
