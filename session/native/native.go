package native

import (
	"net/http"
	"strings"

	"github.com/claimproxy/claimproxy/session/answer"
	"github.com/claimproxy/claimproxy/session/provider"
)

// ResourcePath is where the metadata of a protected resource is; the resource's
// own path may follow it (RFC 9728 section 3.1).
const ResourcePath = "/.well-known/oauth-protected-resource"

// Handler serves the documents. It is safe for concurrent use.
type Handler struct {
	// Providers are those that native programs can get tokens from.
	Providers []*provider.Provider
	// Origin returns the public origin of a host that a route names, such as
	// https://api.example.org, and "" for every other host.
	Origin func(host string) string
	// Answers writes the documents.
	Answers *answer.Answers
}

// resource is the metadata document (RFC 9728 section 2).
type resource struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
	BearerMethods        []string `json:"bearer_methods_supported"`
	Scopes               []string `json:"scopes_supported,omitempty"`
}

// Resource serves the metadata for a host and the path that follows ResourcePath.
func (h *Handler) Resource(w http.ResponseWriter, r *http.Request, host, path string) {
	origin := h.Origin(host)
	if origin == "" {
		h.refuse(w, r, http.StatusNotFound, "no-route", "There is no protected resource here.")
		return
	}
	if !readable(w, r) {
		h.refuse(w, r, http.StatusMethodNotAllowed, "method", "This document takes GET and HEAD only.")
		return
	}
	// Identical to what the program asked about, or it must not be used (section
	// 3.3): a resource without path has no slash at the end.
	doc := resource{Resource: origin + strings.TrimSuffix(path, "/"), BearerMethods: []string{"header"}}
	for _, p := range h.Providers {
		doc.AuthorizationServers = append(doc.AuthorizationServers, p.Issuer)
	}
	if len(h.Providers) == 1 {
		doc.Scopes = h.Providers[0].Scopes
	}
	h.Answers.JSON(w, r, http.StatusOK, doc)
}

// offer is what a native program needs to get a token from a provider.
type offer struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Issuer      string   `json:"issuer"`
	ClientID    string   `json:"client_id"`
	Scopes      []string `json:"scopes"`
	RedirectURI string   `json:"redirect_uri,omitempty"`
	Style       style    `json:"style"`
	Endpoints   *ends    `json:"endpoints,omitempty"`
}

type style struct {
	Logo      string `json:"logo,omitempty"`
	Color     string `json:"color,omitempty"`
	ColorDark string `json:"color_dark,omitempty"`
}

type ends struct {
	Authorization string `json:"authorization"`
	Token         string `json:"token"`
}

// List serves the providers with the client that native programs are to use: the
// first of the provider's further clients, else its own.
func (h *Handler) List(w http.ResponseWriter, r *http.Request) {
	if !readable(w, r) {
		h.refuse(w, r, http.StatusMethodNotAllowed, "method", "This document takes GET and HEAD only.")
		return
	}
	list := make([]offer, 0, len(h.Providers))
	for _, p := range h.Providers {
		client := p.Client
		if len(p.Clients) > 0 {
			client = p.Clients[0]
		}
		o := offer{
			ID: p.ID, Name: p.Name, Issuer: p.Issuer, ClientID: client.ID, Scopes: client.Scopes,
			RedirectURI: client.RedirectURI, Style: style{p.Logo, p.Color, p.ColorDark},
		}
		if len(o.Scopes) == 0 {
			o.Scopes = p.Scopes
		}
		// Where the endpoints are is known once discovery has worked; a program can
		// ask the issuer itself as well.
		if md, err := p.Metadata(r.Context()); err == nil {
			o.Endpoints = &ends{md.AuthorizationEndpoint, md.TokenEndpoint}
		}
		list = append(list, o)
	}
	h.Answers.JSON(w, r, http.StatusOK, list)
}

// readable says whether a request only reads.
func readable(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	return false
}

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, status int, code, sentence string) {
	h.Answers.Refuse(w, r, status, answer.Problem{Code: code, Detail: sentence},
		answer.Content{Title: http.StatusText(status), Text: []string{sentence}})
}
