package bearer_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/bearer"
	"github.com/claimproxy/claimproxy/session/devprovider"
	"github.com/claimproxy/claimproxy/session/provider"
)

// TestRevocationIsSeenWhenCacheMaxHasPassed, and not a moment later.
func TestRevocationIsSeenWhenCacheMaxHasPassed(t *testing.T) {
	r := start(t)
	token := r.Issue("ada", "native", "openid").AccessToken
	first := r.wantIdentity(t, token)
	asked := r.asked()
	r.RevokeAll("ada")
	r.clock.Advance(cacheMax - time.Nanosecond)
	if id := r.wantIdentity(t, token); id != first {
		t.Error("another identity, want the one that was cached")
	}
	if r.asked() != asked {
		t.Errorf("the provider was asked %d times more", r.asked()-asked)
	}
	r.clock.Advance(time.Nanosecond)
	r.wantRejected(t, token, session.ReasonTokenInvalid)
}

// TestSlowLookupDoesNotLengthenTheCache: what counts is when the provider was
// asked. A token revoked while userinfo took eight seconds must not live those
// longer.
func TestSlowLookupDoesNotLengthenTheCache(t *testing.T) {
	r := start(t)
	token := r.Issue("ada", "native", "openid").AccessToken
	hold := r.Hang(devprovider.UserInfo)
	done := make(chan error)
	go func() {
		_, err := r.v.Verify(context.Background(), session.Presented{Token: token})
		done <- err
	}()
	<-hold.Arrived()
	r.clock.Advance(8 * time.Second)
	hold.Release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r.RevokeAll("ada")
	r.clock.Advance(cacheMax - 8*time.Second)
	r.wantRejected(t, token, session.ReasonTokenInvalid)
}

