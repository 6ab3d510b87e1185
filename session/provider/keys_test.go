package provider_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

// warm has the keys fetched by verifying a good token, and returns that.
func (r *rig) warm(t *testing.T) (token string) {
	t.Helper()
	token = r.sign(r.Key(), nil, nil)
	if _, err := r.verify(t, token); err != nil {
		t.Fatalf("a good token: %v", err)
	}
	return token
}

// strangersKey signs under a key id of the stranger's choice.
func strangersKey(id string) devprovider.Key {
	k := anyKey()
	k.ID = id
	return k
}

// anyKey is a key of a stranger; making one takes time.
var anyKey = sync.OnceValue(func() devprovider.Key { return devprovider.NewKey("ES256") })

// TestRandomKeyIDsDoNotMakeUsFetch: fifty tokens with key ids out of the air would
// be fifty fetches with go-oidc's own key set.
func TestRandomKeyIDsDoNotMakeUsFetch(t *testing.T) {
	r := start(t)
	good := r.warm(t)
	r.clock.Advance(10 * time.Second)
	for i := range 50 {
		_, err := r.verify(t, r.sign(strangersKey(fmt.Sprint("random-", i)), nil, nil))
		if i == 0 {
			// This one had the keys fetched: now it is certain.
			wantError(t, err, provider.ErrSignature)
			continue
		}
		// A key may have come since: it cannot be known, and is not called bad.
		if u := wantUnavailable(t, err); u.RetryAfter <= 0 || u.RetryAfter > 10*time.Second {
			t.Errorf("retry after %v, want within the ten seconds", u.RetryAfter)
		}
	}
	r.wantCalls(t, devprovider.KeySet, 2)
	if _, err := r.verify(t, good); err != nil {
		t.Errorf("a good token meanwhile: %v", err)
	}
	r.clock.Advance(10 * time.Second)
	_, err := r.verify(t, r.sign(strangersKey("random"), nil, nil))
	wantError(t, err, provider.ErrSignature)
	r.wantCalls(t, devprovider.KeySet, 3)
}

// TestBadSignaturesUnderAKnownKeyDoNotMakeUsFetch: whoever has seen one token
// knows a key id.
func TestBadSignaturesUnderAKnownKeyDoNotMakeUsFetch(t *testing.T) {
	r := start(t)
	r.warm(t)
	for i := range 20 {
		r.clock.Advance(11 * time.Second) // a fetch would be allowed
		_, err := r.verify(t, r.sign(strangersKey(r.Key().ID), nil, map[string]any{"n": i}))
		wantError(t, err, provider.ErrSignature)
	}
	r.wantCalls(t, devprovider.KeySet, 1)
}

// TestOtherAlgorithmUnderAKnownKeyDoesNotMakeUsFetch: the key id is known, the
// algorithm is not its key's; RFC 8725 section 3.1 has each key used with one.
func TestOtherAlgorithmUnderAKnownKeyDoesNotMakeUsFetch(t *testing.T) {
	r := start(t)
	r.warm(t)
	rsa := devprovider.NewKey("RS256")
	rsa.ID = r.Key().ID
	for range 3 {
		r.clock.Advance(11 * time.Second)
		_, err := r.verify(t, r.sign(rsa, nil, nil))
		wantError(t, err, provider.ErrSignature)
	}
	r.wantCalls(t, devprovider.KeySet, 1)
}

// TestTokensWithoutKeyIDDoNotMakeUsFetch: all keys are tried, and one look is
// taken in ten seconds.
func TestTokensWithoutKeyIDDoNotMakeUsFetch(t *testing.T) {
	r := start(t)
	r.warm(t)
	for range 20 {
		_, err := r.verify(t, r.sign(strangersKey(""), nil, nil))
		wantError(t, err, provider.ErrSignature)
	}
	r.wantCalls(t, devprovider.KeySet, 1)
	key := r.Key()
	key.ID = ""
	if _, err := r.verify(t, r.sign(key, nil, nil)); err != nil {
		t.Errorf("a good token without key id: %v", err)
	}
}

