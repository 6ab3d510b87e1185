package bearer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/provider"
)

const (
	// lookupTimeout bounds all calls to the provider that one unknown token causes.
	lookupTimeout = 10 * time.Second
	// maxLookups is how many tokens are asked about at one provider at once. It is half
	// of the connections there are, so that a flood of tokens that somebody made up
	// leaves room for people who sign in.
	maxLookups = 32
	// maxToken bounds a token. No web server takes headers of that length.
	maxToken = 64 << 10
)

// lookUpToken finds out about an access token that is not in the cache. chosen is its
// provider where that was said beside the token.
func (v *Verifier) lookUpToken(ctx context.Context, chosen *provider.Provider, key key, shown *session.Presented) (*entry, error) {
	token := shown.Token
	if !plausible(token) {
		return nil, session.Reject(session.ReasonTokenInvalid, "The access token is not valid.", errors.New("it has characters that no token has, or too many of them"))
	}
	p, jwt, err := v.providerOf(chosen, token)
	if err != nil {
		return nil, err
	}
	kind := KindOpaque
	if jwt != nil {
		kind = KindJWT
		if e, done, err := v.checkHere(p, jwt, key); done {
			if e != nil && e.refused != nil {
				return v.guessed(e, shown.Client)
			}
			return e, err
		}
	}
	if wait := v.Guesses.Wait(shown.Client); wait > 0 {
		return nil, tooManyGuesses(wait)
	}
	return v.lookUpOnce(ctx, p, kind, key, func(ctx context.Context) (e *entry, err error) {
		if jwt != nil {
			e, err = v.checkJWT(ctx, p, jwt, token)
		} else {
			e, err = v.checkOpaque(ctx, p, token)
		}
		if errors.As(err, new(*session.Rejected)) {
			v.Guesses.Failed(shown.Client)
		}
		return e, err
	})
}

// lookUpOnce finds out about a token by asking. However many requests bring the same new
// token at once, the provider is asked once; a waiter whose request ends leaves.
func (v *Verifier) lookUpOnce(ctx context.Context, p *provider.Provider, kind string, key key, ask func(context.Context) (*entry, error)) (*entry, error) {
	// Who comes after Forget does not wait for a lookup that began before it.
	epoch := v.cache.epoch.Load()
	flight := string(binary.BigEndian.AppendUint64(key[:], epoch))
	result := v.lookups.DoChan(flight, func() (any, error) {
		if e, ok := v.cache.get(key); ok { // another lookup has just ended
			return e, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupTimeout)
		defer cancel()
		defer context.AfterFunc(v.life, cancel)()
		// Before anybody is asked: a token that is revoked while its lookup takes
		// seconds must not live those longer than cache_max.
		asked := v.Now()
		e, err := v.lookUp(ctx, p, ask)
		result := resultOf(e, err)
		v.Observer.LookedUp(p.ID, kind, result)
		if err != nil {
			return nil, err
		}
		if e.identity != nil {
			e.identity.Proof = session.Key(key)
		}
		e.found = v.counts[sort{p.ID, kind, result}]
		v.cache.put(key, e, epoch, asked, p.Bearer.CacheMax)
		return e, nil
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-result:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*entry), nil
	}
}

// plausible says whether a text can be an access token at all: printable ASCII
// without blanks (RFC 6749 appendix A.12). Anything else would fail in the header
// of our own request, and look like an outage.
func plausible(token string) bool {
	if token == "" || len(token) > maxToken {
		return false
	}
	for i := range len(token) {
		if token[i] <= 0x20 || token[i] >= 0x7f {
			return false
		}
	}
	return true
}

// lookUp finds out about a token: an entry, also for a refusal, or the error
// that it cannot be known now.
func (v *Verifier) lookUp(ctx context.Context, p *provider.Provider, ask func(context.Context) (*entry, error)) (e *entry, err error) {
	defer func() {
		// No request's goroutine: nobody else would keep a panic over a strange token
		// from ending the process.
		if r := recover(); r != nil {
			e, err = nil, v.panicked(p, r)
		}
	}()
	slots := v.slots[p.ID]
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
		return nil, cannotCheck(p, fmt.Errorf("%d other tokens are being asked about: %w", maxLookups, ctx.Err()))
	}
	e, err = ask(ctx)
	var rejected *session.Rejected
	if errors.As(err, &rejected) {
		v.refuse(p, rejected)
		return &entry{refused: rejected}, nil
	}
	return e, err
}

// cannotCheck is the outcome when nobody can say what a token is worth.
func cannotCheck(p *provider.Provider, cause error) *session.Unavailable {
	return &session.Unavailable{
		Reason:     session.ReasonProviderUnavailable,
		Sentence:   "The access token cannot be checked right now. Please try again in a moment.",
		RetryAfter: time.Minute,
		Cause:      fmt.Errorf("provider %s: %w", p.ID, cause),
	}
}

func expired() *session.Rejected {
	return session.Reject(session.ReasonTokenExpired, "The access token has expired.", nil)
}

func invalid(cause error) *session.Rejected {
	return session.Reject(session.ReasonTokenInvalid, "The access token is not valid.", cause)
}

// quote prints audiences for the log, bounded.
func quote(list []string) string {
	const most = 200
	s := fmt.Sprintf("%q", list[:min(len(list), 10)])
	if len(s) > most || len(list) > 10 {
		return s[:min(len(s), most)] + "..."
	}
	return s
}

// warnings keeps one warning from being repeated for every token that a stranger
// sends.
type warnings struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// due says whether the warning was not given within the last minute.
func (w *warnings) due(about string, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if last, ok := w.last[about]; ok && now.Sub(last) < time.Minute {
		return false
	}
	if w.last == nil {
		w.last = make(map[string]time.Time)
	}
	w.last[about] = now
	return true
}
