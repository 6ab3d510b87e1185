package provider

// Inherit takes over what another provider knows about the same issuer: what discovery
// said and the signing keys. A configuration that changes a name or a secret then does
// not wait for a provider that is down. It is for a provider that nobody uses yet, and
// does nothing where the issuer or a certificate authority, or what is configured in
// place of discovery, is another, or where only at one of them people sign in: of the
// other less is wanted to be known.
func (p *Provider) Inherit(from *Provider) {
	if p.Issuer != from.Issuer || (p.Client.ID == "") != (from.Client.ID == "") || p.Overrides.differ(&from.Overrides) || !sameRoots(p, from) {
		return
	}
	from.metadata.mu.Lock()
	p.metadata.current, p.metadata.fetched = from.metadata.current, from.metadata.fetched
	from.metadata.mu.Unlock()
	from.keys.mu.Lock()
	p.keys.held, p.keys.tried, p.keys.err = from.keys.held, from.keys.tried, from.keys.err
	from.keys.mu.Unlock()
}

// differ says whether any endpoint is configured differently.
func (m *Metadata) differ(other *Metadata) bool {
	return m.AuthorizationEndpoint != other.AuthorizationEndpoint || m.TokenEndpoint != other.TokenEndpoint ||
		m.UserInfoEndpoint != other.UserInfoEndpoint || m.JWKSURI != other.JWKSURI ||
		m.IntrospectionEndpoint != other.IntrospectionEndpoint || m.RevocationEndpoint != other.RevocationEndpoint ||
		m.EndSessionEndpoint != other.EndSessionEndpoint || m.TokenInfoEndpoint != other.TokenInfoEndpoint
}

func sameRoots(a, b *Provider) bool {
	if a.Roots == nil || b.Roots == nil {
		return a.Roots == b.Roots
	}
	return a.Roots.Equal(b.Roots)
}
