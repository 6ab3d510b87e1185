package config

import (
	"reflect"

	"github.com/claimproxy/claimproxy/policy"
)

// Kept is a setting that stays as it was because it cannot change while claimproxy runs.
type Kept struct {
	// At is where the other value stands; the file as a whole where the key was left out.
	At policy.Position
	// Path is the key.
	Path string
}

// Keep puts the settings that cannot change while claimproxy runs in place of those of c:
// they are those of running. It returns those that differ. It is for a configuration that
// nobody uses yet.
//
// They are the ones by which the process holds something open: the listeners, with how
// long they wait for a header and how much of it they take, the audit log, and what keeps
// the sessions, with its secrets where it is another one.
func (c *Config) Keep(running *Config) []Kept {
	var all []Kept
	keep := func(key string, own, other any) {
		to, from := reflect.ValueOf(own).Elem(), reflect.ValueOf(other).Elem()
		if reflect.DeepEqual(to.Interface(), from.Interface()) {
			return
		}
		at, path := c.Place(own)
		if path == "" {
			path = key
		}
		to.Set(from)
		all = append(all, Kept{At: at, Path: path})
	}
	keep("listen", &c.Listen, &running.Listen)
	keep("redirect_http", &c.RedirectHTTP, &running.RedirectHTTP)
	keep("tls", &c.TLS, &running.TLS)
	keep("admin", &c.Admin, &running.Admin)
	keep("audit", &c.Audit, &running.Audit)
	keep("tracing", &c.Tracing, &running.Tracing)
	keep("limits.header_bytes", &c.Limits.HeaderBytes, &running.Limits.HeaderBytes)
	keep("limits.header_timeout", &c.Limits.HeaderTimeout, &running.Limits.HeaderTimeout)
	keep("limits.idle_timeout", &c.Limits.IdleTimeout, &running.Limits.IdleTimeout)
	keep("state_dir", &c.StateDir, &running.StateDir)
	if c.Session.Store != running.Session.Store {
		keep("session.store", &c.Session.Store, &running.Session.Store)
		c.Session.Redis, c.Session.Secrets = running.Session.Redis, running.Session.Secrets
	}
	return all
}
