package login

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/answer"
)

// Parking keeps values for people who are away to sign in. *session.Store is one.
type Parking interface {
	Park(ctx context.Context, value []byte, life time.Duration) (ticket string, err error)
	Parked(ctx context.Context, ticket string) ([]byte, error)
	// Last says whose session the request's cookie was, also when it is over.
	Last(r *http.Request) (*session.Identity, error)
}

// MaxForm is the length of a form's body, in bytes, that is kept for after signing in.
const MaxForm = 64 << 10

const (
	// formLife is how long a form is kept: somebody who signs in after that types again.
	formLife = attemptLife
	// maxFields bounds the fields of a form.
	maxFields = 1000
)

// keptForm is a form that was sent when its writer's session was over.
type keptForm struct {
	Issuer    string      `json:"i"`
	Subject   string      `json:"s"`
	Origin    string      `json:"o"`
	Place     string      `json:"p"` // path and query there
	Multipart bool        `json:"m,omitempty"`
	Fields    [][2]string `json:"f"`
}

// KeepForm keeps a form that was sent with a session that is over, and returns the place
// to return to after signing in: a page from which the form can be sent again. It is "",
// without an error, for what is no form that a page can send again, or of nobody whose
// session it was. The caller has made sure that the form is of this origin, and has read
// no more than MaxForm bytes. place is where it was sent to, path and query.
func (h *Handler) KeepForm(r *http.Request, body []byte, place string) (string, error) {
	if h.Parking == nil || h.returnTo(place) != place {
		return "", nil
	}
	fields, isMultipart, ok := readForm(r.Header.Get("Content-Type"), body)
	if !ok {
		return "", nil
	}
	id, err := h.Parking.Last(r)
	if err != nil {
		return "", nil
	}
	value, err := json.Marshal(keptForm{Issuer: id.Issuer, Subject: id.Subject, Origin: h.ownOrigin(r), Place: place, Multipart: isMultipart, Fields: fields})
	if err != nil {
		return "", err
	}
	ticket, err := h.Parking.Park(r.Context(), value, formLife)
	if err != nil {
		return "", err
	}
	return h.link(resendPage, "form", ticket), nil
}

// resendPage is the name of the page that sends a kept form again.
const resendPage = "resend"

// readForm reads the fields of a form in their order. Files are not kept: a page cannot
// put a file into a form again.
func readForm(contentType string, body []byte) (fields [][2]string, isMultipart, ok bool) {
	kind, params, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil:
		return nil, false, false
	case kind == "application/x-www-form-urlencoded":
		fields, ok = readURLEncoded(string(body))
		return fields, false, ok
	case kind == "multipart/form-data" && params["boundary"] != "":
		fields, ok = readMultipart(multipart.NewReader(bytes.NewReader(body), params["boundary"]))
		return fields, true, ok
	}
	return nil, false, false
}

func readURLEncoded(body string) ([][2]string, bool) {
	var fields [][2]string
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, nameErr := url.QueryUnescape(name)
		value, valueErr := url.QueryUnescape(value)
		if nameErr != nil || valueErr != nil || !fit(name, value) || len(fields) == maxFields {
			return nil, false
		}
		fields = append(fields, [2]string{name, value})
	}
	return fields, true
}

func readMultipart(parts *multipart.Reader) ([][2]string, bool) {
	var fields [][2]string
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return fields, true
		}
		if err != nil || part.FileName() != "" || part.FormName() == "" || len(fields) == maxFields {
			return nil, false
		}
		value, err := io.ReadAll(io.LimitReader(part, MaxForm+1))
		if err != nil || len(value) > MaxForm || !fit(part.FormName(), string(value)) {
			return nil, false
		}
		fields = append(fields, [2]string{part.FormName(), string(value)})
	}
}

// fit says whether a page can carry a field without changing it.
func fit(name, value string) bool {
	return utf8.ValidString(name) && utf8.ValidString(value) && !strings.ContainsRune(name+value, 0)
}

// resend shows what was kept and sends it again if the person wants that. Nothing is sent
// by itself: whoever reads the page decides, and it is their own form.
func (h *Handler) resend(w http.ResponseWriter, r *http.Request) {
	gone := func(reason session.Reason, text string) {
		h.Answers.Refuse(w, r, http.StatusNotFound,
			answer.Problem{Code: string(reason), Detail: text},
			answer.Content{Title: "Nothing to send again", Text: []string{text}, Actions: []answer.Action{{Label: "Go on", URL: "/", Main: true}}})
	}
	id, err := h.Sessions.Identify(r)
	if unknown(err) {
		h.unavailable(w, r, storeFailed("Whether you are signed in cannot be looked up right now. Please try again in a moment.", err),
			answer.Action{Label: "Try again", URL: h.link(resendPage, "form", parameter(r, "form")), Main: true})
		return
	}
	if err != nil {
		h.Answers.Redirect(w, r, http.StatusFound, h.ownOrigin(r)+h.link("sign-in", "return_to", h.link(resendPage, "form", parameter(r, "form"))))
		return
	}
	form, err := h.keptForm(r)
	var u *session.Unavailable
	switch {
	case errors.As(err, &u):
		h.unavailable(w, r, err, answer.Action{Label: "Try again", URL: h.link(resendPage, "form", parameter(r, "form")), Main: true})
		return
	case err != nil:
		gone(reasonNoRoute, "What you had sent is not kept any more. Please go back and send it again.")
		return
	case form.Issuer != id.Issuer || form.Subject != id.Subject:
		gone(reasonNotAllowed, "Somebody else had sent this. You are signed in as "+nameOf(id)+".")
		return
	}
	send := &answer.Form{Multipart: form.Multipart}
	for _, f := range form.Fields {
		send.Fields = append(send.Fields, answer.Field{Name: f[0], Value: f[1]})
	}
	path, _, _ := strings.Cut(form.Place, "?")
	h.Answers.Page(w, r, http.StatusOK, answer.Content{
		Title: "Send it again?",
		Text:  []string{"Your session had ended when you sent a form to " + path + ", so it was not sent on. It has been kept for you."},
		Actions: []answer.Action{
			{Label: "Send it now", URL: form.Place, Main: true, Form: send},
			{Label: "Do not send it", URL: "/"},
		},
	})
}

func (h *Handler) keptForm(r *http.Request) (form keptForm, err error) {
	if h.Parking == nil {
		return form, errors.New("nothing is kept")
	}
	value, err := h.Parking.Parked(r.Context(), parameter(r, "form"))
	if err != nil {
		return form, err
	}
	if err := json.Unmarshal(value, &form); err != nil {
		return form, err
	}
	// What was typed for one application is not for another, and the rules for places may
	// have become stricter since.
	if form.Origin != h.ownOrigin(r) || h.returnTo(form.Place) != form.Place {
		return form, errors.New("the place is none any more")
	}
	return form, nil
}

// ownLanding says whether a path is one of our own pages that a person may be sent to
// after signing in.
func (h *Handler) ownLanding(path string) bool {
	return slices.Contains([]string{h.Endpoints + "/me", h.Endpoints + "/" + resendPage}, path)
}