func TestCacheEndsWithTheToken(t *testing.T) {
	r := start(t, func(s *setup) { s.dev.AccessTokenLife = time.Minute })
	token := r.Issue("ada", "native", "openid").AccessToken
	r.wantIdentity(t, token)
	asked := r.asked()
	r.clock.Advance(time.Minute - time.Nanosecond)
	r.wantIdentity(t, token)
	if r.asked() != asked {
		t.Error("the provider was asked while the token was cached")
	}
	// Introspection goes on calling it active: the end that it told counts.
	r.introspectionSays(`{"active":true,"client_id":"native","exp":` + unix(r.clock.Now().Add(time.Nanosecond)) + `}`)
	r.clock.Advance(time.Nanosecond)
	r.wantRejected(t, token, session.ReasonTokenExpired)
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// TestTokenWithoutEndIsAskedAboutAgain: Doorkeeper's exp 0.
func TestTokenWithoutEndIsAskedAboutAgain(t *testing.T) {
	r := start(t)
	token := r.Issue("ada", "endless", "openid").AccessToken
	for n := range 3 {
		if id := r.wantIdentity(t, token); !id.Until.IsZero() {
			t.Errorf("until %v, want no end", id.Until)
		}
		r.wantCalls(t, devprovider.UserInfo, n+1)
		r.clock.Advance(cacheMax)
	}
	r.RevokeAll("ada")
	r.wantRejected(t, token, session.ReasonTokenInvalid)
}

func TestRefusalIsRememberedTenSeconds(t *testing.T) {
	r := start(t)
	for range 5 {
		r.wantRejected(t, "unknown", session.ReasonTokenInvalid)
	}
	asked := r.Calls(devprovider.Introspection)
	if asked != 4 { // once by each client
		t.Errorf("asked %d times, want 4", asked)
	}
	r.clock.Advance(10*time.Second - time.Nanosecond)
	r.wantRejected(t, "unknown", session.ReasonTokenInvalid)
	r.wantCalls(t, devprovider.Introspection, asked)
	r.clock.Advance(time.Nanosecond)
	r.wantRejected(t, "unknown", session.ReasonTokenInvalid)
	r.wantCalls(t, devprovider.Introspection, 2*asked)

	t.Run("and not longer than cache_max", func(t *testing.T) {
		r := start(t, func(s *setup) { s.provider.Bearer.CacheMax = time.Second })
		r.wantRejected(t, "unknown", session.ReasonTokenInvalid)
		r.clock.Advance(time.Second)
		r.wantRejected(t, "unknown", session.ReasonTokenInvalid)
		r.wantCalls(t, devprovider.Introspection, 8)
	})
	t.Run("a token that becomes good is good then", func(t *testing.T) {
		r := start(t)
		r.introspectionSays(`{"active":false}`)
		token := r.Issue("ada", "native", "openid").AccessToken
		r.wantRejected(t, token, session.ReasonTokenInvalid)
		r.Restore()
		r.clock.Advance(10 * time.Second)
		r.wantIdentity(t, token)
	})
	t.Run("without cache_max nothing is remembered", func(t *testing.T) {
		r := start(t, func(s *setup) { s.provider.Bearer.CacheMax = 0 })
		token := r.Issue("ada", "native", "openid").AccessToken
		for n := range 3 {
			r.wantIdentity(t, token)
			r.wantCalls(t, devprovider.UserInfo, n+1)
		}
	})
}

// TestChangedRightsAreSeenWithCacheMax: somebody leaves a group.
func TestChangedRightsAreSeenWithCacheMax(t *testing.T) {
	r := start(t)
	token := r.Issue("ada", "native", "openid").AccessToken
	r.wantIdentity(t, token)
	ada := r.Person("ada")
	ada.Groups = nil
	r.SetPerson(ada)
	r.clock.Advance(cacheMax)
	if groups, ok := r.wantIdentity(t, token).Claims["groups"].([]any); !ok || len(groups) != 0 {
		t.Errorf("groups %v, want none", groups)
	}
}

// TestOneLookupForAThousandWaiters: a desktop tool that starts with a new token
// sends many requests at once.
func TestOneLookupForAThousandWaiters(t *testing.T) {
	r := start(t)
	token := r.Issue("ada", "web", "openid").AccessToken
	hold := r.Hang(devprovider.UserInfo)
	identities := make(chan *session.Identity, 1000)
	var wg sync.WaitGroup
	for range cap(identities) {
		wg.Go(func() {
			id, err := r.v.Verify(context.Background(), session.Presented{Token: token})
			if err != nil {
				t.Error(err)
				return
			}
			identities <- id
		})
	}
	<-hold.Arrived()
	hold.Release()
	wg.Wait()
	close(identities)
	first := <-identities
	for id := range identities {
		if id != first {
			t.Fatal("two identities for one token")
		}
	}
	r.wantCalls(t, devprovider.Introspection, 1)
	r.wantCalls(t, devprovider.UserInfo, 1)
}

// TestWaiterWhoLeavesDoesNotCancelTheLookup, not even the one whose request began
// it.
func TestWaiterWhoLeavesDoesNotCancelTheLookup(t *testing.T) {
	r := start(t)
	token := r.Issue("ada", "web", "openid").AccessToken
	hold := r.Hang(devprovider.UserInfo)
	ask := func(ctx context.Context, result chan<- error) {
		_, err := r.v.Verify(ctx, session.Presented{Token: token})
		result <- err
	}
	impatient, leave := context.WithCancel(t.Context())
	left, stayed := make(chan error, 1), make(chan error, 1)
	go ask(impatient, left)
	<-hold.Arrived()
	go ask(t.Context(), stayed)
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("who left: got %v, want the context's error", err)
	}
	hold.Release()
	if err := <-stayed; err != nil {
		t.Errorf("who stayed: %v", err)
	}
	r.wantIdentity(t, token)
	r.wantCalls(t, devprovider.UserInfo, 1)
}

// TestTwoTokensAreTwoLookups: Traefik's CVE-2026-71326 gave one user's result to
// another.
func TestTwoTokensAreTwoLookups(t *testing.T) {
	r := start(t)
	ada, eve := r.Issue("ada", "native", "openid").AccessToken, r.Issue("eve", "native", "openid").AccessToken
	var wg sync.WaitGroup
	for range 50 {
		for token, want := range map[string]string{ada: "ada", eve: "eve"} {
			wg.Go(func() {
				id, err := r.v.Verify(context.Background(), session.Presented{Token: token})
				if err != nil || id.User != want {
					t.Errorf("got %v, %v, want %s", id, err, want)
				}
			})
		}
	}
	wg.Wait()
}

