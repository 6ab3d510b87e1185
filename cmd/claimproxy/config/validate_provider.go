package config

import (
	"crypto/x509"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
)

// wellKnown is where protected resource metadata is served (RFC 9728 section 3).
const wellKnown = "/.well-known/oauth-protected-resource"

// cacheMost bounds bearer.cache_max: a revoked token goes on that long.
const cacheMost = 24 * time.Hour

var (
	providerID   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
	colorPattern = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)
	// scopeToken is a scope of RFC 6749 section 3.3.
	scopeToken = regexp.MustCompile(`^[!#-\[\]-~]+$`)
)

func (l *loader) validateProviders(c *Config) {
	ids, issuers, callbacks := make(map[string]int), make(map[string]int), make(map[string]int)
	for i := range c.Providers {
		p := &c.Providers[i]
		if l.good(&p.ID) {
			if !providerID.MatchString(p.ID) {
				l.bad(&p.ID, "expected small letters, digits and -, not - first, got %s", quote(p.ID))
			} else {
				l.unique(&p.ID, p.ID, ids, "the id")
			}
		}
		if l.good(&p.Issuer) && l.checkIssuer(p) && l.checkURL(&p.Issuer, p.Issuer, issuerRule) {
			// Which provider a token is from is told by its issuer.
			if first, ok := issuers[p.Issuer]; ok {
				l.bad(&p.Issuer, "the provider in line %d has this issuer already", first).hint("list further client ids under its clients")
			} else {
				issuers[p.Issuer] = l.places[&p.Issuer].node.Line
			}
		}
		l.validateLook(p)
		l.validateRegistration(c, p, callbacks)
		l.validateNaming(p)
		if l.good(&p.CA) && !l.env.WithoutSecrets {
			l.validateCA(&p.CA)
		}
		for _, endpoint := range p.Metadata.all() {
			if l.good(endpoint) {
				l.checkURL(endpoint, *endpoint, endpointRule)
			}
		}
		l.validateKeys(&p.Metadata)
		l.validateTokensAlone(p)
		l.validateClients(p)
		l.validateBearer(&p.Bearer)
	}
}

// checkIssuer reports the address of a discovery document in the place of the issuer,
// below which it is found (OpenID Connect Discovery section 4).
func (l *loader) checkIssuer(p *Provider) bool {
	before, document, found := strings.Cut(p.Issuer, "/.well-known/")
	if found {
		f := l.bad(&p.Issuer, "the issuer is what stands before /.well-known/")
		if problem, _ := issuerRule.check(before); problem == "" && !strings.Contains(document, "/") {
			f.hint("did you mean %s?", before)
		}
	}
	return !found
}

// validateProviderNames checks the ids of providers that a policy or a route names,
// given by the address of the list.
func (l *loader) validateProviderNames(c *Config, names *[]string) {
	if !l.good(names) || !l.notEmpty(names, len(*names), "provider") || !l.fine(&c.Providers) {
		return
	}
	ids := c.providerIDs()
	for i := range *names {
		at := &(*names)[i]
		switch {
		case !l.good(at):
		case slices.Contains((*names)[:i], *at):
			l.bad(at, "%s stands here twice", quote(*at))
		case !slices.Contains(ids, *at):
			l.bad(at, "there is no provider %s", quote(*at)).suggest(*at, ids)
		}
	}
}

func (c *Config) providerIDs() []string {
	ids := make([]string, len(c.Providers))
	for i := range c.Providers {
		ids[i] = c.Providers[i].ID
	}
	return ids
}

// unique reports a value that has been met before, in the line it was met in.
func (l *loader) unique(at any, value string, met map[string]int, what string) {
	if first, ok := met[value]; ok {
		l.bad(at, "%s %s stands in line %d already", what, quote(value), first)
		return
	}
	met[value] = l.places[at].node.Line
}

func (l *loader) validateLook(p *Provider) {
	if l.good(&p.Logo) && !strings.HasPrefix(p.Logo, "https://") {
		if problem, _ := checkPath(p.Logo); problem != "" || strings.HasSuffix(p.Logo, "/") || strings.Contains(p.Logo, "*") {
			l.bad(&p.Logo, "expected an https URL or a path on this host, as in /logo.svg, got %s", quote(p.Logo))
		}
	} else if l.good(&p.Logo) {
		l.checkURL(&p.Logo, p.Logo, endpointRule)
	}
	for _, color := range []*string{&p.Color, &p.ColorDark} {
		if l.good(color) && !colorPattern.MatchString(*color) {
			l.bad(color, "expected a colour as in \"#1d99f3\", got %s", quote(*color))
		}
	}
}

func (l *loader) validateRegistration(c *Config, p *Provider, callbacks map[string]int) {
	if l.good(&p.ClientID) {
		l.checkClientID(&p.ClientID)
	}
	if l.good(&p.Scopes) {
		l.validateScopes(&p.Scopes)
		if !slices.Contains(p.Scopes, "openid") {
			l.bad(&p.Scopes, "expected openid among the scopes: without it the provider does not say who signed in")
		}
	}
	if !l.good(&p.CallbackPath) {
		return
	}
	if !l.checkFixedPath(&p.CallbackPath, p.CallbackPath, "/oauth/return") {
		return
	}
	switch {
	case p.CallbackPath == defaultCallback(c, p), p.CallbackPath == c.Endpoints+"/callback": // as oauth2-proxy's is
	case below(c.Endpoints, p.CallbackPath):
		l.bad(&p.CallbackPath, "expected a path that is not below endpoints, %s, got %s", c.Endpoints, quote(p.CallbackPath)).
			hint("leave the key out for %s", defaultCallback(c, p))
		return
	case below(wellKnown, p.CallbackPath):
		l.bad(&p.CallbackPath, "%s is claimproxy's own", quote(p.CallbackPath))
		return
	}
	l.unique(&p.CallbackPath, p.CallbackPath, callbacks, "the callback path")
}

