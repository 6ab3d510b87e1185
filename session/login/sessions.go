package login

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/answer"
)

const (
	// maxEndRequest bounds the body of sessions/end.
	maxEndRequest = 4 << 10
	// maxShown is how many sessions a page shows. All can be ended.
	maxShown = 50
)

// elsewhereUnknown is for people whose sessions are in browsers alone.
const elsewhereUnknown = "Where else you are signed in is not known here. A session in another browser ends there, by signing out."

// oneSession is the JSON form of one of a person's sessions.
type oneSession struct {
	ID       string    `json:"id"`
	Current  bool      `json:"current"`
	Since    time.Time `json:"since"`
	LastSeen time.Time `json:"last_seen"`
	Until    time.Time `json:"until"`
	Browser  string    `json:"browser"`
	Address  string    `json:"address"`
}

// sessionsOf lists the sessions of the person of this request, their own first. There is
// no list where the store cannot make one.
func (h *Handler) sessionsOf(r *http.Request, id *session.Identity) ([]oneSession, error) {
	if h.Remote == nil {
		return nil, nil
	}
	own, err := h.Remote.Current(r)
	if err != nil {
		return nil, err
	}
	all, err := h.Remote.List(r.Context(), id.Issuer, id.Subject)
	if err != nil {
		return nil, err
	}
	list := make([]oneSession, 0, len(all))
	for _, s := range all {
		one := oneSession{s.ID, s.ID == own, s.Created, s.Seen, s.Ends, s.Browser, s.Address}
		if one.Current {
			list = append([]oneSession{one}, list...)
		} else {
			list = append(list, one)
		}
	}
	return list, nil
}

// showSessions adds a person's sessions to their page.
func (h *Handler) showSessions(c *answer.Content, list []oneSession) {
	l := answer.List{Title: "Where you are signed in"}
	for _, s := range list[:min(len(list), maxShown)] {
		item := answer.Item{Text: s.Browser, Note: "since " + forPeople(s.Since) + ", last used " + forPeople(s.LastSeen)}
		if item.Text == "" {
			item.Text = "A browser"
		}
		if s.Address != "" {
			item.Note += ", signed in from " + s.Address
		}
		if s.Current {
			item.Text += " (this session)"
		} else {
			item.Actions = []answer.Action{{Label: "End", URL: h.link("sessions/end"), Post: true, Hidden: map[string]string{"id": s.ID}}}
		}
		l.Items = append(l.Items, item)
	}
	if len(l.Items) > 0 {
		c.Lists = append(c.Lists, l)
	}
	if len(list) > 1 {
		c.Actions = append(c.Actions, answer.Action{
			Label: "End all other sessions", URL: h.link("sessions/end"), Post: true, Hidden: map[string]string{"all": "true"},
		})
	}
}

// endSessions ends other sessions of the person who asks. Their own ends at sign-out.
func (h *Handler) endSessions(w http.ResponseWriter, r *http.Request) {
	back := answer.Action{Label: "Go to my sessions", URL: h.link("me"), Main: true}
	if h.Remote == nil {
		h.Answers.Refuse(w, r, http.StatusNotFound,
			answer.Problem{Code: reasonNoRoute, Detail: "Sessions are kept in browsers here: each ends where it is, by signing out."},
			answer.Content{Title: "Nothing was ended", Text: []string{elsewhereUnknown}, Actions: []answer.Action{back}})
		return
	}
	if !h.askedHere(w, r, "Nothing was ended", "Ending sessions must be asked for on this site itself.", back) {
		return
	}
	id, err := h.Sessions.Identify(r)
	if err != nil {
		h.nobody(w, r, err)
		return
	}
	own, err := h.Remote.Current(r)
	if err != nil {
		h.nobody(w, r, err)
		return
	}
	which, all, err := readEnd(w, r)
	if err == nil && which == own {
		err = errors.New("the id is that of this session, which ends by signing out")
	}
	if err != nil {
		h.Answers.Refuse(w, r, http.StatusBadRequest,
			answer.Problem{Code: reasonBadTarget, Detail: "Expected id, of another session, or all=true."},
			answer.Content{Title: "Nothing was ended", Text: []string{"It was not said which other session is to end."}, Actions: []answer.Action{back}})
		return
	}
	var ended []session.Summary
	if all {
		ended, err = h.Remote.EndAll(r.Context(), id.Issuer, id.Subject, own)
	} else {
		ended, err = h.Remote.EndOne(r.Context(), id.Issuer, id.Subject, which)
	}
	if err != nil {
		back.Label = "Try again"
		h.unavailable(w, r, storeFailed("Your sessions cannot be ended right now. Please try again in a moment.", err), back)
		return
	}
	h.log(r.Context(), slog.LevelInfo, w, "sessions were ended by their owner", "provider", id.Provider, "sub", id.Subject, "sessions", len(ended))
	// The list is asked for again, whether this was pressed twice or the session was
	// gone already.
	h.Answers.Redirect(w, r, http.StatusSeeOther, h.link("me"))
}

// readEnd reads the form: the id of a session, or all=true, and not both.
func readEnd(w http.ResponseWriter, r *http.Request) (id string, all bool, err error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxEndRequest)
	if err := r.ParseForm(); err != nil {
		return "", false, errors.New("the form cannot be read")
	}
	ids, alls := r.PostForm["id"], r.PostForm["all"]
	switch {
	case len(ids) == 1 && len(alls) == 0 && ids[0] != "":
		return ids[0], false, nil
	case len(ids) == 0 && len(alls) == 1 && alls[0] == "true":
		return "", true, nil
	}
	return "", false, errors.New("expected id or all=true")
}
