package bearer

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/provider"
)

// checkHere finds out about a JWT about which nobody need be asked: its keys are known,
// and it says all that policies and headers use. That is done on the goroutine of its
// request, once for each of them, and the first time nothing is remembered. done is false
// when somebody has to be asked.
func (v *Verifier) checkHere(p *provider.Provider, raw *provider.Unverified, key key) (e *entry, done bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			e, done, err = nil, true, v.panicked(p, r)
		}
	}()
	epoch, asked := v.cache.epoch.Load(), v.Now()
	t, sure, err := p.VerifyHeldJWT(raw)
	if !sure {
		return nil, false, nil
	}
	var claim *jwtClaim
	if err == nil {
		claim, err = v.judgeJWT(p, t)
	} else {
		err = rejectJWT(err)
	}
	if err == nil && claim.asks {
		return nil, false, nil
	}
	again := p.Bearer.CacheMax > 0 && v.seen.again(key)
	var rejected *session.Rejected
	switch {
	case errors.As(err, &rejected):
		v.refuse(p, rejected)
		e = &entry{refused: rejected}
	case err != nil:
		return nil, true, err
	default:
		e = v.entryOfJWT(p, claim, nil, again)
		e.identity.Proof = session.Key(key)
	}
	result := resultOf(e, nil)
	v.Observer.LookedUp(p.ID, KindJWT, result)
	e.found = v.counts[sort{p.ID, KindJWT, result}]
	if again {
		v.cache.put(key, e, epoch, asked, p.Bearer.CacheMax)
	}
	return e, true, nil
}

// panicked is the outcome when a strange token has made something panic.
func (v *Verifier) panicked(p *provider.Provider, why any) *session.Unavailable {
	v.Log.Error("panic while checking a token", "provider", p.ID, "panic", fmt.Sprint(why), "stack", string(debug.Stack()))
	return cannotCheck(p, fmt.Errorf("panic: %v", why))
}

// refuse logs why a token is refused.
func (v *Verifier) refuse(p *provider.Provider, why *session.Rejected) {
	v.Log.Debug("token refused", "provider", p.ID, "reason", string(why.Reason), "cause", why.Cause)
}
