package config

import (
	"net/textproto"
	"slices"
	"strings"

	"github.com/claimproxy/claimproxy/proxy"
	"github.com/claimproxy/claimproxy/session/provider"
)

// validateTokenRoute checks what a route says about the tokens of programs.
func (l *loader) validateTokenRoute(r *Route) {
	if l.good(&r.Identify) && r.Identify && l.fine(&r.Allow) && l.fine(&r.Rules) && !slices.ContainsFunc(r.clauses(), isPublic) {
		l.bad(&r.Identify, "identify is for public routes, and this one asks who is calling anyway").hint("take it away")
	}
	if l.good(&r.AcceptBasicToken) && r.AcceptBasicToken {
		switch {
		case l.fine(&r.SignIn) && !slices.Contains(r.SignIn, SignInBearer):
			l.bad(&r.AcceptBasicToken, "a token as a password counts as bearer, which sign_in does not list")
		case l.fine(&r.Allow) && l.fine(&r.Rules) && !r.asksWho():
			l.bad(&r.AcceptBasicToken, "nobody is asked for a token on this route")
		}
	}
	for i := range r.PassSchemes {
		at := &r.PassSchemes[i]
		if !l.good(at) {
			continue
		}
		if strings.EqualFold(at.Scheme, "basic") && r.AcceptBasicToken {
			l.bad(at, "Basic cannot both pass and, with accept_basic_token, hold a token")
			continue
		}
		if l.passes(r.PassSchemes[:i], at) {
			l.bad(at, "another of pass_schemes lets this one pass already")
			continue
		}
		l.doubtful(at, "whoever sends any %s here is let in past this route's conditions", strings.TrimSpace(at.Scheme+" "+at.Prefix)).
			hint("the application has to check these itself")
	}
}

// passes says whether one of these schemes covers another.
func (l *loader) passes(schemes []PassScheme, other *PassScheme) bool {
	for i := range schemes {
		if s := &schemes[i]; l.fine(s) && strings.EqualFold(s.Scheme, other.Scheme) && strings.HasPrefix(other.Prefix, s.Prefix) {
			return true
		}
	}
	return false
}

// validateTokenHeaders checks the headers that programs send beside a token: no two of
// them, and none that means something else already, may be one.
func (l *loader) validateTokenHeaders(c *Config) {
	fold := strings.NewReplacer("_", "-", ".", "-")
	folded := func(name string) string { return fold.Replace(strings.ToLower(name)) }
	told := make(map[string]bool)
	for i := range c.Routes {
		for _, h := range c.Routes[i].IdentityHeaders {
			told[folded(h.Name)] = true
		}
	}
	for _, preset := range proxy.PresetNames() {
		headers, _ := proxy.Preset(preset)
		for _, h := range headers {
			told[folded(h.Name)] = true
		}
	}
	check := func(at *string) bool {
		if !l.good(at) {
			return false
		}
		canonical := textproto.CanonicalMIMEHeaderKey(*at)
		switch {
		case !isToken(*at):
			l.bad(at, "expected the name of a header, got %s", quote(*at))
		case slices.Contains(unfitHeaders, canonical), strings.HasPrefix(canonical, "X-Claimproxy-"), proxy.CheckHeaderName(*at) != nil:
			l.bad(at, "the header %s has a meaning of its own", *at)
		case told[folded(*at)]:
			l.bad(at, "the header %s tells applications who is calling, so that nobody else can send it", *at)
		default:
			return true
		}
		return false
	}
	hasProvider := check(&c.Native.ProviderHeader)
	for i := range c.Providers {
		at := &c.Providers[i].Bearer.IDTokenHeader
		if check(at) && hasProvider && folded(*at) == folded(c.Native.ProviderHeader) {
			l.bad(at, "the header %s is native.provider_header already", *at)
		}
	}
}

// TokenHeaders are the headers that programs send beside their tokens.
func (c *Config) TokenHeaders() []string {
	var names []string
	if c.Native.ProviderHeader != "" {
		names = append(names, c.Native.ProviderHeader)
	}
	for i := range c.Providers {
		if name := c.Providers[i].Bearer.IDTokenHeader; name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// signsPeopleIn says whether people can sign in with a browser at any provider.
func (c *Config) signsPeopleIn() bool {
	return slices.ContainsFunc(c.Providers, func(p Provider) bool { return p.ClientID != "" })
}

// validateTokensAlone checks a provider at which nobody signs in with a browser.
func (l *loader) validateTokensAlone(p *Provider) {
	if !l.fine(&p.ClientID) || p.ClientID != "" {
		return
	}
	if at, ok := l.places[p]; ok && !at.bad && l.fine(&p.Bearer) && l.fine(&p.Bearer.Audiences) && len(p.Bearer.Audiences) == 0 {
		l.fault(at.node, at.path+".client_id", "this key is missing").
			hint("for a provider of tokens alone say for whom these are, as in bearer: {audiences: [telemetry]}")
	}
	for _, key := range []struct {
		name string
		at   any
	}{{"client_secret", &p.ClientSecret}, {"callback_path", &p.CallbackPath}, {"authorize_params", &p.AuthorizeParams}} {
		if l.set(key.at) && l.good(key.at) {
			l.bad(key.at, "%s is for signing in, which nobody does here without client_id", key.name)
		}
	}
}

// validateKeys checks a file of keys.
func (l *loader) validateKeys(m *Metadata) {
	if !l.good(&m.JWKSFile) || l.env.WithoutSecrets { // only looked at, perhaps on another machine
		return
	}
	data, err := l.env.ReadFile(m.JWKSFile)
	if err != nil {
		l.bad(&m.JWKSFile, "the keys cannot be read: %v", err)
		return
	}
	if err := provider.CheckKeys(data); err != nil {
		l.bad(&m.JWKSFile, "the file %s cannot be used: %v", quote(m.JWKSFile), err)
	}
}

// warnDiscovery warns where programs are told how to sign in at several providers, and
// what they say about whose token they send is not listened to.
func (l *loader) warnDiscovery(c *Config) {
	if len(c.Providers) < 2 || c.Native.ProviderHeader != "" {
		return
	}
	for i := range c.Native.Discovery {
		l.doubtful(&c.Native.Discovery[i], "with several providers it cannot be told whose token QField sends, unless it is a JWT").
			hint("say native: {provider_header: X-QFC-IDP-ID}")
	}
}
