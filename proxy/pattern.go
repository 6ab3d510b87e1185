package proxy

import (
	"errors"
	"fmt"
	"strings"
)

// CheckPath reports what is wrong with a route's path.
func CheckPath(path string) error {
	_, err := parsePattern(path)
	return err
}

// CheckHost reports what is wrong with a route's host: a name, or "*." and a name.
func CheckHost(host string) error {
	_, err := parseHostPattern(host)
	return err
}

// pattern is a route's path, ready to be matched.
type pattern struct {
	segments []segment
	// below: the path ends in a slash, so that everything below it matches too.
	below bool
}

// segment is one segment of a pattern: a literal, percent-decoded, or any.
type segment struct {
	literal string
	any     bool
}

// parsePattern reads a route's path by the same rules as a request's: a pattern
// that no request could ever match is an error. "*" may be written %2A where it is
// meant literally.
func parsePattern(path string) (pattern, error) {
	if !strings.HasPrefix(path, "/") {
		return pattern{}, fmt.Errorf("path %q does not begin with a slash", path)
	}
	if strings.ContainsAny(path, "?#") {
		return pattern{}, fmt.Errorf("path %q contains a query or a fragment, which are never looked at", path)
	}
	_, decoded, fault := canonicalPath(path)
	if fault == nil {
		_, fault = furtherReadings(decoded)
	}
	if fault != nil {
		return pattern{}, fmt.Errorf("path %q would match no request: %s", path, fault.Sentence)
	}
	raw, literals := strings.Split(path[1:], "/"), strings.Split(decoded[1:], "/")
	p := pattern{below: raw[len(raw)-1] == ""}
	if p.below {
		raw = raw[:len(raw)-1]
	}
	for i, r := range raw {
		switch {
		case r == "*":
			p.segments = append(p.segments, segment{any: true})
		case strings.Contains(r, "*"):
			return pattern{}, fmt.Errorf("path %q: a star stands for a whole segment, as in /a/*/b", path)
		default:
			p.segments = append(p.segments, segment{literal: literals[i]})
		}
	}
	return p, nil
}

// hostPattern is a route's host, ready to be matched.
type hostPattern struct {
	// name is the whole name or, with oneLabel, what follows the first label, dot
	// included.
	name     string
	oneLabel bool
}

func parseHostPattern(host string) (hostPattern, error) {
	name, oneLabel := strings.CutPrefix(host, "*.")
	if strings.Contains(name, "*") {
		return hostPattern{}, fmt.Errorf("host %q: a star stands for the whole first label, as in *.example.org", host)
	}
	canonical, authority, fault := canonicalHost(name)
	switch {
	case fault != nil:
		return hostPattern{}, fmt.Errorf("host %q is not a valid name or address", host)
	case canonical != authority:
		return hostPattern{}, fmt.Errorf("host %q has a port; routes are chosen by the name alone", host)
	case oneLabel && strings.HasPrefix(canonical, "["):
		return hostPattern{}, errors.New("an address has no labels")
	case oneLabel:
		canonical = "." + canonical
	}
	return hostPattern{name: canonical, oneLabel: oneLabel}, nil
}
