package e2e

import (
	"strings"
	"sync"
	"testing"
)

// leaks collects what nobody may find in a log: tokens, codes, cookies, secrets.
type leaks struct {
	mu      sync.Mutex
	secrets map[string]bool
}

// add remembers secrets. Short texts are left out: they would be found by chance.
func (l *leaks) add(secrets ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.secrets == nil {
		l.secrets = make(map[string]bool)
	}
	for _, s := range secrets {
		if len(s) >= 8 {
			l.secrets[s] = true
		}
	}
}

// wantNone fails the test for each secret that text contains.
func (l *leaks) wantNone(t testing.TB, where, text string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.secrets {
		if strings.Contains(text, s) {
			t.Errorf("%s contains a secret that begins with %.6s", where, s)
		}
	}
}
