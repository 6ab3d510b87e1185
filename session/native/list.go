package native

import (
	"cmp"
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/claimproxy/claimproxy/session/provider"
)

// patience is how long the list waits for providers that are not known yet. A
// program that gets no endpoints asks the issuer itself; one that gets no list gives
// up.
const patience = 2 * time.Second

// offer is what a native program needs to get a token from a provider.
type offer struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Issuer      string   `json:"issuer"`
	ClientID    string   `json:"client_id,omitempty"`
	Scopes      []string `json:"scopes"`
	RedirectURI string   `json:"redirect_uri,omitempty"`
	// Resource is what the token is to be for (RFC 8707), where the provider has to be told.
	Resource string `json:"resource,omitempty"`
	// ProviderHeader is where to send the id along with each token, where that is read: of
	// several providers an opaque token does not say which one it is from.
	ProviderHeader string `json:"provider_header,omitempty"`
	Style          style  `json:"style"`
	Endpoints      *ends  `json:"endpoints,omitempty"`
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
	if !h.open(w, r) {
		return
	}
	list := gather(r.Context(), h.patience(), h.Providers, offerOf)
	for i := range list {
		list[i].ProviderHeader = h.ProviderHeader
	}
	h.Answers.JSON(w, r, http.StatusOK, list)
}

func (h *Handler) patience() time.Duration { return cmp.Or(h.wait, patience) }

// gather asks about all side by side: one that sleeps must not use up the others' time.
func gather[From, To any](ctx context.Context, wait time.Duration, from []From, ask func(context.Context, From) To) []To {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	list := make([]To, len(from))
	var all sync.WaitGroup
	for i, one := range from {
		all.Go(func() { list[i] = ask(ctx, one) })
	}
	all.Wait()
	return list
}

func offerOf(ctx context.Context, p *provider.Provider) offer {
	client, redirectURI := p.Client, p.RedirectURI
	if len(p.Clients) > 0 {
		client = p.Clients[0]
		redirectURI = client.RedirectURI // the provider's own is not registered for it
	}
	if client.ID == "" {
		redirectURI = "" // bearer tokens alone: there is no client to use it with
	}
	o := offer{
		ID: p.ID, Name: p.Name, Issuer: p.Issuer, ClientID: client.ID, Scopes: client.Scopes,
		RedirectURI: redirectURI, Resource: p.AuthorizeParams["resource"], Style: style{p.Logo, p.Color, p.ColorDark},
	}
	if len(o.Scopes) == 0 {
		o.Scopes = append([]string{}, p.Scopes...) // [] rather than null
	}
	if md, err := p.Metadata(ctx); err == nil {
		o.Endpoints = &ends{md.AuthorizationEndpoint, md.TokenEndpoint}
	}
	return o
}