// TestLookupIsGivenUpAfterTenSeconds, all its calls together: introspection takes
// eight, userinfo would take eight more.
func TestLookupIsGivenUpAfterTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const issuer = "https://id.example"
		slow := roundTrip(func(req *http.Request) (*http.Response, error) {
			body := `{"active":true,"client_id":"web","sub":"1"}`
			switch req.URL.Path {
			case "/.well-known/openid-configuration":
				body = `{"issuer":"` + issuer + `","authorization_endpoint":"` + issuer + `/a","token_endpoint":"` + issuer +
					`/t","jwks_uri":"` + issuer + `/k","introspection_endpoint":"` + issuer + `/i","userinfo_endpoint":"` + issuer + `/u"}`
			default:
				select {
				case <-time.After(8 * time.Second):
				case <-req.Context().Done():
					return nil, req.Context().Err()
				}
			}
			return jsonReply(req, body), nil
		})
		p := provider.New(provider.Config{
			ID: "dev", Issuer: issuer, Client: provider.Client{ID: "web"}, Transport: slow,
			Bearer: provider.Bearer{AccessToken: true, CacheMax: time.Minute},
		})
		defer p.Close()
		v := bearer.New(bearer.Config{Providers: []*provider.Provider{p}})
		defer v.Close()
		began := time.Now()
		_, err := v.Verify(t.Context(), session.Presented{Token: "opaque"})
		var u *session.Unavailable
		if !errors.As(err, &u) {
			t.Errorf("got %v, want *session.Unavailable", err)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("given up after %v, want 10s", took)
		}
	})
}

// TestPanicOverATokenEndsTheLookupOnly: lookups run in goroutines of their own,
// where net/http does not catch anything.
func TestPanicOverATokenEndsTheLookupOnly(t *testing.T) {
	var h *fragile
	r := start(t, func(s *setup) {
		h = &fragile{s.verifier.Log.Handler()}
		s.verifier.Log = slog.New(h)
	})
	r.wantUnavailable(t, "unknown")
	if !strings.Contains(r.log.String(), "a strange token") {
		t.Error("the panic was not logged")
	}
	r.wantIdentity(t, r.Issue("ada", "web", "openid").AccessToken)
}

// fragile is a log that breaks when a token is refused.
type fragile struct{ slog.Handler }

func (f *fragile) Handle(ctx context.Context, rec slog.Record) error {
	if rec.Message == "token refused" {
		panic("a strange token")
	}
	return f.Handler.Handle(ctx, rec)
}

// TestClosedVerifierAsksNobody: lookups under way end with Close.
func TestClosedVerifierAsksNobody(t *testing.T) {
	r := start(t)
	token := r.Issue("ada", "web", "openid").AccessToken
	hold := r.Hang(devprovider.UserInfo)
	done := make(chan error)
	go func() {
		_, err := r.v.Verify(context.Background(), session.Presented{Token: token})
		done <- err
	}()
	<-hold.Arrived()
	r.v.Close()
	var u *session.Unavailable
	if err := <-done; !errors.As(err, &u) {
		t.Errorf("got %v, want *session.Unavailable", err)
	}
}

// TestFloodOfUnknownTokensLeavesRoomForSignIns: however many tokens a stranger makes
// up, no more than half of the provider's connections are busy with them, and good
// tokens are answered when there is room again.
func TestFloodOfUnknownTokensLeavesRoomForSignIns(t *testing.T) {
	r := start(t)
	good := r.Issue("ada", "web", "openid").AccessToken
	hold := r.Hang(devprovider.Introspection)
	var wg sync.WaitGroup
	for n := range 200 {
		wg.Go(func() {
			_, _ = r.v.Verify(context.Background(), session.Presented{Token: "made-up-" + strconv.Itoa(n)})
		})
	}
	for range 32 {
		<-hold.Arrived()
	}
	select {
	case <-hold.Arrived():
		t.Error("more than 32 tokens are asked about at once")
	default:
	}
	hold.Release()
	wg.Wait()
	r.wantIdentity(t, good)
}
