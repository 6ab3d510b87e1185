package bearer_test

import (
	"context"
	"testing"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/devprovider"
)

// TestARevokedTokenIsDeadWhenItsPersonIsForgotten, and not only when cache_max has
// passed; nobody else is asked about again.
func TestARevokedTokenIsDeadWhenItsPersonIsForgotten(t *testing.T) {
	r := start(t)
	ada, eve := r.Issue("ada", "native", "openid").AccessToken, r.Issue("eve", "native", "openid").AccessToken
	first := r.wantIdentity(t, ada)
	r.wantIdentity(t, eve)
	r.RevokeAll("ada")
	asked := r.asked()
	r.v.Forget(first.Issuer, "somebody")
	r.v.Forget("https://other.example", first.Subject)
	r.wantIdentity(t, ada)
	if r.asked() != asked {
		t.Error("a token of somebody else was forgotten")
	}
	r.v.Forget(first.Issuer, first.Subject)
	r.wantRejected(t, ada, session.ReasonTokenInvalid)
	asked = r.asked()
	r.wantIdentity(t, eve)
	if r.asked() != asked {
		t.Error("eve's token was forgotten too")
	}
}

// TestALookupFromBeforeIsNotKept: what it saw may be what was to be forgotten, and who
// comes afterwards does not wait for it.
func TestALookupFromBeforeIsNotKept(t *testing.T) {
	r := start(t)
	token := r.Issue("ada", "native", "openid").AccessToken
	hold := r.Hang(devprovider.UserInfo)
	done := make(chan error)
	go func() {
		_, err := r.v.Verify(context.Background(), session.Presented{Token: token})
		done <- err
	}()
	<-hold.Arrived()
	r.v.Forget(r.Issuer(), "1")
	after := make(chan error)
	go func() {
		_, err := r.v.Verify(context.Background(), session.Presented{Token: token})
		after <- err
	}()
	<-hold.Arrived() // for the second time: it asks for itself
	hold.Release()
	for _, c := range []chan error{done, after} {
		if err := <-c; err != nil {
			t.Fatal(err)
		}
	}
	r.v.Forget(r.Issuer(), "1")
	r.RevokeAll("ada")
	r.wantRejected(t, token, session.ReasonTokenInvalid)
}
