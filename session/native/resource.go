package native

import "net/http"

// ResourcePath is where the metadata of a protected resource is; the resource's
// own path may follow it (RFC 9728 section 3.1).
const ResourcePath = "/.well-known/oauth-protected-resource"

// resource is the metadata document (RFC 9728 section 2). What has no elements is
// left out (section 3.2).
type resource struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers,omitempty"`
	BearerMethods        []string `json:"bearer_methods_supported"`
	Scopes               []string `json:"scopes_supported,omitempty"`
	// Providers is where the list is that says which client to use. It is an addition of
	// claimproxy's own (section 2: further parameters may be used).
	Providers string `json:"claimproxy_providers"`
}

// Resource serves the metadata for a host and the path that follows ResourcePath,
// as it was sent: percent-encoded, and empty or beginning with a slash.
func (h *Handler) Resource(w http.ResponseWriter, r *http.Request, host, path string) {
	origin := h.Origin(host)
	// Without the slash, what follows would lengthen the host's name.
	if origin == "" || path != "" && path[0] != '/' {
		h.refuse(w, r, http.StatusNotFound, "no-route", "There is no protected resource here.")
		return
	}
	if !h.open(w, r) {
		return
	}
	// The name of the resource must be identical to the one that the program put
	// into the address, or it may not use the document (section 3.3): a slash at the
	// end is part of it.
	doc := resource{Resource: origin + path, BearerMethods: []string{"header"}, Providers: origin + h.Endpoints + "/providers"}
	for _, p := range h.Providers {
		doc.AuthorizationServers = append(doc.AuthorizationServers, p.Issuer)
	}
	if len(h.Providers) == 1 {
		doc.Scopes = h.Providers[0].Scopes
	}
	h.Answers.JSON(w, r, http.StatusOK, doc)
}