// TestMissingKeyIDAmongSeveralKeys: conformance modules
// oidcc-client-test-kid-absent-single-jwks and -multiple-jwks.
func TestMissingKeyIDAmongSeveralKeys(t *testing.T) {
	r := start(t)
	old := r.Key()
	fresh := r.RotateKeys()
	for _, key := range []devprovider.Key{old, fresh} {
		key.ID = ""
		if _, err := r.verify(t, r.sign(key, nil, nil)); err != nil {
			t.Errorf("%v", err)
		}
	}
	r.wantCalls(t, devprovider.KeySet, 1)
}

// TestKeysAreFetchedOnceForAHundredRequests: all with the same new key.
func TestKeysAreFetchedOnceForAHundredRequests(t *testing.T) {
	for _, c := range []struct {
		name string
		warm bool
		want int
	}{{"at first", false, 1}, {"after a rotation", true, 2}} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t)
			if c.warm {
				r.warm(t)
				r.RotateKeys()
				r.clock.Advance(10 * time.Second)
			}
			token := r.sign(r.Key(), nil, nil)
			hold := r.Hang(devprovider.KeySet)
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					u, _ := provider.Peek(token)
					if _, err := r.p.VerifyJWT(context.Background(), u); err != nil {
						t.Errorf("got %v, want a verified token", err)
					}
				})
			}
			<-hold.Arrived()
			hold.Release()
			wg.Wait()
			r.wantCalls(t, devprovider.KeySet, c.want)
		})
	}
}

// TestRotationIsPickedUp: conformance modules oidcc-client-test-signing-key-rotation
// and -just-before-signing.
func TestRotationIsPickedUp(t *testing.T) {
	r := start(t)
	old := r.warm(t)
	r.RotateKeys()
	fresh := r.sign(r.Key(), nil, nil)
	// Keys that were just fetched are not fetched again, and nothing is said of the
	// new token until they may be.
	_, err := r.verify(t, fresh)
	wantUnavailable(t, err)
	r.clock.Advance(10 * time.Second)
	for _, token := range []string{fresh, old, fresh} {
		if _, err := r.verify(t, token); err != nil {
			t.Errorf("after the rotation: %v", err)
		}
	}
	r.wantCalls(t, devprovider.KeySet, 2)
}

// TestWithdrawnKeyStopsWorkingWithinItsAge: go-oidc's own key set would accept it
// until some other token fails.
func TestWithdrawnKeyStopsWorkingWithinItsAge(t *testing.T) {
	r := start(t)
	r.cacheControl()
	withdrawn := r.Key()
	r.warm(t)
	r.RotateKeys()
	r.RetireKeys()
	old := func() error {
		_, err := r.verify(t, r.sign(withdrawn, nil, nil))
		return err
	}
	r.clock.Advance(30 * time.Minute)
	if err := old(); err != nil {
		t.Errorf("within the age of the keys: %v", err)
	}
	r.clock.Advance(30 * time.Minute)
	wantError(t, old(), provider.ErrSignature)
	r.wantCalls(t, devprovider.KeySet, 2)
	if _, err := r.verify(t, r.sign(r.Key(), nil, nil)); err != nil {
		t.Errorf("the new key: %v", err)
	}
	r.wantCalls(t, devprovider.KeySet, 2)
}

// TestAllKeysWithdrawn: an empty set is an answer, not a broken reply.
func TestAllKeysWithdrawn(t *testing.T) {
	r := start(t)
	r.warm(t)
	r.Override(devprovider.KeySet, devprovider.Answer(200, "application/json", `{"keys":[]}`))
	r.clock.Advance(time.Hour)
	_, err := r.verify(t, r.sign(r.Key(), nil, nil))
	wantError(t, err, provider.ErrSignature)
	r.Restore()
	r.clock.Advance(10 * time.Second)
	if _, err := r.verify(t, r.sign(r.Key(), nil, nil)); err != nil {
		t.Errorf("published again: %v", err)
	}
}

