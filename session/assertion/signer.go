package assertion

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/claimproxy/claimproxy/session"
)

const (
	// Lifetime is how long an assertion is good. It may be used for as long as Fresh after
	// it was made, so that what an application gets is good for the rest at least.
	Lifetime = 5 * time.Minute
	Fresh    = 2 * time.Minute
	// early is how far behind the clock of an application may be.
	early = 10 * time.Second
	// maxGroups is how many bytes of groups there may be before those are left out that no
	// policy names.
	maxGroups = 8 << 10
)

// Options says how a Signer works.
type Options struct {
	// Issuer is the `iss` of assertions: public_url.
	Issuer string
	// Sealer has the secrets that keys are derived from.
	Sealer *session.Sealer
	// NamedGroups are the groups that policies name.
	NamedGroups []string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Signer signs assertions. It is safe for concurrent use.
type Signer struct {
	issuer string
	sealer *session.Sealer
	named  map[string]bool
	now    func() time.Time
	keys   atomic.Pointer[keys]
}

// New makes a signer.
func New(o Options) (*Signer, error) {
	if o.Issuer == "" || o.Sealer == nil {
		return nil, errors.New("assertion: an issuer and a sealer are needed")
	}
	s := &Signer{issuer: o.Issuer, sealer: o.Sealer, now: o.Now, named: make(map[string]bool, len(o.NamedGroups))}
	for _, g := range o.NamedGroups {
		s.named[g] = true
	}
	if s.now == nil {
		s.now = time.Now
	}
	if _, err := s.current(); err != nil {
		return nil, err
	}
	return s, nil
}

// Claims are those of the caller that assertions say.
var Claims = []string{"name", "preferred_username", "email", "email_verified", "groups"}

// claims are what an assertion says (RFC 7519 section 4.1). Of those about the person, what
// the provider does not say is left out.
type claims struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	// Subject is the person's `sub` at Provider; a program alone has none.
	Subject  string `json:"sub,omitempty"`
	Issued   int64  `json:"iat"`
	Before   int64  `json:"nbf"`
	Expires  int64  `json:"exp"`
	Provider string `json:"provider"`
	ClientID string `json:"client_id,omitempty"`
	Auth     string `json:"auth"`
	// User is the name that the identity headers have, prefix included.
	User              string   `json:"user,omitempty"`
	Name              string   `json:"name,omitempty"`
	PreferredUsername string   `json:"preferred_username,omitempty"`
	Email             string   `json:"email,omitempty"`
	Groups            []string `json:"groups,omitempty"`
}

// Assert signs what is known about a caller, for one application: audience is the origin
// that it is seen at. It may be used until the time that is returned.
func (s *Signer) Assert(id *session.Identity, audience string) (token string, until time.Time, err error) {
	k, err := s.current()
	if err != nil {
		return "", time.Time{}, err
	}
	now := s.now()
	c := claims{
		Issuer: s.issuer, Audience: audience, Issued: now.Unix(), Before: now.Add(-early).Unix(), Expires: now.Add(Lifetime).Unix(),
		Provider: id.Provider, ClientID: id.ClientID, Auth: string(id.Auth),
	}
	until = now.Add(Fresh)
	if !id.Until.IsZero() && id.Until.Before(now.Add(Lifetime)) {
		c.Expires = id.Until.Unix() // nothing outlives what proves it
		until = now
	}
	if id.Auth != session.AuthClient {
		c.Subject, c.User = id.Subject, id.User
		c.Name, _ = id.Claims.String("name")
		c.PreferredUsername, _ = id.Claims.String("preferred_username")
		if session.EmailMayBeSent(id.Claims) {
			c.Email, _ = id.Claims.String("email")
		}
	}
	c.Groups = s.groups(id.Claims["groups"])
	payload, err := json.Marshal(c)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("assertion: %w", err)
	}
	signed, err := k.signer.Sign(payload)
	if err == nil {
		token, err = signed.CompactSerialize()
	}
	if err != nil {
		return "", time.Time{}, fmt.Errorf("assertion: %w", err)
	}
	return token, until, nil
}

// groups are the caller's, as far as they fit.
func (s *Signer) groups(claim any) []string {
	var all []string
	size := 0
	switch c := claim.(type) {
	case string:
		all = append(all, c)
	case []any:
		for _, g := range c {
			if name, ok := g.(string); ok {
				all = append(all, name)
				size += len(name) + len(`"",`)
			}
		}
	}
	if size > maxGroups {
		all = slices.DeleteFunc(all, func(g string) bool { return !s.named[g] })
	}
	return all
}

// ServeHTTP publishes the keys (RFC 7517 section 5).
func (s *Signer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	k, err := s.current()
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(k.published))
}

// set is the JSON of published keys.
func set(all []jose.JSONWebKey) (string, error) {
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: all})
	return string(text), err
}
