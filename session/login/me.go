package login

import (
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/answer"
	"github.com/claimproxy/claimproxy/session/provider"
)

// whoAmI is the JSON form of "me". No token is in it: a page's script may read
// what is in it.
type whoAmI struct {
	Provider string         `json:"provider"`
	Issuer   string         `json:"issuer"`
	Subject  string         `json:"sub"`
	User     string         `json:"user"`
	SignedIn time.Time      `json:"signed_in"`
	Until    *time.Time     `json:"until,omitempty"`
	Claims   session.Claims `json:"claims"`
	Sessions []oneSession   `json:"sessions,omitempty"`
}

// me says who is signed in, since when, which claims are known, and where else.
func (h *Handler) me(w http.ResponseWriter, r *http.Request) {
	id, err := h.Sessions.Identify(r)
	if err != nil {
		h.nobody(w, r, err)
		return
	}
	sessions, err := h.sessionsOf(r, id)
	if err != nil {
		h.log(r.Context(), slog.LevelWarn, w, "a person's sessions cannot be listed", "provider", id.Provider, "sub", id.Subject, "error", err)
	}
	if !answer.WantsPage(r) {
		v := whoAmI{Provider: id.Provider, Issuer: id.Issuer, Subject: id.Subject, User: id.User, SignedIn: id.SignedIn, Claims: id.Claims, Sessions: sessions}
		if !id.Until.IsZero() {
			v.Until = &id.Until
		}
		h.Answers.JSON(w, r, http.StatusOK, v)
		return
	}
	c := answer.Content{Title: "You are " + nameOf(id), Facts: []answer.Fact{
		{Name: "Signed in at", Value: h.providerName(id.Provider)},
		{Name: "Since", Value: forPeople(id.SignedIn)},
	}}
	if !id.Until.IsZero() {
		c.Facts = append(c.Facts, answer.Fact{Name: "At most until", Value: forPeople(id.Until)})
	}
	c.Actions = []answer.Action{{Label: "Sign out", URL: h.link("sign-out"), Post: true}}
	c.FormOrigins = h.signOutOrigins(r, id)
	h.showSessions(&c, sessions)
	if h.Remote == nil {
		c.Text = append(c.Text, elsewhereUnknown)
	}
	if err != nil {
		c.Text = append(c.Text, "Where else you are signed in cannot be looked up right now.")
	}
	c.Tables = []answer.Table{{Title: "What is known about you", Rows: rowsOf(id.Claims)}}
	h.Answers.Page(w, r, http.StatusOK, c)
}

func forPeople(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

func (h *Handler) nobody(w http.ResponseWriter, r *http.Request, err error) {
	if unknown(err) {
		h.unavailable(w, r, storeFailed("Who you are cannot be looked up right now. Please try again in a moment.", err),
			answer.Action{Label: "Try again", URL: h.link("me"), Main: true})
		return
	}
	signIn := h.link("sign-in", "return_to", h.link("me"))
	code := session.ReasonNoCredentials
	var rejected *session.Rejected
	if errors.As(err, &rejected) {
		code = rejected.Reason
	}
	h.Answers.Refuse(w, r, http.StatusUnauthorized,
		answer.Problem{Code: string(code), Detail: "Nobody is signed in here.", SignInURL: h.ownOrigin(r) + signIn},
		answer.Content{Title: "Nobody is signed in", Text: []string{"This page tells who you are here, once you have signed in with this browser."},
			Actions: []answer.Action{{Label: "Sign in", URL: signIn, Main: true}}})
}

func (h *Handler) providerName(id string) string {
	for _, p := range h.Providers {
		if p.ID == id {
			return nameAt(p)
		}
	}
	return id
}

// nameAt is what to call a provider on a page.
func nameAt(p *provider.Provider) string {
	if p.Name != "" {
		return p.Name
	}
	return p.ID
}

// nameOf is what to call a person on a page.
func nameOf(id *session.Identity) string {
	for _, name := range []string{id.User, id.Subject} {
		if name != "" {
			return name
		}
	}
	return "somebody without a name"
}

// rowsOf are claims for people, in the order of their names.
func rowsOf(claims session.Claims) []answer.Row {
	rows := make([]answer.Row, 0, len(claims))
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		rows = append(rows, answer.Row{Name: name, Values: show(name, claims[name])})
	}
	return rows
}

// show prints a claim for people: a list by its elements, a time as one.
func show(name string, v any) []string {
	switch v := v.(type) {
	case []any:
		if len(v) == 0 {
			return []string{"none"}
		}
		lines := make([]string, len(v))
		for i, e := range v {
			lines[i] = showOne(e)
		}
		return lines
	case json.Number:
		if t, ok := timeOf(name, v); ok {
			return []string{t}
		}
	}
	return []string{showOne(v)}
}

// showOne prints a text as it is, in quotes where it would not be seen what it is,
// and anything else as JSON.
func showOne(v any) string {
	if s, ok := v.(string); ok {
		hidden := func(r rune) bool { return r != ' ' && !strconv.IsPrint(r) }
		if s == "" || strings.TrimSpace(s) != s || strings.ContainsFunc(s, hidden) {
			return strconv.Quote(s)
		}
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

// timeOf reads the claims that are times: seconds since 1970 (RFC 7519 section 2,
// OpenID Connect Core sections 2 and 5.1).
func timeOf(name string, n json.Number) (string, bool) {
	switch name {
	case "auth_time", "exp", "iat", "nbf", "updated_at":
	default:
		return "", false
	}
	seconds, err := strconv.ParseFloat(n.String(), 64)
	if err != nil || seconds < 0 || seconds >= 253402300800 { // the year 10000
		return "", false
	}
	return time.Unix(int64(seconds), 0).UTC().Format("2 Jan 2006, 15:04:05 UTC"), true
}
