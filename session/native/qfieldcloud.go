package native

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/claimproxy/claimproxy/session/answer"
	"github.com/claimproxy/claimproxy/session/provider"
)

// The documents that QField, QFieldSync and QGIS ask a QFieldCloud for. QField asks
// for the second first.
const (
	QFieldProvidersPath = "/api/v1/auth/providers/"
	QFieldInfoPath      = "/api/v1/server/info/"
)

// QFieldCloud says which programs find out in QFieldCloud's way how to sign in.
type QFieldCloud struct {
	// ClientID is the one of a provider's further clients that QField is to use. Empty:
	// the first of each provider's.
	ClientID string
	// ProviderHeader is the header in which the program says which provider its tokens are
	// from. Empty: the one that QField sends in any case.
	ProviderHeader string
	// Origin is where a logo that is a path of claimproxy's own host is, as in
	// https://field.example.org.
	Origin string
}

// Values of grant_flow in QGIS' OAuth 2 configuration.
const grantFlowPKCE = 3

// Where QGIS listens for the redirect when the client's redirect URI does not say.
const (
	qgisHost = "localhost"
	qgisPort = 7070
)

const qfieldProviderHeader = "X-QFC-IDP-ID"

// qfieldProvider is a provider as QFieldCloud tells of it, made into an
// authentication configuration of QGIS by the program.
type qfieldProvider struct {
	Type            string            `json:"type"`
	ID              string            `json:"id"`
	Name            string            `json:"name"`
	GrantFlow       int               `json:"grant_flow"`
	Scope           string            `json:"scope"`
	PKCE            bool              `json:"pkce_enabled"`
	TokenURL        string            `json:"token_url"`
	RefreshTokenURL string            `json:"refresh_token_url"`
	RequestURL      string            `json:"request_url"`
	RedirectHost    string            `json:"redirect_host"`
	RedirectPort    int               `json:"redirect_port"`
	RedirectURL     string            `json:"redirect_url"`
	ClientID        string            `json:"client_id"`
	ExtraTokens     map[string]string `json:"extra_tokens"`
	ProviderHeader  string            `json:"idp_id_header"`
	Styles          map[string]any    `json:"styles"`
}

// QFieldProviders serves the list of providers as QFieldCloud does.
func (h *Handler) QFieldProviders(w http.ResponseWriter, r *http.Request, q QFieldCloud) {
	if list, ok := h.qfield(w, r, q); ok {
		h.Answers.JSON(w, r, http.StatusOK, list)
	}
}

// QFieldInfo serves what a QFieldCloud tells of itself: what the application behind the
// host says, and the providers.
func (h *Handler) QFieldInfo(w http.ResponseWriter, r *http.Request, q QFieldCloud) {
	list, ok := h.qfield(w, r, q)
	if !ok {
		return
	}
	doc := h.applicationInfo(r)
	mine, err := json.Marshal(list)
	if err != nil {
		panic(err) // it is made of texts and numbers
	}
	doc["auth_providers"] = mine
	h.Answers.JSON(w, r, http.StatusOK, doc)
}

// applicationInfo is the application's own document, empty where it has none. Nothing of
// the caller's goes there but the name of the host, and nothing but the document comes
// back.
func (h *Handler) applicationInfo(r *http.Request) map[string]json.RawMessage {
	if h.Application == nil {
		return map[string]json.RawMessage{}
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.patience())
	defer cancel()
	var doc map[string]json.RawMessage
	body, err := h.Application(ctx, r.Host, QFieldInfoPath)
	if err != nil || json.Unmarshal(body, &doc) != nil || doc == nil {
		return map[string]json.RawMessage{}
	}
	return doc
}

// qfield makes the list, or answers that it cannot be known now: a program that is told
// of no provider takes away the sign-in that it knew.
func (h *Handler) qfield(w http.ResponseWriter, r *http.Request, q QFieldCloud) ([]qfieldProvider, bool) {
	if !h.readOnly(w, r) {
		return nil, false
	}
	type source struct {
		*provider.Provider
		client provider.Client
	}
	var sources []source
	for _, p := range h.Providers {
		for _, c := range p.Clients {
			if q.ClientID == "" || c.ID == q.ClientID {
				sources = append(sources, source{p, c})
				break
			}
		}
	}
	all := gather(r.Context(), h.patience(), sources, func(ctx context.Context, s source) *qfieldProvider {
		md, err := s.Metadata(ctx)
		if err != nil {
			return nil
		}
		return q.provider(s.Provider, s.client, md)
	})
	list := make([]qfieldProvider, 0, len(all))
	for _, one := range all {
		if one != nil {
			list = append(list, *one)
		}
	}
	if len(list) == 0 && len(sources) > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
		h.refuse(w, r, http.StatusServiceUnavailable, "provider-unavailable", "How to sign in cannot be told right now. Please try again in a moment.")
		return nil, false
	}
	return list, true
}

// retryAfter is when to ask again after nothing could be told.
const retryAfter = 5 * time.Second

func (q QFieldCloud) provider(p *provider.Provider, c provider.Client, md *provider.Metadata) *qfieldProvider {
	item := &qfieldProvider{
		Type: "oauth2", ID: p.ID, Name: p.Name, GrantFlow: grantFlowPKCE, PKCE: true, Scope: qfieldScope(p, c),
		TokenURL: md.TokenEndpoint, RefreshTokenURL: md.TokenEndpoint, RequestURL: md.AuthorizationEndpoint,
		RedirectHost: qgisHost, RedirectPort: qgisPort, ClientID: c.ID,
		ExtraTokens: map[string]string{}, ProviderHeader: q.ProviderHeader, Styles: q.styles(p),
	}
	if p.Bearer.IDTokenHeader != "" {
		item.ExtraTokens["id_token"] = p.Bearer.IDTokenHeader
	}
	if item.ProviderHeader == "" {
		item.ProviderHeader = qfieldProviderHeader
	}
	if u, err := url.Parse(c.RedirectURI); err == nil && u.Hostname() != "" {
		item.RedirectHost, item.RedirectURL = u.Hostname(), strings.TrimPrefix(u.RequestURI(), "/")
		if strings.Contains(item.RedirectHost, ":") {
			item.RedirectHost = "[" + item.RedirectHost + "]" // QGIS puts it before a port as it is
		}
		if port, err := net.LookupPort("tcp", u.Port()); err == nil && port > 0 {
			item.RedirectPort = port
		}
	}
	return item
}

// qfieldScope has openid first, as QFieldCloud has it.
func qfieldScope(p *provider.Provider, c provider.Client) string {
	scopes := c.Scopes
	if len(scopes) == 0 {
		scopes = p.Scopes
	}
	scopes = slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return s == "openid" })
	return strings.Join(append([]string{"openid"}, scopes...), " ")
}

// styles dress the button. Without a colour or a logo the program takes its own.
func (q QFieldCloud) styles(p *provider.Provider) map[string]any {
	logo := p.Logo
	if strings.HasPrefix(logo, "/") {
		logo = q.Origin + logo
	}
	style := func(color string) map[string]string {
		s := map[string]string{}
		if logo != "" {
			s["logo"] = logo
		}
		if color != "" {
			s["color_fill"], s["color_stroke"], s["color_text"] = color, color, answer.Ink(color)
		}
		return s
	}
	if logo == "" && p.Color == "" {
		return map[string]any{}
	}
	return map[string]any{"required": false, "light": style(p.Color), "dark": style(p.ColorDark)}
}
