package config

import (
	"strings"
	"testing"
)

// TestWhatTheProcessHoldsOpenIsKept, told by key and line, and nothing else is.
func TestWhatTheProcessHoldsOpenIsKept(t *testing.T) {
	const running = `public_url: https://a.example
listen: 127.0.0.1:8080
state_dir: /var/lib/a
admin: {}
session: {idle: 1h}
routes: [{path: /, upstream: "http://127.0.0.1:1", allow: public}]
`
	for name, test := range map[string]struct{ old, new, want string }{
		"nothing":                  {"", "", ""},
		"what can change":          {"idle: 1h", "idle: 2h", ""},
		"another address":          {"listen: 127.0.0.1:8080", "listen: 127.0.0.1:9090", "2 listen"},
		"another way to write it":  {"listen: 127.0.0.1:8080", "listen: [127.0.0.1:8080]", ""},
		"a key that was left out":  {"listen: 127.0.0.1:8080\n", "listen: 127.0.0.1:8080\naudit: {stdout: true}\n", "3 audit"},
		"a key that is left out":   {"admin: {}\n", "", "0 admin"},
		"a member of it":           {"admin: {}", "admin: {listen: 127.0.0.1:9}", "4 admin"},
		"what a listener takes":    {"admin: {}\n", "admin: {}\nlimits: {header_bytes: 64KiB, requests: 5}\n", "5 limits.header_bytes"},
		"another directory":        {"/var/lib/a", "/var/lib/b", "3 state_dir"},
		"somewhere else":           {"idle: 1h", `store: redis, redis: {url: "redis://h"}, secrets: wwuHj7N9d8eRwNu6KiyuTT8Js0QB8icqTRbKQ-WF0Mg`, "5 session.store"},
		"two of them":              {"listen: 127.0.0.1:8080\nstate_dir: /var/lib/a", "listen: :1\nstate_dir: /b", "2 listen, 3 state_dir"},
		"the same by its defaults": {"admin: {}", "admin: {listen: 127.0.0.1:8081, allow_remote: false}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			old, report := Parse("a.yaml", []byte(running), Env{})
			if old == nil {
				t.Fatal(report.Errors)
			}
			c, report := Parse("a.yaml", []byte(strings.Replace(running, test.old, test.new, 1)), Env{})
			if c == nil {
				t.Fatal(report.Errors)
			}
			var got []string
			for _, k := range c.Keep(old) {
				got = append(got, strings.TrimSpace(string(rune('0'+k.At.Line))+" "+k.Path))
			}
			if joined := strings.Join(got, ", "); joined != test.want {
				t.Errorf("got %q, want %q", joined, test.want)
			}
			if again := c.Keep(old); len(again) != 0 {
				t.Errorf("after it was kept it differs by %v", again)
			}
			if c.Session.Store != old.Session.Store || len(c.Session.Secrets) != 0 {
				t.Error("where sessions are kept was not kept")
			}
		})
	}
}
