package config

import (
	"fmt"
	"slices"
)

// reach is what a route matches. Methods never choose a route, so they make no
// difference.
type reach struct {
	route *Route
	path  pattern
	place place // of the route
	known bool  // host and path are good, so that it can be compared with others
}

// covers says whether a route matches all that another one does on one of its hosts.
func (r *reach) covers(host string, path pattern) bool {
	return r.path.covers(path) && slices.ContainsFunc(r.route.Hosts, func(own string) bool { return hostCovers(own, host) })
}

// overlaps says whether two routes match some same host and path.
func (r *reach) overlaps(other *reach) bool {
	return r.path.overlaps(other.path) && slices.ContainsFunc(r.route.Hosts, func(own string) bool {
		return slices.ContainsFunc(other.route.Hosts, func(host string) bool { return hostOverlaps(own, host) })
	})
}

// validateReach finds routes that can never match because an earlier one always
// does, host by host, and warns where routes of two files match the same.
func (l *loader) validateReach(c *Config) {
	all := make([]*reach, len(c.Routes))
	for i := range c.Routes {
		r := &c.Routes[i]
		all[i] = &reach{route: r, path: parsePattern(r.Path), place: l.places[r], known: l.comparable(r)}
	}
	for i, r := range all {
		if r.known && !l.hidden(r, all[:i]) {
			l.warnOverlap(r, all[:i])
		}
	}
}

// comparable says whether a route is good enough to be compared with others.
func (l *loader) comparable(r *Route) bool {
	if !l.good(r) || !l.fine(&r.Path) || !l.fine(&r.Hosts) {
		return false
	}
	for i := range r.Hosts {
		if !l.fine(&r.Hosts[i]) {
			return false
		}
	}
	return len(r.Hosts) > 0
}

// hidden reports the hosts on which a route never matches.
func (l *loader) hidden(r *reach, before []*reach) (any bool) {
	for h, host := range r.route.Hosts {
		j := slices.IndexFunc(before, func(b *reach) bool { return b.known && b.covers(host, r.path) })
		if j < 0 {
			continue
		}
		any = true
		p := r.place
		switch {
		case len(r.route.Hosts) > 1 && l.set(&r.route.Hosts[h]):
			p = l.places[&r.route.Hosts[h]]
		case l.set(&r.route.Path):
			p = l.places[&r.route.Path]
		}
		what := "this route"
		if len(r.route.Hosts) > 1 {
			what = "this route with the host " + host
		}
		first := before[j].place
		if first.at.File == r.place.at.File {
			l.fault(p.node, p.path, "%s can never match: %s in line %d matches all that it does", what, first.path, first.at.Line).
				hint("the first route that matches decides: put the narrower one first")
		} else {
			l.fault(p.node, p.path, "%s can never match: %s in %s:%d matches all that it does", what, first.path, first.at.File, first.at.Line).
				hint("the first route that matches decides: the file that includes decides before those it includes, and these in the order of include")
		}
	}
	return any
}

// warnOverlap warns where an earlier route of another file matches some of what a
// route does. Inside one file both are before somebody's eyes.
func (l *loader) warnOverlap(r *reach, before []*reach) {
	met := make(map[string][]place)
	var files []string
	for _, b := range before {
		if file := b.place.at.File; b.known && file != r.place.at.File && b.overlaps(r) {
			if met[file] == nil {
				files = append(files, file)
			}
			met[file] = append(met[file], b.place)
		}
	}
	for _, file := range files {
		first, more := met[file][0], ""
		if n := len(met[file]) - 1; n > 0 {
			more = fmt.Sprintf(", and %s there", count(n, "more route"))
		}
		l.warn(r.place.node, r.place.path, "some of what this route matches is decided elsewhere: by %s in %s:%d%s", first.path, file, first.at.Line, more).
			hint("the first route that matches decides: the file that includes decides before those it includes, and these in the order of include")
	}
}
