package bearer_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// guesses count what they are told, and let an address wait that has failed too often.
type guesses struct {
	mu     sync.Mutex
	failed map[string]int
	most   int
}

func (g *guesses) Wait(client string) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if client != "" && g.failed[client] >= g.most {
		return 7 * time.Second
	}
	return 0
}

func (g *guesses) Failed(client string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failed[client]++
}

// TestTokenGuessingFlood: the provider is not asked about more guesses of an address than
// it may make, while tokens that are known to be good go on working there, and new ones
// everywhere else.
func TestTokenGuessingFlood(t *testing.T) {
	g := &guesses{failed: map[string]int{}, most: 5}
	r := start(t, func(s *setup) { s.verifier.Guesses = g })
	from := func(client, token string) (*session.Identity, error) {
		return r.v.Verify(t.Context(), session.Presented{Token: token, Client: client, Host: "api.example", Path: "/x"})
	}
	const office, elsewhere = "203.0.113.7", "203.0.113.8"
	known, fresh, signed := r.Issue("ada", "web", "openid").AccessToken, r.Issue("ada", "web", "openid").AccessToken, r.sign(map[string]any{"groups": []any{"a"}})
	forged := signed[:len(signed)-8] + "AAAAAAAA"
	if _, err := from(office, known); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		id, err := from(office, fmt.Sprint("guess-", i))
		wantReason(t, id, err, session.ReasonTokenInvalid)
	}
	if _, err := from(elsewhere, signed); err != nil { // the keys are here then
		t.Fatal(err)
	}
	asked := r.asked()
	for what, token := range map[string]string{"another guess": "guess-x", "a good one that is not known": fresh, "a bad JWT": forged} {
		id, err := from(office, token)
		var u *session.Unavailable
		if !errors.As(err, &u) || u.Reason != session.ReasonTooManyRequests || u.RetryAfter != 7*time.Second || u.Sentence == "" || id != nil {
			t.Errorf("%s: got %v, %v", what, id, err)
		}
	}
	if got := r.asked(); got != asked {
		t.Errorf("the provider was asked %d times more", got-asked)
	}
	if id, err := from(office, known); err != nil || id == nil {
		t.Errorf("a token that is known to be good, from the same address: %v", err)
	}
	id, err := from(office, "guess-1")
	wantReason(t, id, err, session.ReasonTokenInvalid) // that is known, too
	if _, err := from(elsewhere, fresh); err != nil {
		t.Errorf("from another address: %v", err)
	}
	if _, err := from(office, fresh); err != nil {
		t.Errorf("what another address has shown is known: %v", err)
	}
	if _, err := from("", r.Issue("ada", "web", "openid").AccessToken); err != nil {
		t.Errorf("from nobody's address: %v", err)
	}
	for what, token := range map[string]string{"for the first time": r.sign(map[string]any{"groups": []any{"a"}, "jti": "new"}), "again": signed} {
		if _, err := from(office, token); err != nil {
			t.Errorf("a good JWT, %s, about which nobody need be asked: %v", what, err)
		}
	}
}

// TestRepeatedTokensAreNoGuesses: a program that sends one bad token all day guesses
// nothing, nor does one whose ID token is over, or that sends what is no token.
func TestRepeatedTokensAreNoGuesses(t *testing.T) {
	g := &guesses{failed: map[string]int{}, most: 5}
	r := start(t, func(s *setup) {
		s.verifier.Guesses = g
		s.provider.Bearer.IDTokenHeader = "X-ID-Token"
	})
	good := r.Issue("ada", "web", "openid").AccessToken
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			_, _ = r.v.Verify(t.Context(), session.Presented{Token: "bad", Client: "203.0.113.7"})
		})
	}
	all.Wait()
	for i := range 20 {
		_, _ = r.v.Verify(t.Context(), session.Presented{Token: "no token", Client: "203.0.113.7"})
		if _, err := r.v.Verify(t.Context(), session.Presented{
			Token: good, Client: "203.0.113.7", Header: http.Header{"X-Id-Token": {fmt.Sprint("over-", i)}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	if got := g.failed["203.0.113.7"]; got != 1 {
		t.Errorf("got %d failures, want 1", got)
	}
}
