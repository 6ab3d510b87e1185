package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// Metadata is what a provider says of itself (OpenID Connect Discovery section
// 3, RFC 8414 section 2), as far as it is used here.
type Metadata struct {
	AuthorizationEndpoint string
	TokenEndpoint         string
	UserInfoEndpoint      string
	JWKSURI               string
	IntrospectionEndpoint string
	RevocationEndpoint    string
	EndSessionEndpoint    string
	// TokenInfoEndpoint is announced by nobody: it is configured, or known
	// because the provider is Doorkeeper (GitLab) or Google.
	TokenInfoEndpoint string
	// SigningAlgs are the algorithms of ID tokens; RS256 when not announced.
	SigningAlgs []string
	// ResponseIssuer is true when the provider promises to send iss with every
	// authorization response (RFC 9207 section 3).
	ResponseIssuer bool
	// TokenAuth, IntrospectionAuth and RevocationAuth list how clients may
	// authenticate.
	TokenAuth, IntrospectionAuth, RevocationAuth []string
}

const (
	// metadataAge is how long metadata is used before it is asked for again.
	metadataAge = time.Hour
	// The pause after a failed discovery doubles from first to last.
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
)

// metadataCache keeps the last good metadata, over outages too.
type metadataCache struct {
	flight flight
	fixed  *Metadata // what is configured, of a provider that is never asked; else nil

	mu      sync.Mutex
	current *Metadata
	fetched time.Time     // when current was fetched
	pause   time.Duration // after the last failure; zero after success
	next    time.Time     // no attempt before this
	err     error         // of the last attempt
}

