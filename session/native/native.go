package native

import (
	"context"
	"net/http"
	"time"

	"github.com/claimproxy/claimproxy/session/answer"
	"github.com/claimproxy/claimproxy/session/provider"
)

// Handler serves the documents. It is safe for concurrent use.
type Handler struct {
	// Providers are those that native programs can get tokens from.
	Providers []*provider.Provider
	// Origin returns the public origin of a host that a route names, such as
	// https://api.example.org, and "" for every other host.
	Origin func(host string) string
	// Application asks the application behind a host, as it stands in the Host field, for
	// a document, and returns its body: bounded, and with nothing of the caller's sent
	// along. Nil: no application is asked.
	Application func(ctx context.Context, host, path string) ([]byte, error)
	// ProviderHeader is the header in which a program says which provider its token is from,
	// by its id; empty for none.
	ProviderHeader string
	// Endpoints is the path below which claimproxy's own pages are; the list of providers
	// is at Endpoints + "/providers".
	Endpoints string
	// Answers writes the documents.
	Answers *answer.Answers

	// wait replaces patience in tests; zero means patience.
	wait time.Duration
}

// open is readOnly, and lets programs that run in a page of another origin read the
// document too: it is public, the same for everybody, and a browser sends no cookie for
// what "*" allows (Fetch, "CORS protocol and credentials").
func (h *Handler) open(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	if r.Method != http.MethodOptions {
		return h.readOnly(w, r)
	}
	w.Header().Set("Access-Control-Allow-Methods", "GET, HEAD")
	w.Header().Set("Access-Control-Allow-Headers", "*")
	w.Header().Set("Allow", "GET, HEAD, OPTIONS")
	w.WriteHeader(http.StatusNoContent)
	return false
}

// readOnly says whether a request only reads, and refuses it otherwise.
func (h *Handler) readOnly(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	h.refuse(w, r, http.StatusMethodNotAllowed, "method", "This document takes GET and HEAD only.")
	return false
}

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, status int, code, sentence string) {
	h.Answers.Refuse(w, r, status, answer.Problem{Code: code, Detail: sentence},
		answer.Content{Title: http.StatusText(status), Text: []string{sentence}})
}
