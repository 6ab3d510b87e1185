package config

import (
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Provider is one OpenID Provider, and claimproxy's own registration there.
type Provider struct {
	// ID names the provider in URLs, in logs and in the claim "provider": small
	// letters, digits and "-", not "-" first.
	ID string `yaml:"id,required"`
	// Name is what the button on the sign-in page says. The default is ID.
	Name string `yaml:"name"`
	// Logo is a picture for the button: an https URL, or a path on PublicURL's host.
	Logo string `yaml:"logo"`
	// Color is the button's colour as "#rrggbb"; without quotes YAML takes it for a
	// comment. The default is the page's own.
	Color string `yaml:"color"`
	// ColorDark is the same for people who like it dark. The default is Color.
	ColorDark string `yaml:"color_dark"`

	// Issuer is the provider's address, exactly as it calls itself in its discovery
	// document (OpenID Connect Discovery section 4.3): https, plain http for loopback
	// hosts alone. The document is fetched when it is first needed. No two providers
	// may have the same one.
	Issuer string `yaml:"issuer,required"`
	// ClientID is claimproxy's client id at the provider. Tokens that were issued to
	// it are accepted. Left out, nobody signs in there with a browser, and of its tokens
	// those are accepted that are for one of Bearer.Audiences, which then are needed:
	// service accounts of Kubernetes, jobs of CI systems.
	ClientID string `yaml:"client_id"`
	// ClientSecret is left out for a public client.
	ClientSecret Secret `yaml:"client_secret"`
	// Scopes are what claimproxy asks for when people sign in; "openid" has to be
	// among them. The default is [openid, profile, email].
	Scopes []string `yaml:"scopes"`
	// AuthorizeParams are further parameters of the authorization request, such as
	// "prompt: consent" or "access_type: offline". The parameters of the protocol
	// itself cannot be set.
	AuthorizeParams AuthorizeParams `yaml:"authorize_params"`
	// CallbackPath is the path of the redirect URI, for a registration that exists
	// already. No two providers may have the same one. The default is
	// Endpoints + "/callback/" + ID; of the other paths below Endpoints, "/callback" alone
	// is possible.
	CallbackPath string `yaml:"callback_path"`

	// User is the claim that names a person to applications. There is no fallback to
	// another claim: without it no user header is sent. The default is
	// preferred_username.
	User string `yaml:"user"`
	// UserPrefix stands before that name, so that two providers cannot vouch for the
	// same one. The default is "" with one provider and ID + ":" with several.
	UserPrefix string `yaml:"user_prefix"`

	// CA is a file with the certificates in PEM that the provider is trusted by, in
	// place of the system's. HTTPS_PROXY is honoured.
	CA string `yaml:"ca,path"`
	// Metadata replaces single entries of the discovery document.
	Metadata Metadata `yaml:"metadata"`

	// Clients are further clients at this provider whose tokens are accepted: native
	// programs.
	Clients []Client `yaml:"clients"`
	// Bearer says which bearer tokens are accepted.
	Bearer Bearer `yaml:"bearer"`
}

// Metadata is entries of a provider's discovery document (RFC 8414 section 2), each
// under the same rule as Issuer. Empty ones are taken from discovery.
type Metadata struct {
	// AuthorizationEndpoint is where browsers are sent to sign in.
	AuthorizationEndpoint string `yaml:"authorization_endpoint"`
	// TokenEndpoint exchanges codes and refresh tokens.
	TokenEndpoint string `yaml:"token_endpoint"`
	// UserInfoEndpoint tells the claims of a person (OpenID Connect Core section 5.3).
	UserInfoEndpoint string `yaml:"userinfo_endpoint"`
	// JWKSURI has the keys that tokens are signed with.
	JWKSURI string `yaml:"jwks_uri"`
	// JWKSFile is a file with these keys (RFC 7517 section 5), and JWKSURI is not asked
	// then: for a provider that cannot be reached from here. One without a ClientID is then never
	// asked anything. The file is read again when it changes.
	JWKSFile string `yaml:"jwks_file,path"`
	// IntrospectionEndpoint tells about opaque tokens (RFC 7662).
	IntrospectionEndpoint string `yaml:"introspection_endpoint"`
	// TokenInfoEndpoint does so in the manner of Doorkeeper and Google. It is in no
	// standard and rarely in a discovery document.
	TokenInfoEndpoint string `yaml:"token_info_endpoint"`
	// RevocationEndpoint takes tokens back (RFC 7009).
	RevocationEndpoint string `yaml:"revocation_endpoint"`
	// EndSessionEndpoint ends the session at the provider (RP-Initiated Logout).
	EndSessionEndpoint string `yaml:"end_session_endpoint"`
}

// Client is a further client at a provider.
type Client struct {
	// ClientID is the client id. Tokens issued to it are accepted.
	ClientID string `yaml:"client_id,required"`
	// ClientSecret lets claimproxy ask introspection in this client's name; native
	// programs usually have none.
	ClientSecret Secret `yaml:"client_secret"`
	// RedirectURI is told to native programs that ask how to sign in: a loopback
	// address, https, or a scheme of the program's own (RFC 8252 section 7).
	RedirectURI string `yaml:"redirect_uri"`
	// Scopes are told to native programs as well. The default is the provider's.
	Scopes []string `yaml:"scopes"`
	// Name is what the program is called. The default is ClientID.
	Name string `yaml:"name"`
	// Introspect says whether introspection may be asked with this client's
	// credentials. The default is true.
	Introspect bool `yaml:"introspect"`
}

func (c *Client) decode(l *loader, n *yaml.Node, path string) bool {
	if n.Kind == yaml.ScalarNode && !isNull(n) {
		id := n.Value
		if !isText(n) {
			id = strconv.Quote(id)
		}
		l.fault(n, path, "expected a mapping, got %s", l.describe(n)).hint("write {client_id: %s}", id)
		return false
	}
	return l.structureInto(c, n, path)
}

// Bearer says which bearer tokens of a provider are accepted.
type Bearer struct {
	// Accept is the kinds of tokens: "access_token", and "id_token" for programs that
	// send one as the bearer token. The default is [access_token].
	Accept []TokenKind `yaml:"accept,many"`
	// Audiences are values accepted in "aud" beside the client ids.
	Audiences []string `yaml:"audiences,many"`
	// IDTokenHeader is the header in which programs send an "id_token" beside the access
	// token, as QField does. It lets nobody in: a good one that names somebody else than
	// the access token does is refused, one that is over or broken is passed over. No
	// application gets it, but with ForwardToken. There is none by default.
	IDTokenHeader string `yaml:"id_token_header"`
	// Opaque says how tokens that are not JWTs are checked. The default is "auto".
	Opaque Opaque `yaml:"opaque"`
	// CacheMax is how long what is known about a token may be believed, and so how
	// long a revoked one may go on; never beyond the token's own expiry. At most 24h;
	// the default is 5m.
	CacheMax time.Duration `yaml:"cache_max"`
}

// TokenKind is a kind of token.
type TokenKind string

// The kinds of tokens.
const (
	TokenAccess TokenKind = "access_token"
	TokenID     TokenKind = "id_token"
)

func (TokenKind) words() []string { return []string{string(TokenAccess), string(TokenID)} }

// Opaque is a way to check tokens that are not JWTs.
type Opaque string

// The ways to check opaque tokens.
const (
	// OpaqueAuto is introspection where the provider announces it, else token info
	// where it is of a kind that has it, else off.
	OpaqueAuto Opaque = "auto"
	// OpaqueIntrospection asks the introspection endpoint (RFC 7662).
	OpaqueIntrospection Opaque = "introspection"
	// OpaqueTokenInfo asks the token info endpoint.
	OpaqueTokenInfo Opaque = "token_info"
	// OpaqueOff refuses opaque tokens.
	OpaqueOff Opaque = "off"
)

func (Opaque) words() []string {
	return []string{string(OpaqueAuto), string(OpaqueIntrospection), string(OpaqueTokenInfo), string(OpaqueOff)}
}

// AuthorizeParams are parameters of an authorization request by name.
type AuthorizeParams map[string]string

// protocolParams are what claimproxy itself says in an authorization request
// (OpenID Connect Core section 3.1.2.1, RFC 7636, RFC 9101). Whoever could set one
// could switch off a check.
var protocolParams = map[string]bool{
	"client_id": true, "client_secret": true, "redirect_uri": true, "response_type": true, "response_mode": true,
	"scope": true, "state": true, "nonce": true, "code_challenge": true, "code_challenge_method": true,
	"request": true, "request_uri": true, "id_token_hint": true, "code": true, "grant_type": true,
}

func (a *AuthorizeParams) decode(l *loader, n *yaml.Node, path string) bool {
	if n.Kind != yaml.MappingNode {
		return l.mismatch(n, path, "a mapping")
	}
	*a = make(AuthorizeParams)
	l.eachKey(n, path, func(name string, key, val *yaml.Node, path string) {
		val = follow(val)
		switch {
		case protocolParams[name] && name == "scope":
			l.fault(key, path, "claimproxy sets this parameter itself").hint("use the key scopes")
		case protocolParams[name]:
			l.fault(key, path, "claimproxy sets this parameter itself")
		case name == "" || strings.ContainsAny(name, " \t&=#"):
			l.fault(key, path, "expected the name of a parameter, got %s", quote(name))
		case isNull(val):
			l.nothing(key, val, path, options{required: true})
		case !isText(val):
			l.fault(val, path, "expected a string, got %s", l.describe(val)).hint("%s", quoteHint(val))
		case l.template(val, path):
		case name == "prompt" && strings.Contains(val.Value, "none"):
			l.fault(val, path, "with prompt=none the provider never shows its sign-in page, and nobody could sign in")
		default:
			(*a)[name] = val.Value
		}
	})
	return true
}
