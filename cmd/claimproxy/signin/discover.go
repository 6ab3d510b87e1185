package signin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/claimproxy/claimproxy/session"
)

// wellKnown is where an application says whose tokens it takes (RFC 9728 section 3.1).
const wellKnown = "/.well-known/oauth-protected-resource"

// resource is what an application says about signing in.
type resource struct {
	// origin is the application's, and all that a token for it is sent to.
	origin string
	offers []offer
}

// offer is a client, registered at a provider, whose tokens the application takes.
type offer struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Issuer      string   `json:"issuer"`
	ClientID    string   `json:"client_id"`
	Scopes      []string `json:"scopes"`
	RedirectURI string   `json:"redirect_uri"`
	Resource    string   `json:"resource"`
	// ProviderHeader is where the application wants to be told the ID with each token.
	ProviderHeader string `json:"provider_header"`
}

// headerName and headerValue are what may stand in a header that an application names, so that
// it brings neither a second one nor an option of curl along.
var (
	headerName  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)
	headerValue = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,100}$`)
)

// metadata is the document of RFC 9728 section 2, as far as it is used here.
type metadata struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
	// Providers is where claimproxy lists the clients to use.
	Providers string `json:"claimproxy_providers"`
}

// discover asks an application how to sign in. Nothing that it names is on another origin
// than its own but the issuers: an application speaks for itself alone.
func (a *Agent) discover(ctx context.Context, address *url.URL) (*resource, error) {
	r := &resource{origin: originOf(address)}
	where, err := a.metadataAddress(ctx, address)
	if err != nil {
		return nil, err
	}
	var md metadata
	if err := getJSON(ctx, a.http(), where, &md); err != nil {
		return nil, fmt.Errorf("%s does not say how to sign in: %w", r.origin, err)
	}
	// RFC 9728 section 3.3: the document has to be about the resource that its own address
	// was made of. One that is about another would have its tokens sent here.
	if want := r.origin + strings.TrimPrefix(where, r.origin+wellKnown); md.Resource != want {
		return nil, fmt.Errorf("the document at %s is about %s, and not about %s: it may not be used (RFC 9728 section 3.3)", clean(where), clean(md.Resource), want)
	}
	list := r.origin + "/.auth/providers"
	if md.Providers != "" {
		if list = md.Providers; !sameOrigin(r.origin, list) {
			return nil, fmt.Errorf("%s has its list of providers elsewhere, at %s: it may not be used", r.origin, clean(list))
		}
	}
	var offers []offer
	if err := getJSON(ctx, a.http(), list, &offers); err != nil {
		return nil, fmt.Errorf("%s does not say which client to sign in with: %w", r.origin, err)
	}
	for _, o := range offers {
		if o.ClientID == "" || !slices.Contains(md.AuthorizationServers, o.Issuer) {
			continue // nobody to sign in as, or not an issuer of this resource
		}
		if err := checkIssuer(r.origin, o.Issuer); err != nil {
			return nil, err
		}
		if o.ProviderHeader != "" && (!headerName.MatchString(o.ProviderHeader) || !headerValue.MatchString(o.ID)) {
			return nil, fmt.Errorf("%s wants to be told of a provider in a header that is none: %s: %s", r.origin, clean(o.ProviderHeader), clean(o.ID))
		}
		r.offers = append(r.offers, o)
	}
	if len(r.offers) == 0 {
		return nil, fmt.Errorf("%s names no client that programs can sign in with", r.origin)
	}
	return r, nil
}

// checkIssuer reports an issuer that may not be asked. Plain http is for this machine, and
// only an application on this machine may send programs there.
func checkIssuer(origin, issuer string) error {
	u, err := url.Parse(issuer)
	switch {
	case err != nil || !isASCII(issuer) || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "":
		return fmt.Errorf("%s names an issuer that is none: %s", origin, clean(issuer))
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && session.LoopbackHost(u.Hostname()) && strings.HasPrefix(origin, "http://"):
		return nil
	}
	return fmt.Errorf("%s names an issuer that is not https: %s", origin, clean(issuer))
}

// metadataAddress asks the application itself, as anybody without a token, and looks where
// its challenge points (RFC 9728 section 5.1). Where it has none, as on a public page, the
// document is looked for at the place that it has for the whole origin.
func (a *Agent) metadataAddress(ctx context.Context, address *url.URL) (string, error) {
	origin := originOf(address)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return "", fmt.Errorf("%s cannot be asked", clean(address.String()))
	}
	req.Header.Set("Accept", "application/json")
	res, err := a.http().Do(req)
	if err != nil {
		return "", unreached(err)
	}
	res.Body.Close()
	named := challengedMetadata(res.Header.Values("WWW-Authenticate"))
	if res.StatusCode != http.StatusUnauthorized || named == "" {
		return origin + wellKnown, nil
	}
	path, ok := strings.CutPrefix(named, origin+wellKnown)
	if !ok || path != "" && path[0] != '/' || strings.ContainsAny(path, "?#") {
		return "", errors.New("the challenge of " + origin + " points elsewhere, to " + clean(named) + ": it may not be used")
	}
	return named, nil
}

var resourceMetadata = regexp.MustCompile(`(?i)(?:^|,|\s)resource_metadata\s*=\s*"([^"\\]*)"`)

// challengedMetadata finds resource_metadata in the first Bearer challenge.
func challengedMetadata(challenges []string) string {
	for _, c := range challenges {
		scheme, parameters, _ := strings.Cut(strings.TrimSpace(c), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			continue
		}
		if m := resourceMetadata.FindStringSubmatch(parameters); m != nil {
			return m[1]
		}
	}
	return ""
}

// choose picks the offer of a provider, which has to be named where there are several.
func (r *resource) choose(id string) (offer, error) {
	var ids []string
	for _, o := range r.offers {
		if o.ID == id || id == "" && len(r.offers) == 1 {
			return o, nil
		}
		ids = append(ids, clean(o.ID))
	}
	if id == "" {
		return offer{}, fmt.Errorf("%s has several providers: choose one with --provider, of %s", r.origin, strings.Join(ids, ", "))
	}
	return offer{}, fmt.Errorf("%s has no provider %q, there is %s", r.origin, id, strings.Join(ids, ", "))
}
