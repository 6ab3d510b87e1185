// Package storetest is the suite that every session backend passes: the rules of
// session.Backend, and on top of them the attacks on a browser's session, which
// must fail the same way whatever keeps the sessions.
package storetest

import (
	"testing"

	"github.com/claimproxy/claimproxy/session"
)

// RunTests runs the whole suite. open returns an empty backend for one test, and
// closes it with t.Cleanup.
func RunTests(t *testing.T, open func(t *testing.T) session.Backend) {
	t.Run("Backend", func(t *testing.T) { runGroup(t, open, backendTests) })
	t.Run("Index", func(t *testing.T) { runGroup(t, open, indexTests) })
	t.Run("Session", func(t *testing.T) { runGroup(t, open, sessionTests) })
	t.Run("Lifetime", func(t *testing.T) { runGroup(t, open, lifetimeTests) })
	t.Run("AttackOnEnding", func(t *testing.T) { runGroup(t, open, endingTests) })
	t.Run("AttackOnLifecycle", func(t *testing.T) { runGroup(t, open, lifecycleTests) })
	t.Run("AttackOnCookie", func(t *testing.T) { runGroup(t, open, cookieTests) })
	t.Run("Hosts", func(t *testing.T) { runGroup(t, open, hostTests) })
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
