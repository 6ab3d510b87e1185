package signin

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session/devprovider"
)

func TestATokenIsRenewedBeforeItEnds(t *testing.T) {
	w := newWorld(t)
	w.mustLogin()
	before := w.mustToken(w.agent)
	if again := w.mustToken(w.agent); again != before || w.idp.Calls(devprovider.Token) != 1 {
		t.Errorf("a good token was renewed")
	}
	w.agent.Now = func() time.Time { return before.Expiry.Add(-margin) }
	after := w.mustToken(w.agent)
	if after.AccessToken == before.AccessToken || w.idp.Calls(devprovider.Token) != 2 {
		t.Errorf("got the same token, want another one half a minute before it ends")
	}
	w.wantNoSecrets(w.noted())
}

// TestTwoTerminalsAtOnceDoNotLoseTheToken: the provider rotates refresh tokens, and whoever
// sends the old one has lost.
func TestTwoTerminalsAtOnceDoNotLoseTheToken(t *testing.T) {
	w := newWorld(t)
	w.mustLogin()
	at := w.mustToken(w.agent).Expiry
	var all sync.WaitGroup
	var mu sync.Mutex
	got := map[string]int{}
	for range 8 {
		terminal := w.onMachine(w.agent.Dir)
		terminal.Now = func() time.Time { return at.Add(-time.Second) }
		all.Go(func() {
			token, err := terminal.Token(context.Background(), w.app.url)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			got[token.AccessToken]++
		})
	}
	all.Wait()
	// For these clocks a new token, two hours long, has begun two hours ago: each renews
	// it anew unless another has just done so.
	if w.mustToken(w.agent).AccessToken == "" || len(got) == 0 || got[""] != 0 {
		t.Errorf("got %v", got)
	}
	if n := w.idp.Calls(devprovider.Token); n > 1+8 {
		t.Errorf("the provider was asked %d times", n)
	}
}

// TestATokenIsKeptBeforeItIsUsed, also when the person presses ctrl-C while the provider is
// being asked: the old refresh token is dead by then.
func TestATokenIsKeptBeforeItIsUsed(t *testing.T) {
	w := newWorld(t)
	w.mustLogin()
	old := w.noted().Tokens
	ctx, ctrlC := context.WithCancel(t.Context())
	w.idp.Override(devprovider.Token, func(rw http.ResponseWriter, r *http.Request) {
		ctrlC()
		w.idp.Real(devprovider.Token)(rw, r)
	})
	w.agent.Now = func() time.Time { return old.Expiry }
	if _, err := w.agent.Token(ctx, w.app.url); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	kept := w.noted().Tokens
	if kept.Refresh == old.Refresh || kept.Access == old.Access {
		t.Error("the new tokens are lost")
	}
	w.agent.Now = nil
	w.mustToken(w.agent)
}

func TestAnOutageCostsNoLogin(t *testing.T) {
	w := newWorld(t)
	w.mustLogin()
	at := w.mustToken(w.agent).Expiry
	w.agent.Now = func() time.Time { return at }
	for _, status := range []int{http.StatusInternalServerError, http.StatusBadGateway, http.StatusTooManyRequests, http.StatusFound} {
		w.idp.Fail(status, devprovider.Token)
		_, err := w.agent.Token(t.Context(), w.app.url)
		wantError(t, err, "cannot be renewed now")
	}
	w.idp.Restore()
	w.idp.Fail(http.StatusBadGateway, devprovider.Discovery)
	_, err := w.agent.Token(t.Context(), w.app.url)
	wantError(t, err)
	w.idp.Restore()
	w.mustToken(w.agent)
}

func TestALoginThatHasEndedSaysSo(t *testing.T) {
	w := newWorld(t)
	w.mustLogin()
	at := w.mustToken(w.agent).Expiry
	w.agent.Now = func() time.Time { return at }
	w.idp.RevokeAll("ada")
	_, err := w.agent.Token(t.Context(), w.app.url)
	wantError(t, err, "the sign-in has ended", "claimproxy login "+w.app.url)

	w.idp.SetClient(devprovider.Client{ID: "tool", Native: true, NoRefresh: true, RedirectURIs: []string{"http://127.0.0.1/back"}})
	w.agent.Now = nil
	w.mustLogin()
	w.mustToken(w.agent)
	w.agent.Now = func() time.Time { return at.Add(time.Hour) }
	_, err = w.agent.Token(t.Context(), w.app.url)
	wantError(t, err, "gave none to renew it with")
}

func TestAKeyringThatGoesAwayIsSaid(t *testing.T) {
	w := newWorld(t)
	w.mustLogin()
	w.ring.broken = errors.New("locked")
	_, err := w.agent.Token(t.Context(), w.app.url)
	wantError(t, err, "the keyring", "locked")
	w.ring.broken = nil
	w.mustToken(w.agent)
	w.ring.secrets[w.app.url] = "{"
	_, err = w.agent.Token(t.Context(), w.app.url)
	wantError(t, err, "not claimproxy's")
	delete(w.ring.secrets, w.app.url)
	_, err = w.agent.Token(t.Context(), w.app.url)
	wantError(t, err, "any more")
	if err := w.agent.Logout(t.Context(), w.app.url); err != nil {
		t.Error(err)
	}
	if files, _ := filepath.Glob(w.agent.Dir + "/*.json"); len(files) != 0 {
		t.Errorf("got %v", files)
	}
}
