package login_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/login"
	"github.com/claimproxy/claimproxy/session/provider"
	"github.com/claimproxy/claimproxy/session/storetest"
)

const (
	recheck = 10 * time.Minute
	grace   = time.Hour
)

// kept is somebody's session in a store that renews it at a development provider.
type kept struct {
	*devprovider.Server
	store   *session.Store
	backend session.Backend
	sealer  *session.Sealer
	renewer *login.Renewer
	clock   *storetest.Clock
	cookie  string
	told    renewals
}

// signedIn signs ada in.
func signedIn(t *testing.T, change ...func(*devprovider.Options)) *kept {
	t.Helper()
	k := &kept{clock: storetest.NewClock(), backend: session.NewMemory()}
	o := devprovider.Options{
		Algorithm: "ES256", Now: k.clock.Now, AccessTokenLife: 2 * time.Hour,
		People: []devprovider.Person{
			{Name: "ada", Email: "ada@kde.example", Groups: []string{"teams/kde-developers", "teams/ev"}},
			{Name: "eve"},
		},
		Clients: []devprovider.Client{{ID: "web", Secret: "s3cret", RedirectURIs: []string{"https://app.example/cb"}}},
	}
	for _, f := range change {
		f(&o)
	}
	k.Server = devprovider.NewServer(o)
	t.Cleanup(k.Close)
	p := provider.New(provider.Config{
		ID: "dev", Name: "Development", Issuer: k.Issuer(), UserClaim: "preferred_username", Now: k.clock.Now,
		Client: provider.Client{ID: "web", Secret: "s3cret"}, RedirectURI: "https://app.example/cb",
	})
	t.Cleanup(p.Close)
	var err error
	if k.sealer, err = session.NewSealer([][]byte{[]byte(strings.Repeat("state secret ", 4))}); err != nil {
		t.Fatal(err)
	}
	k.renewer = login.NewRenewer([]*provider.Provider{p}, k.clock.Now, slog.New(slog.DiscardHandler), &k.told)
	k.store = k.replica(t)

	tokens := k.Issue("ada", "web", "openid profile email")
	info, err := p.UserInfo(t.Context(), tokens.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	id := &session.Identity{Provider: "dev", Issuer: k.Issuer(), Subject: "1", ClientID: "web", Auth: session.AuthBrowser, User: "ada"}
	id.Claims, id.Origins = session.Merge(
		session.Layer{Source: session.SourceIDToken, Claims: session.Claims{"sub": "1", "groups_direct": []any{"teams/ev"}, "sid": "s-1"}},
		session.Layer{Source: session.SourceUserInfo, Claims: info})
	id.SetVirtual()
	rec := &session.Record{Identity: id, AccessToken: tokens.AccessToken, RefreshToken: tokens.RefreshToken, IDToken: tokens.IDToken}
	if tokens.ExpiresIn > 0 {
		rec.AccessExpiry = k.clock.Now().Add(tokens.ExpiresIn)
	}
	w := httptest.NewRecorder()
	if err := k.store.Start(w, k.request(), rec); err != nil {
		t.Fatal(err)
	}
	k.cookie = w.Result().Cookies()[0].String()
	return k
}

// replica is another store over the same backend, as another process has it.
func (k *kept) replica(t *testing.T) *session.Store {
	t.Helper()
	s, err := session.NewStore(session.StoreOptions{
		Backend: k.backend, Sealer: k.sealer, CookieName: "claimproxy", Secure: true,
		Idle: 24 * time.Hour, Lifetime: 7 * 24 * time.Hour, Renewer: k.renewer, Recheck: recheck, Grace: grace,
		Now: k.clock.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func (k *kept) request() *http.Request {
	r := httptest.NewRequest("GET", "https://app.example/", nil)
	if k.cookie != "" {
		name, value, _ := strings.Cut(strings.SplitN(k.cookie, ";", 2)[0], "=")
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

func (k *kept) groups(t *testing.T) []any {
	t.Helper()
	id, err := k.store.Identify(k.request())
	if err != nil {
		t.Fatalf("got %v, want the session to go on", err)
	}
	groups, _ := id.Claims["groups"].([]any)
	return groups
}

func (k *kept) wantOver(t *testing.T, reason session.Reason) *session.Rejected {
	t.Helper()
	_, err := k.store.Identify(k.request())
	var rejected *session.Rejected
	if !errors.As(err, &rejected) || rejected.Reason != reason {
		t.Fatalf("got %v, want it over as %s", err, reason)
	}
	return rejected
}

func (k *kept) wantUnavailable(t *testing.T) {
	t.Helper()
	_, err := k.store.Identify(k.request())
	var u *session.Unavailable
	if !errors.As(err, &u) {
		t.Fatalf("got %v, want *session.Unavailable", err)
	}
}

func (k *kept) set(name string, change func(*devprovider.Person)) {
	p := k.Person(name)
	change(&p)
	k.SetPerson(p)
}

func (k *kept) wantCalls(t *testing.T, name devprovider.Endpoint, want int) {
	t.Helper()
	if got := k.Calls(name); got != want {
		t.Errorf("calls of %s: got %d, want %d", name, got, want)
	}
}

// TestLostGroupIsLostWithinRecheck: CVE-2021-41230, claims that change after login.
func TestLostGroupIsLostWithinRecheck(t *testing.T) {
	k := signedIn(t)
	k.set("ada", func(p *devprovider.Person) { p.Groups = []string{"teams/ev"} })
	k.clock.Advance(recheck - time.Nanosecond)
	if got := k.groups(t); len(got) != 2 {
		t.Errorf("before recheck: got %v", got)
	}
	asked := k.Calls(devprovider.UserInfo)
	k.clock.Advance(time.Nanosecond)
	for range 3 {
		if got := k.groups(t); len(got) != 1 || got[0] != "teams/ev" {
			t.Errorf("after recheck: got %v", got)
		}
	}
	k.wantCalls(t, devprovider.UserInfo, asked+1)
	k.wantCalls(t, devprovider.Token, 0)
	// What comes back is there with the next one.
	k.set("ada", func(p *devprovider.Person) { p.Groups = []string{"teams/ev", "teams/new"} })
	k.clock.Advance(recheck)
	if got := k.groups(t); len(got) != 2 {
		t.Errorf("a group that was added: got %v", got)
	}
}

// TestClaimThatIsGoneDoesNotComeBackFromTheLogin: userinfo spoke of groups and does not
// any more; those of the ID token are older.
func TestClaimThatIsGoneDoesNotComeBackFromTheLogin(t *testing.T) {
	k := signedIn(t)
	k.Rewrite(devprovider.UserInfoClaims, func(c map[string]any) { delete(c, "groups"); delete(c, "email") })
	k.clock.Advance(recheck)
	id, err := k.store.Identify(k.request())
	if err != nil {
		t.Fatal(err)
	}
	if id.Claims["groups"] != nil || id.Claims["email"] != nil {
		t.Errorf("got groups %v and email %v, want none", id.Claims["groups"], id.Claims["email"])
	}
	if id.Claims["groups_direct"] == nil || id.Claims["sid"] != "s-1" || id.Subject != "1" || id.Claims["provider"] != "dev" {
		t.Errorf("what the ID token alone said is gone: %v", id.Claims)
	}
}

// TestExpiredAccessTokenIsRefreshedOnce, however many requests come, on two replicas:
// providers end the whole grant when a refresh token is used twice.
func TestExpiredAccessTokenIsRefreshedOnce(t *testing.T) {
	k := signedIn(t)
	second := k.replica(t)
	k.clock.Advance(3 * time.Hour)
	var failed atomic.Int64
	var wg sync.WaitGroup
	for i := range 50 {
		store := []*session.Store{k.store, second}[i%2]
		wg.Go(func() {
			id, err := store.Identify(k.request())
			if err != nil || id.User != "ada" {
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	if failed.Load() != 0 {
		t.Errorf("%d of 50 requests failed", failed.Load())
	}
	k.wantCalls(t, devprovider.Token, 1)
	// And again with the rotated token.
	k.clock.Advance(3 * time.Hour)
	k.groups(t)
	k.wantCalls(t, devprovider.Token, 2)
}

// TestRevokedGrantEndsTheSession for good, at the next recheck.
func TestRevokedGrantEndsTheSession(t *testing.T) {
	k := signedIn(t)
	k.RevokeAll("ada")
	k.groups(t)
	k.clock.Advance(recheck)
	k.wantOver(t, session.ReasonSessionEnded)
	k.wantOver(t, session.ReasonSessionEnded)
}

// TestBlockedPersonHasNoGrace: GitLab answers 500 for people who are blocked, and for
// them alone (contract: a 5xx for one person is 503 for that person).
func TestBlockedPersonHasNoGrace(t *testing.T) {
	for name, wait := range map[string]time.Duration{"while the access token lives": recheck, "when it has to be refreshed": 3 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			k := signedIn(t)
			k.set("ada", func(p *devprovider.Person) { p.Blocked = true })
			k.groups(t)
			k.clock.Advance(wait)
			k.wantUnavailable(t)
			k.wantUnavailable(t)
			k.set("ada", func(p *devprovider.Person) { p.Blocked = false })
			k.clock.Advance(time.Minute)
			k.groups(t)
		})
	}
}

// TestOutageLeavesSessionsGoodUntilTheGraceEnds, and they go on when it is over.
func TestOutageLeavesSessionsGoodUntilTheGraceEnds(t *testing.T) {
	k := signedIn(t)
	k.Fail(http.StatusBadGateway, devprovider.UserInfo, devprovider.Token)
	k.clock.Advance(recheck)
	k.groups(t)
	asked := k.Calls(devprovider.UserInfo)
	for range 20 {
		k.groups(t)
	}
	k.wantCalls(t, devprovider.UserInfo, asked)
	k.clock.Advance(grace - time.Nanosecond)
	k.groups(t)
	k.clock.Advance(time.Nanosecond)
	k.wantUnavailable(t)
	k.Restore()
	k.clock.Advance(time.Minute)
	k.groups(t)
}

// TestWithoutRefreshTokenTheAccessTokensEndIsTheSessions.
func TestWithoutRefreshTokenTheAccessTokensEndIsTheSessions(t *testing.T) {
	k := signedIn(t, func(o *devprovider.Options) { o.Clients[0].NoRefresh = true })
	k.clock.Advance(time.Hour)
	k.groups(t) // userinfo does
	k.clock.Advance(90 * time.Minute)
	rejected := k.wantOver(t, session.ReasonSessionExpired)
	var unchecked *session.Unchecked
	if !errors.As(rejected, &unchecked) || unchecked.Provider != "dev" {
		t.Errorf("got the cause %v, want *session.Unchecked", rejected.Cause)
	}
	k.wantCalls(t, devprovider.Token, 0)
}

// TestLostReplyDoesNotSignOut: the provider has not rotated, or honours the old token
// until the new one is used, as Doorkeeper does by default.
func TestLostReplyDoesNotSignOut(t *testing.T) {
	k := signedIn(t)
	for range 11 {
		k.clock.Advance(recheck)
		k.groups(t)
	}
	k.Override(devprovider.Token, devprovider.Drop)
	k.clock.Advance(recheck)
	k.groups(t) // grace
	k.Restore()
	k.clock.Advance(time.Minute)
	k.groups(t)
	k.clock.Advance(recheck)
	k.groups(t)
	if got := k.Calls(devprovider.Token); got != 2 {
		t.Errorf("the token endpoint was asked %d times, want 2", got)
	}
}

// TestFormerTokenIsTriedLast: an older state of the store has come back.
func TestFormerTokenIsTriedLast(t *testing.T) {
	k := signedIn(t)
	rec, err := k.store.Record(k.request())
	if err != nil {
		t.Fatal(err)
	}
	rec.FormerRefreshToken, rec.RefreshToken = rec.RefreshToken, "one that the provider does not know"
	if err := k.store.Update(k.request(), rec); err != nil {
		t.Fatal(err)
	}
	k.clock.Advance(3 * time.Hour)
	k.groups(t)
	k.wantCalls(t, devprovider.Token, 2)
}

// TestRotatedTokensSurviveAFailureAfterTheRefresh: userinfo fails when the tokens have
// been rotated already.
func TestRotatedTokensSurviveAFailureAfterTheRefresh(t *testing.T) {
	k := signedIn(t)
	k.Fail(http.StatusBadGateway, devprovider.UserInfo)
	k.clock.Advance(3 * time.Hour)
	k.wantUnavailable(t) // the grace is over
	k.wantCalls(t, devprovider.Token, 1)
	k.Restore()
	k.clock.Advance(time.Minute)
	k.groups(t)
	k.wantCalls(t, devprovider.Token, 1)
}

// TestRefreshedIDTokenOfSomebodyElseEndsTheSession (OpenID Connect Core section 12.2).
func TestRefreshedIDTokenOfSomebodyElseEndsTheSession(t *testing.T) {
	for name, forge := range map[string]func(map[string]any){
		"another sub":      func(c map[string]any) { c["sub"] = "2" },
		"another audience": func(c map[string]any) { c["aud"] = "stranger" },
		"another issuer":   func(c map[string]any) { c["iss"] = "https://evil.example" },
		"another nonce":    func(c map[string]any) { c["nonce"] = "forged" },
	} {
		t.Run(name, func(t *testing.T) {
			k := signedIn(t)
			k.Rewrite(devprovider.IDTokenClaims, forge)
			k.clock.Advance(3 * time.Hour)
			k.wantOver(t, session.ReasonSessionEnded)
		})
	}
}

// TestUserInfoOfSomebodyElseEndsTheSession (Core section 5.3.2).
func TestUserInfoOfSomebodyElseEndsTheSession(t *testing.T) {
	k := signedIn(t)
	k.Rewrite(devprovider.UserInfoClaims, func(c map[string]any) { c["sub"] = "2" })
	k.clock.Advance(recheck)
	k.wantOver(t, session.ReasonSessionEnded)
}

// TestRequestThatLeavesDoesNotLoseTheRefresh that it has begun.
func TestRequestThatLeavesDoesNotLoseTheRefresh(t *testing.T) {
	k := signedIn(t)
	hold := k.Hang(devprovider.Token)
	k.clock.Advance(3 * time.Hour)
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan struct{})
	go func() {
		defer close(left)
		_, _ = k.store.Identify(k.request().WithContext(ctx))
	}()
	<-hold.Arrived()
	leave()
	<-left
	hold.Release()
	k.groups(t)
	k.wantCalls(t, devprovider.Token, 1)
}
