// Package storetest is the suite that every store of sessions passes: what a browser's
// session is, and the attacks on it, which must fail whatever keeps the sessions; and for
// those that keep them in a session.Backend its rules, and the attacks on what is more
// there.
package storetest

import (
	"testing"

	"github.com/claimproxy/claimproxy/session"
)

// RunTests runs the whole suite for a session.Backend. open returns an empty backend for
// one test, and closes it with t.Cleanup.
func RunTests(t *testing.T, open func(t *testing.T) session.Backend) {
	RunStoreTests(t, func(t *testing.T) Maker {
		b := open(t)
		return func(t *testing.T, o Options) Store {
			sealer, err := session.NewSealer(o.Secrets)
			if err != nil {
				t.Fatal(err)
			}
			return openStore(t, session.StoreOptions{
				Backend: b, Sealer: sealer, CookieName: "claimproxy", Secure: o.Secure, SameSite: o.SameSite,
				Idle: o.Idle, Lifetime: o.Lifetime, CacheBytes: o.CacheBytes, Now: o.Now,
			})
		}
	})
	t.Run("Backend", func(t *testing.T) { runGroup(t, open, backendTests) })
	t.Run("Index", func(t *testing.T) { runGroup(t, open, indexTests) })
	t.Run("Session", func(t *testing.T) { runGroup(t, open, sessionTests) })
	t.Run("Lifetime", func(t *testing.T) { runGroup(t, open, lifetimeTests) })
	t.Run("AttackOnEnding", func(t *testing.T) { runGroup(t, open, endingTests) })
	t.Run("AttackOnLifecycle", func(t *testing.T) { runGroup(t, open, lifecycleTests) })
	t.Run("AttackOnCookie", func(t *testing.T) { runGroup(t, open, cookieTests) })
	t.Run("Hosts", func(t *testing.T) { runGroup(t, open, hostTests) })
}

// RunStoreTests runs the part of the suite that is about browsers alone, for any store.
// open returns a maker of stores of one empty installation.
func RunStoreTests(t *testing.T, open func(t *testing.T) Maker) {
	t.Run("Store", func(t *testing.T) { runStoreGroup(t, open, storeTests) })
	t.Run("AttackOnStore", func(t *testing.T) { runStoreGroup(t, open, attackTests) })
}

// storeTest is one test with an installation of its own.
type storeTest struct {
	name string
	run  func(t *testing.T, m Maker)
}

func runStoreGroup(t *testing.T, open func(t *testing.T) Maker, tests []storeTest) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.run(t, open(t))
		})
	}
}

// test is one test with a backend of its own.
type test struct {
	name string
	run  func(t *testing.T, b session.Backend)
}

func runGroup(t *testing.T, open func(t *testing.T) session.Backend, tests []test) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.run(t, open(t))
		})
	}
}
