package devprovider

import "net/http"

// Endpoint names an endpoint of the provider: for counting, for overriding.
type Endpoint string

// The endpoints.
const (
	Discovery     Endpoint = "discovery"
	KeySet        Endpoint = "jwks"
	Authorization Endpoint = "authorize"
	Token         Endpoint = "token"
	UserInfo      Endpoint = "userinfo"
	Introspection Endpoint = "introspect"
	TokenInfo     Endpoint = "token_info"
	Revocation    Endpoint = "revoke"
	EndSession    Endpoint = "end_session"
	Device        Endpoint = "authorize_device"
	// Verification is the page where the code of a device is typed in.
	Verification Endpoint = "device"
	// HandOut is where Options.HandOutTokens gives tokens away.
	HandOut Endpoint = "hand_out"
)

// Document names an answer or a token whose content Rewrite can change.
type Document string

// The documents.
const (
	DiscoveryDocument  Document = "discovery"
	IDTokenClaims      Document = "id_token"
	AccessTokenClaims  Document = "access_token" // of clients with JWT
	UserInfoClaims     Document = "userinfo"
	IntrospectionReply Document = "introspection" // also the inactive ones
	TokenInfoReply     Document = "token_info"
	TokenReply         Document = "token" // of every grant that succeeded
	LogoutTokenClaims  Document = "logout_token"
)

// endpoint is one row of the table of all that the provider serves.
type endpoint struct {
	name    Endpoint
	path    string
	methods []string
	serve   http.HandlerFunc
}

const stylePath = "/devprovider.css"

// endpoints is the whole surface: GitLab's paths, and three of our own.
func (p *Provider) endpoints() []endpoint {
	get, post, both := []string{"GET"}, []string{"POST"}, []string{"GET", "POST"}
	table := []endpoint{
		{Discovery, "/.well-known/openid-configuration", get, p.serveDiscovery},
		{KeySet, "/oauth/discovery/keys", get, p.serveKeySet},
		{Authorization, "/oauth/authorize", both, p.serveAuthorize},
		{Token, "/oauth/token", post, p.serveToken},
		{UserInfo, "/oauth/userinfo", both, p.serveUserInfo},
		{Introspection, "/oauth/introspect", post, p.serveIntrospect},
		{TokenInfo, "/oauth/token/info", get, p.serveTokenInfo},
		{Revocation, "/oauth/revoke", post, p.serveRevoke},
		{EndSession, "/oauth/end_session", both, p.serveEndSession},
		{Device, "/oauth/authorize_device", post, p.serveDevice},
		{Verification, "/oauth/device", both, p.serveVerification},
		{"style", stylePath, get, serveStyle},
		{"home", "/", get, p.serveHome},
	}
	if p.opts.HandOutTokens {
		table = append(table, endpoint{HandOut, "/dev/token", post, p.serveHandOut})
	}
	return table
}
