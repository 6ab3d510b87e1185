package provider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// Provider is one OpenID Provider. It is safe for concurrent use. Close ends what
// it has begun.
type Provider struct {
	// Config is what New was given, defaults filled in. It is not changed.
	Config

	http     *http.Client
	life     context.Context // ends with Close
	end      context.CancelFunc
	metadata metadataCache
	keys     keySet
	usual    usualURL
}

// New makes a provider from its configuration. Nobody is called: discovery
// happens when it is first needed.
func New(c Config) *Provider {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Bearer.Opaque == "" {
		c.Bearer.Opaque = OpaqueAuto
	}
	c.Log = c.Log.With("provider", c.ID)
	p := &Provider{Config: c, http: newHTTPClient(&c)}
	p.life, p.end = context.WithCancel(context.Background())
	p.keys.p = p
	if c.Keys != nil {
		list, err := parseKeys(c.Keys)
		if err != nil {
			p.Log.Error("the configured keys cannot be used", "error", err)
		}
		p.keys.fixed = &keys{list: list}
		if c.Client.ID == "" {
			// Nothing is left to ask for but what the configuration says.
			if md, err := p.readMetadata(session.Claims{"jwks_uri": p.Issuer}); err == nil {
				p.metadata.fixed = md
			}
		}
	}
	return p
}

// Close ends the fetching of metadata and keys that goes on beside requests, and
// lets go of idle connections. It is for when no request uses the provider any
// more.
func (p *Provider) Close() {
	p.end()
	p.http.CloseIdleConnections()
}

// unavailable is the outcome for a provider that gave no usable answer to what
// was being asked.
func (p *Provider) unavailable(what string, retry time.Duration, cause error) *session.Unavailable {
	return &session.Unavailable{
		Reason:     session.ReasonProviderUnavailable,
		Sentence:   fmt.Sprintf("%s does not answer right now. Please try again in a moment.", p.display()),
		RetryAfter: retry,
		Cause:      fmt.Errorf("provider %s: %s: %w", p.ID, what, cause),
	}
}

func (p *Provider) display() string {
	if p.Name != "" {
		return p.Name
	}
	return p.ID
}

// secureURL says whether an endpoint may be called: https, or plain http on a
// loopback host when the issuer is such a host itself.
func secureURL(issuer, endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil {
		return fmt.Errorf("%s is not a URL", quote(endpoint))
	}
	if u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("%s is not an absolute URL without user and fragment", quote(endpoint))
	}
	if u.Scheme == "https" {
		return nil
	}
	if u.Scheme == "http" && strings.HasPrefix(issuer, "http://") && session.LoopbackHost(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("%s is not https", quote(endpoint))
}

// quote prints what a provider says of itself, bounded: its documents may be 2 MiB
// and go to the log.
func quote(s string) string {
	const most = 200
	if len(s) > most {
		return fmt.Sprintf("%q... (%d bytes)", s[:most], len(s))
	}
	return strconv.Quote(s)
}

// asUnavailable finds the outcome "cannot know now" in an error.
func asUnavailable(err error) (*session.Unavailable, bool) {
	var u *session.Unavailable
	return u, errors.As(err, &u)
}
