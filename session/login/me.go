package login

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
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
}

// me says who is signed in, since when, and which claims are known.
func (h *Handler) me(w http.ResponseWriter, r *http.Request) {
	id, err := h.Sessions.Identify(r)
	if err != nil {
		h.nobody(w, r, err)
		return
	}
	if !answer.WantsPage(r) {
		v := whoAmI{Provider: id.Provider, Issuer: id.Issuer, Subject: id.Subject, User: id.User, SignedIn: id.SignedIn, Claims: id.Claims}
		if !id.Until.IsZero() {
			v.Until = &id.Until
		}
		h.Answers.JSON(w, r, http.StatusOK, v)
		return
	}
	c := answer.Content{Title: "You are " + nameOf(id), Facts: []answer.Fact{
		{Name: "Signed in at", Value: h.providerName(id.Provider)},
		{Name: "Since", Value: id.SignedIn.UTC().Format("2 January 2006, 15:04 UTC")},
	}}
	if !id.Until.IsZero() {
		c.Facts = append(c.Facts, answer.Fact{Name: "Until at most", Value: id.Until.UTC().Format("2 January 2006, 15:04 UTC")})
	}
	for _, name := range slices.Sorted(maps.Keys(id.Claims)) {
		c.Facts = append(c.Facts, answer.Fact{Name: name, Value: show(id.Claims[name])})
	}
	c.Actions = []answer.Action{{Label: "Sign out", URL: h.link("sign-out"), Post: true}}
	h.Answers.Page(w, r, http.StatusOK, c)
}

func (h *Handler) nobody(w http.ResponseWriter, r *http.Request, err error) {
	if unknown(err) {
		h.unavailable(w, r, storeFailed("Who you are cannot be looked up right now. Please try again in a moment.", err),
			answer.Action{Label: "Try again", URL: h.link("me")})
		return
	}
	signIn := h.link("sign-in", "return_to", h.link("me"))
	code := session.ReasonNoCredentials
	var rejected *session.Rejected
	if errors.As(err, &rejected) {
		code = rejected.Reason
	}
	h.Answers.Refuse(w, r, http.StatusUnauthorized,
		answer.Problem{Code: string(code), Detail: "Nobody is signed in here.", SignInURL: h.destination(signIn)},
		answer.Content{Title: "Nobody is signed in", Text: []string{"Nobody is signed in here in this browser."},
			Actions: []answer.Action{{Label: "Sign in", URL: signIn}}})
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

// show prints a claim for people: lists by their elements, text as it is.
func show(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = show(e)
		}
		return strings.Join(parts, ", ")
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}
