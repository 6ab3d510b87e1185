package main

import (
	"errors"
	"net/http"
	"testing"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/login"
	"github.com/claimproxy/claimproxy/session/provider"
)

// sameSession is sessions in which everybody is the same person.
type sameSession struct {
	login.Sessions
	id  *session.Identity
	err error
}

func (s sameSession) Identify(*http.Request) (*session.Identity, error) { return s.id, s.err }
func (s sameSession) Look(*http.Request) (*session.Identity, error)     { return s.id, s.err }

// TestAProviderThatWasTakenAwayVouchesForNobody, and neither does one that stands for
// another issuer now; a session of the one that is there goes on.
func TestAProviderThatWasTakenAwayVouchesForNobody(t *testing.T) {
	there := provider.New(provider.Config{ID: "there", Issuer: "https://there.example"})
	defer there.Close()
	for name, test := range map[string]struct {
		id   *session.Identity
		want session.Reason
	}{
		"the one that is there": {&session.Identity{Provider: "there", Issuer: "https://there.example"}, ""},
		"one that is gone":      {&session.Identity{Provider: "gone", Issuer: "https://gone.example"}, session.ReasonSessionEnded},
		"another issuer":        {&session.Identity{Provider: "there", Issuer: "https://before.example"}, session.ReasonSessionEnded},
		"no provider at all":    {&session.Identity{}, session.ReasonSessionEnded},
	} {
		t.Run(name, func(t *testing.T) {
			sessions := sessionsOf(sameSession{id: test.id}, []*provider.Provider{there})
			for _, ask := range []func(*http.Request) (*session.Identity, error){sessions.Identify, sessions.Look} {
				got, err := ask(nil)
				var rejected *session.Rejected
				switch {
				case test.want == "" && (err != nil || got != test.id):
					t.Errorf("got %v", err)
				case test.want != "" && (!errors.As(err, &rejected) || rejected.Reason != test.want || got != nil):
					t.Errorf("got %v, want %s", err, test.want)
				}
			}
		})
	}
	down := &session.Unavailable{Reason: session.ReasonStoreUnavailable}
	if _, err := sessionsOf(sameSession{err: down}, nil).Identify(nil); !errors.Is(err, down) {
		t.Errorf("got %v, want what the store said", err)
	}
}
