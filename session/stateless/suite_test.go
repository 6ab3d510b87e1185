package stateless_test

import (
	"testing"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/stateless"
	"github.com/claimproxy/claimproxy/session/storetest"
)

func TestStore(t *testing.T) {
	storetest.RunStoreTests(t, func(*testing.T) storetest.Maker {
		return func(t *testing.T, o storetest.Options) storetest.Store {
			return open(t, stateless.Options{
				Sealer: sealer(t, o.Secrets...), CookieName: "claimproxy", Secure: o.Secure, SameSite: o.SameSite,
				Idle: o.Idle, Lifetime: o.Lifetime, CacheBytes: o.CacheBytes, Now: o.Now,
			})
		}
	})
}

func open(t testing.TB, o stateless.Options) *stateless.Store {
	t.Helper()
	s, err := stateless.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sealer(t testing.TB, secrets ...[]byte) *session.Sealer {
	t.Helper()
	s, err := session.NewSealer(secrets)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