// TestKeysAreRenewedBesideRequests: in traffic nobody waits for keys that grow old.
func TestKeysAreRenewedBesideRequests(t *testing.T) {
	r := start(t)
	r.cacheControl()
	r.warm(t)
	withdrawn := r.Key()
	r.RotateKeys()
	r.RetireKeys()
	hold := r.Hang(devprovider.KeySet)
	r.clock.Advance(50 * time.Minute)
	old := func() error {
		_, err := r.verify(t, r.sign(withdrawn, nil, nil))
		return err
	}
	for range 3 {
		if err := old(); err != nil {
			t.Fatalf("while the renewal hangs: %v", err)
		}
	}
	<-hold.Arrived()
	r.wantCalls(t, devprovider.KeySet, 2)
	hold.Release()
	eventually(t, "the renewed keys are used", func() bool { return old() != nil })
	r.wantCalls(t, devprovider.KeySet, 2)
}

// TestStaleKeysServeAnOutage: tokens go on working while the provider is down, and
// nobody queues up behind a provider that hangs.
func TestStaleKeysServeAnOutage(t *testing.T) {
	for _, c := range []struct {
		name string
		fail http.HandlerFunc
	}{
		{"500", devprovider.Answer(500, "text/html", "")},
		{"a page", devprovider.Answer(200, "text/html", "<html>")},
		{"no keys member", devprovider.Answer(200, "application/json", `{"error":"x"}`)},
		{"no connection", devprovider.Drop},
		{"an oversized set", devprovider.Oversized(3 << 20)},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t)
			r.warm(t)
			r.Override(devprovider.KeySet, c.fail)
			for range 4 {
				r.clock.Advance(24 * time.Hour)
				if _, err := r.verify(t, r.sign(r.Key(), nil, nil)); err != nil {
					t.Errorf("while the provider is down: %v", err)
				}
				_, err := r.verify(t, r.sign(strangersKey(r.Key().ID), nil, nil))
				wantError(t, err, provider.ErrSignature)
				// A key id that is not known may be that of a new key.
				_, err = r.verify(t, r.sign(strangersKey("new"), nil, nil))
				wantUnavailable(t, err)
				_, err = r.verify(t, r.sign(strangersKey(""), nil, nil))
				wantUnavailable(t, err)
			}
			if c.name != "no connection" { // net/http tries twice where one was open
				r.wantCalls(t, devprovider.KeySet, 5)
			}
		})
	}
	t.Run("a provider that hangs is waited for once", func(t *testing.T) {
		r := start(t)
		r.warm(t)
		hold := r.Hang(devprovider.KeySet)
		r.clock.Advance(2 * time.Hour)
		ctx, giveUp := context.WithCancel(t.Context())
		done := make(chan error)
		verify := func(ctx context.Context) {
			u, _ := provider.Peek(r.sign(r.Key(), nil, nil))
			_, err := r.p.VerifyJWT(ctx, u)
			done <- err
		}
		go verify(ctx)
		<-hold.Arrived()
		giveUp()
		if err := <-done; err != nil {
			t.Errorf("who waited: %v, want the stale key to do", err)
		}
		hold.Release()
	})
}

// TestFailedFetchIsNotRepeatedForEachToken: an outage is no reason to hammer.
func TestFailedFetchIsNotRepeatedForEachToken(t *testing.T) {
	r := start(t)
	r.Fail(http.StatusServiceUnavailable, devprovider.KeySet)
	token := r.sign(r.Key(), nil, nil)
	for range 20 {
		_, err := r.verify(t, token)
		wantUnavailable(t, err)
	}
	r.wantCalls(t, devprovider.KeySet, 1)
	r.Restore()
	r.clock.Advance(10 * time.Second)
	if _, err := r.verify(t, token); err != nil {
		t.Errorf("after the outage: %v", err)
	}
}

