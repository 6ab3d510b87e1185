package config

import (
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// HSTS has browsers come by https alone, also when somebody types an address or follows an
// old link (RFC 6797): Strict-Transport-Security on every answer over https that has none of
// the application's own. It cannot be taken back before MaxAge is over, but by a shorter
// one, for as long.
type HSTS struct {
	// MaxAge is for how long, from each answer on. The default is 365d.
	MaxAge time.Duration `yaml:"max_age"`
	// IncludeSubdomains has it go for all hosts below each host, too, whoever runs them.
	// The default is false.
	IncludeSubdomains bool `yaml:"include_subdomains"`
	// Preload lets the host be put on the list that browsers bring along, which takes
	// months to get off. It takes IncludeSubdomains and a MaxAge of 365d. The default is
	// false.
	Preload bool `yaml:"preload"`
}

func (h *HSTS) decode(l *loader, n *yaml.Node, path string) bool {
	if n.Kind == yaml.ScalarNode && !isNull(n) {
		f := l.fault(n, path, "expected a mapping, got %s", l.describe(n))
		switch {
		case n.Value == "true":
			f.hint("write {max_age: 365d}")
		case n.Value == "false":
			f.hint("leave it out")
		case isText(n) && !strings.ContainsAny(n.Value, ": "):
			f.hint("write {max_age: %s}", n.Value)
		}
		return false
	}
	return l.structureInto(h, n, path)
}

// hstsYear is what the list wants, and the default.
const hstsYear = 365 * 24 * time.Hour

// Field is the value of the header, empty for nil.
func (h *HSTS) Field() string {
	if h == nil {
		return ""
	}
	field := "max-age=" + strconv.FormatInt(int64(h.MaxAge/time.Second), 10)
	if h.IncludeSubdomains {
		field += "; includeSubDomains"
	}
	if h.Preload {
		field += "; preload"
	}
	return field
}

func (l *loader) validateHSTS(c *Config) {
	h := c.HSTS
	if h == nil || !l.good(&c.HSTS) || !h.Preload {
		return
	}
	if !h.IncludeSubdomains && l.fine(&h.IncludeSubdomains) {
		l.bad(&h.Preload, "the list of browsers takes hosts with all that are below them alone").hint("include_subdomains: true")
	}
	if l.good(&h.MaxAge) && h.MaxAge < hstsYear {
		l.bad(&h.MaxAge, "the list of browsers takes 365d or more, got less")
	}
}
