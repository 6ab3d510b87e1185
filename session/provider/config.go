package provider

import (
	"crypto/x509"
	"log/slog"
	"net/http"
	"slices"
	"time"
)

// Config describes one provider as the configuration file does.
type Config struct {
	// ID stands in URLs, logs and in the claim "provider".
	ID string
	// Name is shown to people. Logo, Color and ColorDark dress its button.
	Name, Logo, Color, ColorDark string
	// Issuer is compared byte for byte with what discovery and tokens say
	// (OpenID Connect Discovery section 4.3).
	Issuer string
	// Client is the client that browser logins use. Its tokens are accepted as
	// bearer tokens too. Without an id nobody signs in at the provider.
	Client Client
	// Clients are further clients whose tokens are accepted.
	Clients []Client
	// Scopes are asked for at login; openid is among them.
	Scopes []string
	// AuthorizeParams are added to the authorization request.
	AuthorizeParams map[string]string
	// RedirectURI is where the provider sends people back to, absolute.
	RedirectURI string
	// UserClaim names the claim that names the person to applications, and
	// UserPrefix is put in front of its value.
	UserClaim, UserPrefix string
	// Roots are the certificate authorities to trust; nil means the system's.
	Roots *x509.CertPool
	// Overrides replace what discovery says; empty fields do not.
	Overrides Metadata
	// Keys is a JWK set that tokens are checked with, in place of the one that discovery
	// names; nil for that one. CheckKeys has had nothing against it.
	Keys []byte
	// Bearer says which tokens of native clients are accepted.
	Bearer Bearer
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log receives outages and recoveries; nil discards them.
	Log *slog.Logger
	// Transport replaces the network in tests; nil means a transport of the
	// provider's own.
	Transport http.RoundTripper
	// Observer is told of calls and of keys that were fetched; nil: nobody is.
	Observer Observer
	// Around is put around the transport; nil puts nothing there.
	Around func(http.RoundTripper) http.RoundTripper
}

// Client is an OAuth client registered at the provider.
type Client struct {
	// ID is the client_id.
	ID string
	// Secret is empty for a public client.
	Secret string
	// Name, RedirectURI and Scopes are offered to native programs.
	Name, RedirectURI string
	Scopes            []string
	// NoIntrospection keeps this client's credentials from being used to
	// introspect tokens.
	NoIntrospection bool
}

// Opaque says how opaque access tokens are checked.
type Opaque string

// The ways to check an opaque token.
const (
	// OpaqueAuto is introspection where the provider announces it, else token
	// information where the provider is known to have it, else off.
	OpaqueAuto          Opaque = "auto"
	OpaqueIntrospection Opaque = "introspection"
	OpaqueTokenInfo     Opaque = "token_info"
	OpaqueOff           Opaque = "off"
)

// Bearer says which tokens of native clients are accepted.
type Bearer struct {
	// IDToken also accepts ID tokens as bearer tokens, and AccessToken access
	// tokens.
	AccessToken, IDToken bool
	// Audiences are values of aud that are accepted beside the client ids.
	Audiences []string
	// Opaque says how opaque tokens are checked; empty means OpaqueAuto.
	Opaque Opaque
	// IDTokenHeader is the header field in which programs send an ID token beside the
	// access token; empty for none. It never lets anybody in: it can only speak against
	// an access token of somebody else.
	IDTokenHeader string
	// CacheMax bounds how long the answer about a token is believed, and so how
	// late a revocation may be seen. It never goes beyond the token's expiry.
	CacheMax time.Duration
}

// Accepted are all clients whose tokens are accepted, the provider's own first.
func (c *Config) Accepted() []Client {
	all := make([]Client, 0, 1+len(c.Clients))
	if c.Client.ID != "" {
		all = append(all, c.Client)
	}
	return append(all, c.Clients...)
}

// Listed says whether tokens issued to this client id are accepted. The empty
// id is never listed.
func (c *Config) Listed(clientID string) bool {
	return clientID != "" && slices.ContainsFunc(c.Accepted(), func(cl Client) bool { return cl.ID == clientID })
}

// User is the name that applications know the person by, or "" when the claim
// that names people is missing or is neither text nor a number.
func (c *Config) User(value any) string {
	name := text(value)
	if name == "" {
		return ""
	}
	return c.UserPrefix + name
}
