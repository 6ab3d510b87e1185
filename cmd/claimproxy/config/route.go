package config

import (
	"net/netip"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/claimproxy/claimproxy/policy"
	"github.com/claimproxy/claimproxy/proxy"
)

// Route says who may do what at a place, and which application is there.
type Route struct {
	// Hosts are the host names that the route is for, in lower case, without port and
	// brackets. "*.int.example.org" stands for one label and a host below
	// int.example.org. The default is the host of PublicURL.
	Hosts []string `yaml:"host,many"`
	// Path is what the route is for: a path that ends in "/" is for itself, all below
	// it, and itself without the slash; another one for exactly itself. A segment "*"
	// stands for any one segment. It is canonical: characters outside RFC 3986 are
	// percent-encoded, in upper case, and nothing else is. The default is "/".
	Path string `yaml:"path"`
	// Methods are the methods that there are, in upper case; another one gets 405.
	// HEAD goes with GET. Methods never choose a route. The default is all methods.
	Methods []string `yaml:"methods,many"`
	// Upstream is the application behind the route. Left out, nothing is forwarded: the
	// route is for trusted proxies that ask (ForwardAuth) and forward themselves; whoever
	// comes directly gets 404.
	Upstream UpstreamRef `yaml:"upstream"`
	// Allow says who may: public, signed-in, nobody, a policy's name, a condition, a
	// block {all|any|not: ...} or {expr: '...'}. A route has either Allow or Rules.
	Allow *policy.Clause `yaml:"allow"`
	// Shadow is written like Allow, evaluated beside it on live traffic and never
	// decides: where the two differ is counted and logged. It needs an Allow that asks
	// who is calling, so neither public nor nobody. There is none by default.
	Shadow *policy.Clause `yaml:"shadow"`
	// Providers are the ids of the providers whose people and tokens are let in here;
	// others are refused, whatever their claims say. What is public stays so. The default
	// is all of them.
	Providers []string `yaml:"providers,many"`
	// PublicFrom are networks, or single addresses, from which everybody is let in
	// without being asked, as with public; Allow and Rules are for the others, and what
	// they refuse to everybody, as nobody, stays refused. What counts is the address that
	// the connection is from or, where that is one of TrustedProxies, the client's as the
	// proxy tells it. All addresses, 0.0.0.0/0, cannot stand here: that is public. There
	// are none by default.
	PublicFrom []netip.Prefix `yaml:"public_from,many"`
	// SignIn are the kinds of credentials that count here: "browser" and "bearer",
	// both by default, or bearer alone where no provider has a ClientID.
	SignIn []SignIn `yaml:"sign_in,many"`
	// Rules say who may for each method, instead of Allow. A method without a rule is
	// refused.
	Rules []Rule `yaml:"rules"`
	// CORSPreflight is "pass" to let the application answer the OPTIONS requests by which
	// browsers ask whether a page of another origin may call it (Fetch, CORS-preflight
	// request): they carry no credentials, so that nobody could be let in otherwise.
	// Left out, OPTIONS is a method like any other.
	CORSPreflight CORSPreflight `yaml:"cors_preflight"`
	// MethodOverride is "pass" to let the application see the headers by which some
	// clients name another method, X-HTTP-Method-Override, X-HTTP-Method and
	// X-Method-Override: that method is decided on as well as the request's own, and both
	// must be allowed. Left out, these headers are dropped.
	MethodOverride MethodOverride `yaml:"method_override"`
	// IdentityHeaders tell the application who is calling. The default is the
	// upstream's, else the preset x-forwarded.
	IdentityHeaders IdentityHeaders `yaml:"identity_headers"`
	// Assertion sends, in X-Claimproxy-Assertion, a signed JWT that says who is calling: an
	// application that checks it by the keys at ENDPOINTS/jwks.json believes nobody who has
	// found a way around claimproxy. The default is the upstream's, else false.
	Assertion bool `yaml:"assertion"`
	// ForwardToken lets the application see the caller's bearer token, and the headers
	// beside it (Native.ProviderHeader, Bearer.IDTokenHeader), as they came. The default
	// is the upstream's, else false.
	ForwardToken bool `yaml:"forward_token"`
	// AcceptBasicToken also takes an access token as the password of Basic, and offers
	// that to programs that know nothing else, such as git. Any user name will do; that
	// of a provider says whose token it is. The default is false.
	AcceptBasicToken bool `yaml:"accept_basic_token"`
	// PassSchemes are the application's own credentials: a request whose Authorization
	// has one of these schemes, or a scheme and the beginning of a token, as in
	// "Bearer glsa_", is let in without any question, and the application has to check it.
	// There are none by default.
	PassSchemes []PassScheme `yaml:"pass_schemes,many"`
	// Maintenance has requests that are let in answered with 503 in place of the
	// application, which is being worked on: true, or a sentence for people, such as "Back
	// at 14:00." Who may not in is told that, as otherwise. The default is the upstream's,
	// else false.
	Maintenance Maintenance `yaml:"maintenance"`
	// Identify has a public route ask who is calling all the same: people and programs
	// that are known are told to the application, bad credentials are refused, and who
	// has none is let in. The default is false.
	Identify bool `yaml:"identify"`
	// AmbiguousPaths is "allow" to take paths with encoded slashes, "//" and ";", which
	// applications read in several ways: every reading is decided on, by the route that
	// it is on, and all must be allowed. The path is forwarded byte for byte. Dot
	// segments, backslashes, NUL and bad escapes stay refused. It does not go with
	// StripPrefix. Left out, such requests get 400.
	AmbiguousPaths AmbiguousPaths `yaml:"ambiguous_paths"`
	// StripPrefix is what the application does not get of the path: the first segments
	// of Path. What is decided on is the whole path. The application is told in
	// X-Forwarded-Prefix; links, redirects and cookies that it makes are its own affair.
	// The default is the upstream's, else nothing.
	StripPrefix string `yaml:"strip_prefix"`
	// MaxBody is how large the body of a request can be, as 512KiB, 64MiB or 2GiB; a
	// larger one gets 413. The default is no limit.
	MaxBody Size `yaml:"max_body"`
}

