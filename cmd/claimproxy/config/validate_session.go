package config

import (
	"strings"

	"github.com/claimproxy/claimproxy/session"
)

// leastMemory is enough for the sessions that are used at a moment, and mostMemory more
// than there is.
const leastMemory, mostMemory = 16 << 20, 1 << 40

func (l *loader) validateSession(c *Config) {
	s := &c.Session
	if s.Idle > s.Lifetime {
		l.bad(&s.Idle, "expected no more than the lifetime of %s, got %s", formatDuration(s.Lifetime), formatDuration(s.Idle))
	}
	if l.good(&s.Memory) && (s.Memory < leastMemory || s.Memory > mostMemory) {
		l.bad(&s.Memory, "expected from 16MiB to 1TiB for sessions").hint("128MiB is the default")
	}
	l.validateSecrets(s)
	l.validateRedis(s)
	l.validateCookieDomain(c)
	if name := &s.Cookie.Name; l.good(name) {
		switch lower := strings.ToLower(*name); {
		case !isToken(*name):
			l.bad(name, "expected a name of letters, digits and signs such as - and _, got %s", quote(*name))
		case strings.HasPrefix(lower, "__host-"), strings.HasPrefix(lower, "__secure-"):
			l.bad(name, "expected a name without its prefix, which claimproxy puts there itself, got %s", quote(*name)).
				hint("did you mean %q?", strings.SplitN(*name, "-", 2)[1])
		}
	}
}

// validateSecrets wants secrets that cannot be guessed, and some where nothing else is
// shared by those who have to open a session.
func (l *loader) validateSecrets(s *Session) {
	switch _, given := l.places[&s.Secrets]; {
	case given && l.good(&s.Secrets):
		l.notEmpty(&s.Secrets, len(s.Secrets), "secret")
	case !given && l.good(&s.Store) && s.Store != StoreFile:
		l.bad(&s.Store, "the store %s needs session.secrets, to seal sessions with", quote(string(s.Store))).
			hint("as in secrets: [{file: session-secret}]; `claimproxy secret` prints one")
	}
	if l.env.WithoutSecrets {
		return
	}
	for i := range s.Secrets {
		at := &s.Secrets[i]
		if !l.good(at) {
			continue
		}
		if _, err := session.ParseSecret(at.Reveal()); err != nil {
			l.bad(at, "%v", err).hint("`claimproxy secret` prints one")
			continue
		}
		for j := range s.Secrets[:i] {
			if l.good(&s.Secrets[j]) && at.Equal(s.Secrets[j]) {
				l.bad(at, "this secret stands here twice")
				break
			}
		}
	}
}