// below says whether a path is another one or below it.
func below(top, p string) bool {
	return p == top || strings.HasPrefix(p, top+"/")
}

func (l *loader) checkClientID(id *string) bool {
	// RFC 6749 appendix A.1; outer blanks are a slip of copying.
	if *id == "" || strings.TrimSpace(*id) != *id {
		l.bad(id, "expected a client id, got %s", quote(*id))
		return false
	}
	return true
}

func (l *loader) validateScopes(scopes *[]string) {
	for i := range *scopes {
		at := &(*scopes)[i]
		if !l.good(at) {
			continue
		}
		if !scopeToken.MatchString(*at) {
			f := l.bad(at, "expected a scope, got %s", quote(*at))
			if strings.ContainsAny(*at, " ,") {
				f.hint("write a list: [openid, profile]")
			}
		} else if slices.Contains((*scopes)[:i], *at) {
			l.bad(at, "the scope %s stands here twice", quote(*at))
		}
	}
}

// validateNaming checks how people are named to applications, in a header.
func (l *loader) validateNaming(p *Provider) {
	if l.good(&p.User) && !isHeaderValue(p.User) {
		l.bad(&p.User, "expected the name of a claim, got %s", quote(p.User))
	}
	if l.good(&p.UserPrefix) && strings.ContainsFunc(p.UserPrefix, unicode.IsSpace) {
		l.bad(&p.UserPrefix, "expected a prefix without blanks, got %s", quote(p.UserPrefix))
	}
}

func (l *loader) validateCA(file *string) {
	data, err := l.env.ReadFile(*file)
	if err != nil {
		l.bad(file, "the certificates cannot be read: %v", err)
		return
	}
	if !x509.NewCertPool().AppendCertsFromPEM(data) {
		l.bad(file, "the file %s holds no certificate in PEM", quote(*file))
	}
}

// all returns every entry, in the order of the struct.
func (m *Metadata) all() []*string {
	return []*string{
		&m.AuthorizationEndpoint, &m.TokenEndpoint, &m.UserInfoEndpoint, &m.JWKSURI,
		&m.IntrospectionEndpoint, &m.TokenInfoEndpoint, &m.RevocationEndpoint, &m.EndSessionEndpoint,
	}
}

func (l *loader) validateClients(p *Provider) {
	ids := make(map[string]int)
	if l.good(&p.ClientID) {
		ids[p.ClientID] = l.places[&p.ClientID].node.Line
	}
	for i := range p.Clients {
		client := &p.Clients[i]
		if l.good(&client.ClientID) && l.checkClientID(&client.ClientID) {
			l.unique(&client.ClientID, client.ClientID, ids, "the client id")
		}
		if l.good(&client.Scopes) {
			l.validateScopes(&client.Scopes)
		}
		if l.good(&client.RedirectURI) {
			l.validateNativeRedirect(&client.RedirectURI)
		}
	}
}

// validateNativeRedirect checks the redirect URI of a native program: a scheme of
// its own, https, or http to this machine (RFC 8252 section 7).
func (l *loader) validateNativeRedirect(raw *string) {
	u, err := url.Parse(*raw)
	switch {
	case err != nil || u.Scheme == "":
		l.bad(raw, "expected a redirect URI, as in http://127.0.0.1:11450/, got %s", quote(*raw))
	case u.Scheme == "http" || u.Scheme == "https":
		l.checkURL(raw, *raw, endpointRule)
	case slices.Contains([]string{"javascript", "data", "vbscript", "file", "blob", "about"}, u.Scheme):
		l.bad(raw, "a redirect URI cannot begin with %s:", u.Scheme)
	case strings.Contains(*raw, "#"):
		l.bad(raw, "a redirect URI has no fragment (RFC 6749 section 3.1.2), got %s", quote(*raw))
	}
}

func (l *loader) validateBearer(b *Bearer) {
	if l.good(&b.Accept) && l.notEmpty(&b.Accept, len(b.Accept), "kind of token") {
		for i := range b.Accept {
			if at := &b.Accept[i]; l.good(at) && slices.Contains(b.Accept[:i], *at) {
				l.bad(at, "%s stands here twice", *at)
			}
		}
	}
	for i := range b.Audiences {
		if at := &b.Audiences[i]; l.good(at) && strings.TrimSpace(*at) == "" {
			l.bad(at, "expected an audience, got %s", quote(*at))
		}
	}
	if l.good(&b.CacheMax) && b.CacheMax > cacheMost {
		l.bad(&b.CacheMax, "expected at most %s, got %s: a revoked token goes on that long", formatDuration(cacheMost), formatDuration(b.CacheMax))
	}
}