// Metadata returns what discovery says, asking the provider when that is not
// known yet. Once known it is returned at once: renewing goes on beside the
// request and a failure keeps the old. The error is a *session.Unavailable.
func (p *Provider) Metadata(ctx context.Context) (*Metadata, error) {
	m := &p.metadata
	if m.fixed != nil {
		return m.fixed, nil
	}
	current, attempt := m.state(p.Now())
	switch {
	case current != nil && attempt:
		m.flight.start(ctx, p, p.discover)
		return current, nil
	case current != nil:
		return current, nil
	}
	err := m.failure()
	if attempt {
		err = m.flight.start(ctx, p, p.discover).wait(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current == nil {
		return nil, p.unavailable("discovery", m.next.Sub(p.Now()), err)
	}
	return m.current, nil
}

// state returns the metadata that is known, and whether it is time to ask for it.
func (m *metadataCache) state(now time.Time) (current *Metadata, attempt bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.current == nil || now.Sub(m.fetched) >= metadataAge
	return m.current, old && !now.Before(m.next)
}

func (m *metadataCache) failure() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

// discover fetches the metadata and keeps it, or notes the failure.
func (p *Provider) discover(ctx context.Context) error {
	m := &p.metadata
	if _, attempt := m.state(p.Now()); !attempt {
		return m.failure() // another caller's attempt has just ended
	}
	md, err := p.fetchMetadata(ctx)
	now := p.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		m.pause = min(max(2*m.pause, firstRetry), lastRetry)
		m.next, m.err = now.Add(m.pause), err
		p.Log.Warn("discovery failed", "error", err, "retry_in", m.pause.String(), "known", m.current != nil)
		return err
	}
	if m.pause > 0 {
		p.Log.Info("discovery works again")
	}
	m.current, m.fetched, m.pause, m.next, m.err = md, now, 0, now, nil
	return nil
}

func (p *Provider) fetchMetadata(ctx context.Context) (*Metadata, error) {
	req, err := http.NewRequestWithContext(asking(ctx, EndpointDiscovery), http.MethodGet, p.discoveryURL(), nil)
	if err != nil {
		return nil, fmt.Errorf("issuer %q: %w", p.Issuer, err)
	}
	r, err := p.call(req)
	if err != nil {
		return nil, err
	}
	if r.status != http.StatusOK {
		return nil, fmt.Errorf("expected status 200, got %d", r.status)
	}
	doc, err := parseReply(r.body)
	if err != nil {
		return nil, err
	}
	// Byte for byte: a document that speaks for another issuer would bring its
	// keys along (OpenID Connect Discovery section 4.3).
	if iss, _ := doc.String("issuer"); iss != p.Issuer {
		return nil, fmt.Errorf("issuer: expected %q, got %s", p.Issuer, quote(iss))
	}
	return p.readMetadata(doc)
}

// discoveryURL is where the provider says what it is (OpenID Connect Discovery section 4).
func (p *Provider) discoveryURL() string {
	return strings.TrimSuffix(p.Issuer, "/") + "/.well-known/openid-configuration"
}

func (p *Provider) readMetadata(doc session.Claims) (*Metadata, error) {
	md := &Metadata{
		SigningAlgs:       doc.Strings("id_token_signing_alg_values_supported"),
		TokenAuth:         doc.Strings("token_endpoint_auth_methods_supported"),
		IntrospectionAuth: doc.Strings("introspection_endpoint_auth_methods_supported"),
		RevocationAuth:    doc.Strings("revocation_endpoint_auth_methods_supported"),
	}
	md.ResponseIssuer, _ = doc["authorization_response_iss_parameter_supported"].(bool)
	if md.SigningAlgs = asymmetric(md.SigningAlgs); len(md.SigningAlgs) == 0 {
		md.SigningAlgs = []string{"RS256"}
	}
	var faults []error
	// Where nobody signs in, what signing in needs may be missing, or be anything:
	// Kubernetes announces a urn.
	signsIn := p.Client.ID != ""
	for _, e := range []struct {
		name     string
		override string
		into     *string
		required bool
	}{
		{"authorization_endpoint", p.Overrides.AuthorizationEndpoint, &md.AuthorizationEndpoint, signsIn},
		{"token_endpoint", p.Overrides.TokenEndpoint, &md.TokenEndpoint, signsIn},
		{"jwks_uri", p.Overrides.JWKSURI, &md.JWKSURI, true},
		{"userinfo_endpoint", p.Overrides.UserInfoEndpoint, &md.UserInfoEndpoint, false},
		{"introspection_endpoint", p.Overrides.IntrospectionEndpoint, &md.IntrospectionEndpoint, false},
		{"revocation_endpoint", p.Overrides.RevocationEndpoint, &md.RevocationEndpoint, false},
		{"end_session_endpoint", p.Overrides.EndSessionEndpoint, &md.EndSessionEndpoint, false},
		{"token_info_endpoint", p.Overrides.TokenInfoEndpoint, &md.TokenInfoEndpoint, false},
	} {
		value, _ := doc.String(e.name)
		if e.override != "" {
			value = e.override
		}
		if !signsIn && e.name == "authorization_endpoint" && secureURL(p.Issuer, value) != nil {
			continue
		}
		switch {
		case value == "" && e.required:
			faults = append(faults, fmt.Errorf("%s is missing", e.name))
		case value != "":
			if err := secureURL(p.Issuer, value); err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", e.name, err))
			}
		}
		*e.into = value
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if md.TokenInfoEndpoint == "" {
		md.TokenInfoEndpoint = doorkeeperTokenInfo(md)
	}
	if md.TokenInfoEndpoint == "" && p.Issuer == googleIssuer {
		md.TokenInfoEndpoint = googleTokenInfo
	}
	return md, nil
}

// googleIssuer is what Google calls itself.
const googleIssuer = "https://accounts.google.com"

// doorkeeperTokenInfo recognises Doorkeeper with its OpenID Connect extension,
// which GitLab is made of, by the paths it announces, and says where its token
// information is.
func doorkeeperTokenInfo(md *Metadata) string {
	root, ok := strings.CutSuffix(md.TokenEndpoint, "/oauth/token")
	if !ok || md.UserInfoEndpoint != root+"/oauth/userinfo" || md.JWKSURI != root+"/oauth/discovery/keys" {
		return ""
	}
	return root + "/oauth/token/info"
}

// OpaqueMode resolves OpaqueAuto against what the provider offers.
func (p *Provider) OpaqueMode(md *Metadata) Opaque {
	switch {
	case p.Bearer.Opaque != OpaqueAuto:
		return p.Bearer.Opaque
	case md.IntrospectionEndpoint != "":
		return OpaqueIntrospection
	case md.TokenInfoEndpoint != "":
		return OpaqueTokenInfo
	}
	return OpaqueOff
}

// asymmetric leaves those algorithms that a signature may have.
func asymmetric(algs []string) []string {
	return slices.DeleteFunc(algs, func(a string) bool {
		_, known := algorithms[a]
		return !known
	})
}
