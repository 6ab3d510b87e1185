package devprovider

import (
	"net/url"
	"time"
)

// Options say what a Provider is. The zero value is a provider that knows nobody.
type Options struct {
	// Issuer is the issuer identifier (OpenID Connect Discovery 1.0 section 3).
	// NewServer fills in its own address when it is empty, and puts its address
	// before it when it is only a path such as "/realms/test".
	Issuer string
	// People are those who can be picked; the first is shown first.
	People []Person
	// Clients are the registered clients.
	Clients []Client
	// Scopes are the scopes a client may ask for; nil means GitLab's openid,
	// profile, email, read_user, read_api, api. Who asks for none gets api.
	Scopes []string
	// Algorithm signs the tokens: RS256 (also when empty) or ES256.
	Algorithm string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// AccessTokenLife, IDTokenLife and CodeLife are how long these last; zero
	// means GitLab's two hours, 120 seconds and ten minutes.
	AccessTokenLife time.Duration
	IDTokenLife     time.Duration
	CodeLife        time.Duration
	// AutoApprove signs the person named by login_hint in without showing a page.
	AutoApprove bool
	// ResponseIssuer announces and sends the iss response parameter (RFC 9207).
	ResponseIssuer bool
	// HandOutTokens serves POST /dev/token, where anybody gets an access token of
	// any person for the asking: for trying things out with curl.
	HandOutTokens bool
}

// Person is somebody who can sign in.
type Person struct {
	// Name is the user name: what preferred_username says, what login_hint and
	// the methods of Provider call the person. It is unique.
	Name string
	// Subject is the sub claim; empty means the person's number in Options.People,
	// counted from 1, as GitLab numbers its users.
	Subject string
	// FullName is the name claim; empty means Name.
	FullName string
	// Email is told with the scope email; email_verified is true unless
	// EmailUnverified.
	Email           string
	EmailUnverified bool
	// Groups is what userinfo says in groups; never absent, but empty.
	Groups []string
	// Direct is the ID token's groups_direct.
	Direct []string
	// Owner, Maintainer and Developer are the claims
	// https://gitlab.org/claims/groups/owner and so on, absent when empty.
	Owner, Maintainer, Developer []string
	// Blocked people cannot sign in. Tokens they had stay active for
	// introspection, while userinfo and refresh answer 500, as at GitLab.
	Blocked bool
	// About is a sentence for the page where people are picked.
	About string
	// Claims are further claims for userinfo; they win over those above.
	Claims map[string]any
}

// Client is a registered client.
type Client struct {
	// ID is the client_id, Secret the client_secret. A client without a secret is
	// public and authenticates by its id alone (method none).
	ID, Secret string
	// Name is shown to people; empty means ID.
	Name string
	// RedirectURIs are compared as strings (RFC 9700 section 2.1).
	RedirectURIs []string
	// PostLogoutRedirectURIs are where the end session endpoint may lead.
	PostLogoutRedirectURIs []string
	// BackchannelLogoutURI is called when a person whom the client has signed in signs
	// out (OpenID Connect Back-Channel Logout section 2.5). The client's ID tokens then
	// have a sid; without it they have none, as at GitLab. With LogoutWithoutSID logout
	// tokens name the person alone.
	BackchannelLogoutURI string
	LogoutWithoutSID     bool
	// Native lets redirect URIs on 127.0.0.1 and [::1] have any port (RFC 8252
	// section 7.3).
	Native bool
	// NoExpiry makes access tokens that never expire.
	NoExpiry bool
	// RevokeOnUse leaves a refresh token that was used, and the access token beside it,
	// good until one of the tokens that took their place is used, as Doorkeeper does where
	// it has a column for the previous token. Otherwise they end at once.
	RevokeOnUse bool
	// NoRefresh leaves out refresh tokens.
	NoRefresh bool
	// RequirePKCE refuses authorization requests without a code_challenge.
	RequirePKCE bool
	// JWT makes access tokens JWTs of type at+jwt (RFC 9068). Audience is their
	// aud claim; empty means the issuer.
	JWT      bool
	Audience []string
}

func (c *Client) public() bool { return c.Secret == "" }

// Tokens is what the token endpoint gives.
type Tokens struct {
	AccessToken  string
	RefreshToken string // empty where there is none
	IDToken      string // empty without the scope openid
	Scope        string // space-separated
	// ExpiresIn is the access token's remaining life; zero means that it does
	// not end.
	ExpiresIn time.Duration
}

func (o *Options) setDefaults() {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Scopes == nil {
		o.Scopes = []string{"openid", "profile", "email", "read_user", "read_api", "api"}
	}
	if o.Algorithm == "" {
		o.Algorithm = "RS256"
	}
	if o.AccessTokenLife == 0 {
		o.AccessTokenLife = 2 * time.Hour
	}
	if o.IDTokenLife == 0 {
		o.IDTokenLife = 120 * time.Second
	}
	if o.CodeLife == 0 {
		o.CodeLife = 10 * time.Minute
	}
}

// issuerPath returns the path below which a provider of that issuer serves.
func issuerPath(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" {
		panic("devprovider: issuer " + issuer + " is not a URL")
	}
	return u.EscapedPath()
}
