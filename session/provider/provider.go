package provider

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// Provider is one OpenID Provider. It is safe for concurrent use and starts no
// goroutine that outlives the call deadline.
type Provider struct {
	// Config is what New was given, defaults filled in. It is not changed.
	Config

	http     *http.Client
	metadata metadataCache
	keys     keySet
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
	p := &Provider{Config: c, http: newHTTPClient(c.Roots, c.Transport)}
	p.keys.p = p
	return p
}

// Close lets go of idle connections.
func (p *Provider) Close() { p.http.CloseIdleConnections() }

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

// detached is a context for work that other callers wait for too: it does not
// end with the request that happened to start it, but after the call deadline.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
}

// flight lets one caller work while the others wait for its result. Unlike a
// singleflight.Group it has no key and remembers nothing.
type flight struct {
	mu   sync.Mutex
	done chan struct{}
	err  error
}

// do runs work, or waits for the run that is under way, and returns that run's
// error. A waiter whose context ends leaves; the work goes on for the others.
func (f *flight) do(ctx context.Context, work func(context.Context) error) error {
	f.mu.Lock()
	done := f.done
	if done == nil {
		done = make(chan struct{})
		f.done = done
		go func() {
			ctx, cancel := detached(ctx)
			defer cancel()
			err := work(ctx)
			f.mu.Lock()
			f.err, f.done = err, nil
			f.mu.Unlock()
			close(done)
		}()
	}
	f.mu.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-done:
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.err
	}
}

// running says whether work is under way that do would wait for.
func (f *flight) running() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.done != nil
}

// secureURL says whether an endpoint may be called: https, or plain http on a
// loopback host when the issuer is such a host itself.
func secureURL(issuer, endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil {
		return fmt.Errorf("%q is not a URL", endpoint)
	}
	if u.Host == "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("%q is not an absolute URL without user and fragment", endpoint)
	}
	if u.Scheme == "https" {
		return nil
	}
	if u.Scheme == "http" && strings.HasPrefix(issuer, "http://") && session.LoopbackHost(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("%q is not https", endpoint)
}