// TestOutageOfDiscoveryIsNoFetchOfKeys: when the provider was away before anything
// was known of it, tokens work again as soon as discovery does.
func TestOutageOfDiscoveryIsNoFetchOfKeys(t *testing.T) {
	r := start(t)
	r.Fail(http.StatusServiceUnavailable, devprovider.Discovery)
	token := r.sign(r.Key(), nil, nil)
	_, err := r.verify(t, token)
	if u := wantUnavailable(t, err); u.RetryAfter != time.Second {
		t.Errorf("retry after %v, want discovery's own second", u.RetryAfter)
	}
	r.Restore()
	r.clock.Advance(time.Second)
	if _, err := r.verify(t, token); err != nil {
		t.Errorf("a second later: %v", err)
	}
}

func TestCacheControlBoundsTheAgeOfKeys(t *testing.T) {
	const min, max = 5 * time.Minute, 24 * time.Hour
	for _, c := range []struct {
		header []string
		want   time.Duration
	}{
		{nil, time.Hour},
		{[]string{"max-age=600"}, 10 * time.Minute},
		{[]string{"public, Max-Age=600"}, 10 * time.Minute},
		{[]string{"public", "max-age=600"}, 10 * time.Minute},
		{[]string{"max-age=0"}, min},
		{[]string{"max-age=10"}, min},
		{[]string{"no-store"}, min},
		{[]string{"no-cache, max-age=7200"}, min},
		{[]string{"max-age=31536000"}, max},
		{[]string{"max-age=99999999999999999999"}, max},
		{[]string{"max-age=-1"}, time.Hour},
		{[]string{"max-age=soon"}, time.Hour},
	} {
		t.Run(strings.Join(c.header, ";"), func(t *testing.T) {
			r := start(t)
			r.cacheControl(c.header...)
			withdrawn := r.Key()
			r.warm(t)
			// Nobody asks before they grow old, and a fifth before the end somebody does.
			r.clock.Advance(c.want*4/5 - time.Second)
			r.warm(t)
			r.wantCalls(t, devprovider.KeySet, 1)
			r.RotateKeys()
			r.RetireKeys()
			r.clock.Advance(c.want/5 + time.Second)
			_, err := r.verify(t, r.sign(withdrawn, nil, nil))
			wantError(t, err, provider.ErrSignature)
		})
	}
}

// cacheControl has the key set sent with that Cache-Control instead of the
// development provider's own no-store.
func (r *rig) cacheControl(values ...string) {
	real := r.Real(devprovider.KeySet)
	r.Override(devprovider.KeySet, func(w http.ResponseWriter, req *http.Request) { real(&withHeader{w, values}, req) })
}

// withHeader answers with that Cache-Control and no other.
type withHeader struct {
	http.ResponseWriter
	values []string
}

func (w *withHeader) WriteHeader(status int) {
	w.Header()["Cache-Control"] = w.values
	w.ResponseWriter.WriteHeader(status)
}

// TestKeyThatLandsBetweenTwoLooksIsUsed: a request that has read the old keys when
// another's fetch ends must not be told "just fetched, unknown key".
func TestKeyThatLandsBetweenTwoLooksIsUsed(t *testing.T) {
	r := start(t)
	r.warm(t)
	for range 20 {
		r.RotateKeys()
		r.clock.Advance(10 * time.Second)
		token := r.sign(r.Key(), nil, nil)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				u, _ := provider.Peek(token)
				_, err := r.p.VerifyJWT(context.Background(), u)
				var unavailable *session.Unavailable
				if errors.As(err, &unavailable) {
					t.Errorf("got %v, want a verified token", err)
				}
			})
		}
		wg.Wait()
	}
}
