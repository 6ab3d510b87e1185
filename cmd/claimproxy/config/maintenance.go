package config

import (
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Maintenance says whether an application is being worked on.
type Maintenance struct {
	// On has requests answered with 503 instead of being forwarded.
	On bool
	// Text is a sentence for people, empty for one of claimproxy's own.
	Text string
}

const maintenanceExpected = "true, false or a sentence for people"

func (m *Maintenance) decode(l *loader, n *yaml.Node, path string) bool {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!bool" {
		return l.boolean(n, reflect.ValueOf(&m.On).Elem(), path)
	}
	if !isText(n) || strings.TrimSpace(n.Value) == "" {
		return l.mismatch(n, path, maintenanceExpected)
	}
	if slices.Contains([]string{"yes", "no", "on", "off", "true", "false"}, strings.ToLower(n.Value)) {
		l.fault(n, path, "expected %s, got %s", maintenanceExpected, quote(n.Value)).hint("write true or false, without quotes")
		return false
	}
	m.On = true
	return l.text(n, reflect.ValueOf(&m.Text).Elem(), path, options{})
}

// InMaintenance are the routes whose requests are not forwarded.
func (c *Config) InMaintenance() []*Route {
	var all []*Route
	for i := range c.Routes {
		if c.Routes[i].Maintenance.On {
			all = append(all, &c.Routes[i])
		}
	}
	return all
}