// PassScheme is a scheme of Authorization, and what credentials of it begin with.
type PassScheme struct {
	// Scheme is the scheme, in any case.
	Scheme string
	// Prefix is what the credentials begin with; empty for all of the scheme.
	Prefix string
}

const passSchemeExpected = `a scheme of Authorization, as in Token, or one with the beginning of a token, as in "Bearer glsa_"`

func (s *PassScheme) decode(l *loader, n *yaml.Node, path string) bool {
	if !isText(n) {
		return l.mismatch(n, path, passSchemeExpected)
	}
	s.Scheme, s.Prefix, _ = strings.Cut(n.Value, " ")
	if err := proxy.CheckScheme(proxy.Scheme{Name: s.Scheme, Prefix: s.Prefix}); err != nil {
		f := l.fault(n, path, "expected %s, got %s: %v", passSchemeExpected, quote(n.Value), err)
		if strings.EqualFold(n.Value, "bearer") {
			f.hint("the tokens of claimproxy's own providers need no pass")
		}
		return false
	}
	return true
}

// Rule says who may use some methods of a route.
type Rule struct {
	// Methods are in upper case. No method has two rules; HEAD goes with GET.
	Methods []string `yaml:"methods,many,required"`
	// Allow is as in Route.
	Allow policy.Clause `yaml:"allow,required"`
	// Shadow is as in Route, for these methods.
	Shadow *policy.Clause `yaml:"shadow"`
}

// CORSPreflight says who answers preflight requests. The zero value is nobody in
// particular.
type CORSPreflight string

// CORSPreflightPass leaves the answer to the application.
const CORSPreflightPass CORSPreflight = "pass"

func (CORSPreflight) words() []string { return []string{string(CORSPreflightPass)} }

// MethodOverride says what becomes of headers that name another method. The zero value drops
// them.
type MethodOverride string

// MethodOverridePass forwards them.
const MethodOverridePass MethodOverride = "pass"

func (MethodOverride) words() []string { return []string{string(MethodOverridePass)} }

// AmbiguousPaths says what becomes of paths with several readings. The zero value refuses
// them.
type AmbiguousPaths string

// AmbiguousPathsAllow decides on every reading.
const AmbiguousPathsAllow AmbiguousPaths = "allow"

func (AmbiguousPaths) words() []string { return []string{string(AmbiguousPathsAllow)} }

// SignIn is a kind of credentials.
type SignIn string

// The kinds of credentials.
const (
	// SignInBrowser is a session cookie, and being sent to sign in for want of one.
	SignInBrowser SignIn = "browser"
	// SignInBearer is a bearer token (RFC 6750).
	SignInBearer SignIn = "bearer"
)

func (SignIn) words() []string { return []string{string(SignInBrowser), string(SignInBearer)} }
