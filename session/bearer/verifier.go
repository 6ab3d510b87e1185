package bearer

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/provider"
)

// Config is what a Verifier needs.
type Config struct {
	// Providers are those whose tokens are accepted.
	Providers []*provider.Provider
	// ProviderHeader is the header field in which programs name the provider that their
	// token is from, by its id; empty for none.
	ProviderHeader string
	// Needs are the top-level claims that policies and headers use. Where a JWT
	// lacks one of them that userinfo could give, userinfo is asked for it.
	Needs []string
	// Resource is the identifier, without path, under which a host is published as
	// a protected resource (RFC 9728), such as https://api.example.org. Tokens for
	// it, or for a path below it that the request is in, are accepted. Nil
	// publishes nothing.
	Resource func(host string) string
	// Guesses bounds how many tokens that are no good an address may try; nil: nobody does.
	Guesses Guesses
	// Observer is told about tokens; nil: nobody is.
	Observer Observer
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log receives what lookups met; nil discards it.
	Log *slog.Logger
}

// Verifier checks tokens. It is safe for concurrent use; Close ends it.
type Verifier struct {
	Config
	wanted   []string // of Needs, what userinfo could give
	cache    *cache
	seen     sights
	lookups  singleflight.Group
	life     context.Context // ends with Close
	end      context.CancelFunc
	refused  warnings
	shapes   shapes
	watchers session.Watchers
	slots    map[string]chan struct{} // by provider, see maxLookups
	counts   map[sort]func()
}

// New makes a verifier. Nobody is called.
func New(c Config) *Verifier {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Observer == nil {
		c.Observer = unobserved{}
	}
	if c.Guesses == nil {
		c.Guesses = unbounded{}
	}
	c.ProviderHeader = http.CanonicalHeaderKey(c.ProviderHeader)
	if c.Resource == nil {
		c.Resource = func(string) string { return "" }
	}
	v := &Verifier{Config: c, wanted: fromUserInfo(c.Needs), cache: newCache(c.Now), slots: make(map[string]chan struct{}), counts: counts(&c)}
	for _, p := range c.Providers {
		v.slots[p.ID] = make(chan struct{}, maxLookups)
	}
	v.life, v.end = context.WithCancel(context.Background())
	return v
}

// Close ends the lookups under way. It is for when no request uses the verifier any more.
func (v *Verifier) Close() { v.end() }

// Forget has the tokens of a person checked again when they are next presented: their
// provider has ended a login of theirs, and may have revoked what came of it.
func (v *Verifier) Forget(issuer, subject string) {
	v.ForgetThose(func(i, s string) bool { return i == issuer && s == subject })
}

// ForgetThose is Forget for everybody whom about says yes to. It asks about everybody whose
// token is remembered.
func (v *Verifier) ForgetThose(about func(issuer, subject string) bool) {
	for _, k := range v.cache.forget(about) {
		v.watchers.Tell(session.Key(k))
	}
}

// Watch has changed called whenever a token was forgotten, with the Proof of its identity.
// changed returns quickly and does not call the verifier. stop ends it.
func (v *Verifier) Watch(changed func(session.Key)) (stop func()) { return v.watchers.Add(changed) }

// Verify says whose token was presented. The error is a *session.Rejected or a
// *session.Unavailable, or the context's own.
func (v *Verifier) Verify(ctx context.Context, shown session.Presented) (*session.Identity, error) {
	chosen, err := v.chosen(shown)
	if err != nil {
		return nil, err
	}
	// Where nobody said which provider, the token itself does: what was found out about
	// it is found again by its hash, before it is read.
	id := ""
	if chosen != nil {
		id = chosen.ID
	}
	key := keyOf(asAccessToken, id, shown.Token)
	e, ok := v.cache.get(key)
	if ok {
		e.found()
	} else {
		asked := shown // which outlives this call, and shown need not
		if e, err = v.lookUpToken(ctx, chosen, key, &asked); err != nil {
			return nil, err
		}
	}
	identity, err := v.admit(e, shown)
	if err == nil {
		err = v.contradict(ctx, identity, shown)
	}
	if err != nil {
		return nil, err
	}
	return identity, nil
}

// admit answers one request from what is known about its token. What depends on
// the request is decided here, each time; what depends on the token alone is in
// the entry.
func (v *Verifier) admit(e *entry, shown session.Presented) (*session.Identity, error) {
	switch {
	case e.refused != nil:
		return nil, e.refused
	case !e.expires.IsZero() && !v.Now().Before(e.expires):
		return nil, expired()
	case e.audience != nil && !v.published(e.audience, shown):
		return nil, session.Reject(session.ReasonTokenAudience, "The access token was issued for another service.",
			fmt.Errorf("aud %s names no listed client, no configured audience and not this resource", quote(e.audience)))
	}
	return e.identity, nil
}

// published says whether an audience is the resource published for this host, or
// a path below it that the request is in.
func (v *Verifier) published(audience []string, shown session.Presented) bool {
	origin := v.Resource(shown.Host)
	if origin == "" {
		return false
	}
	for _, aud := range audience {
		below, ok := strings.CutPrefix(aud, origin)
		if !ok {
			continue
		}
		// Whole segments: a token for /api is none for /apix.
		below = strings.TrimSuffix(below, "/")
		if below == "" || below[0] == '/' && (shown.Path == below || strings.HasPrefix(shown.Path, below+"/")) {
			return true
		}
	}
	return false
}
