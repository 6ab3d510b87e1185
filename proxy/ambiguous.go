package proxy

import (
	"context"
	"slices"
	"strings"

	"github.com/claimproxy/claimproxy/session"
)

// Bounds on a path that can be read in several ways: each reading is decided on.
const (
	maxAmbiguous = 4096 // bytes
	maxWays      = 64
)

// everyReading is how a path can be read that canonicalPath refuses for its encoded
// slashes, empty segments or semicolons, for routes that take such paths. The first
// reading is the path as it is written: an encoded slash stays part of its segment. The
// others are all that come of decoding, of decoding again, of merging slashes and of
// dropping parameters, in any order. A path that climbs, or ends early, in any of them is
// not ok, and neither is one with a backslash, whose meaning no route could know.
func everyReading(raw string) (encoded string, readings []string, ok bool) {
	if len(raw) > maxAmbiguous {
		return "", nil, false
	}
	encoded, fault := encodeOutside(raw)
	if fault != nil {
		return "", nil, false
	}
	written, ok := spread([]string{encoded}, mergeSlashes, cutParameters, cutLastParameters, cutAtParameter)
	if !ok {
		return "", nil, false
	}
	readings = []string{unescape(encoded, '/')}
	for _, w := range written {
		readings = append(readings, unescape(w, sparesNone))
	}
	decode := func(s string) string { return unescape(s, sparesNone) }
	readings, ok = spread(readings, decode, mergeSlashes, cutParameters, cutLastParameters, cutAtParameter)
	return encoded, readings, ok
}

// spread returns some readings and all that others make of them, the first one first. It
// is not ok if there are too many, or one of them is none that could be decided on.
func spread(readings []string, others ...func(string) string) (all []string, ok bool) {
	for _, r := range readings {
		if !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	for i := 0; i < len(all); i++ {
		if !decidable(all[i]) {
			return nil, false
		}
		for _, other := range others {
			if r := other(all[i]); !slices.Contains(all, r) {
				all = append(all, r)
			}
		}
		if len(all) > maxWays {
			return nil, false
		}
	}
	return all, true
}

// decidable reports whether a reading climbs nowhere, ends where it seems to, and has no
// separator but slashes and semicolons.
func decidable(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := pathClass[s[i]]; c == classBackslash || c == classControl {
			return false
		}
	}
	if hasOverlong(s) {
		return false
	}
	for segment := range strings.SplitSeq(s, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

// sparesNone has all decoded: no path with a NUL is decidable.
const sparesNone = 0

// unescape decodes each escape once, but for those of spared, and leaves what is none.
func unescape(s string, spared byte) string {
	if !hasEscape(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			if d := unhex(s[i+1])<<4 | unhex(s[i+2]); d != spared || spared == sparesNone {
				c = d
				i += 2
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

// mergeSlashes takes empty segments away, as nginx does.
func mergeSlashes(s string) string {
	for strings.Contains(s, "//") {
		s = strings.ReplaceAll(s, "//", "/")
	}
	return s
}

// cutParameters takes the parameters of every segment away (RFC 3986 section 3.3).
func cutParameters(s string) string {
	if strings.IndexByte(s, ';') < 0 {
		return s
	}
	segments := strings.Split(s, "/")
	for i, segment := range segments {
		segments[i], _, _ = strings.Cut(segment, ";")
	}
	return strings.Join(segments, "/")
}

// cutLastParameters takes those of the last segment away, the only one to have any
// in RFC 1808.
func cutLastParameters(s string) string {
	last := strings.LastIndexByte(s, '/') + 1
	segment, _, _ := strings.Cut(s[last:], ";")
	return s[:last] + segment
}

// cutAtParameter takes all from the first semicolon away.
func cutAtParameter(s string) string {
	s, _, _ = strings.Cut(s, ";")
	return s
}

// read is the target with one of its readings in place of all.
func (t Target) read(path string) Target {
	t.Path, t.readings, t.ambiguous = path, nil, nil
	return t
}

// allReadings are what applications may take the target's path for.
func (t *Target) allReadings() []string { return append([]string{t.Path}, t.readings...) }

// findAmbiguous is Find for a target with several readings: the route is that of the path
// as it is written, if it takes such paths and every reading is on some route.
func (t *Table) findAmbiguous(target Target) (*Entry, error) {
	route, err := t.Find(target.read(target.Path))
	if route == nil || err != nil || !route.AmbiguousPaths {
		return nil, target.ambiguous
	}
	for _, reading := range target.readings {
		if other, err := t.Find(target.read(reading)); other == nil || err != nil {
			return nil, target.ambiguous
		}
	}
	return route, nil
}

// decideOn finds the route of a question and decides. Of a path with several readings each
// is decided on, by the route that it is on, and all must allow it: the first refusal
// counts, with its route. The verdict is on the path as it is written.
func (p *Proxy) decideOn(ctx context.Context, q Question) (*Entry, Verdict) {
	route, err := p.table.Find(q.Target)
	switch {
	case err != nil:
		return nil, faulty(err)
	case route == nil:
		return nil, Verdict{Reason: ReasonNoRoute}
	}
	q.Route = route
	if q.Target.ambiguous == nil {
		return route, p.Decide(ctx, q)
	}
	var first Verdict
	whole := q.Target
	for i, reading := range whole.allReadings() {
		q.Target = whole.read(reading)
		if q.Route, err = p.table.Find(q.Target); q.Route == nil || err != nil {
			return nil, faulty(whole.ambiguous)
		}
		v := p.Decide(ctx, q)
		switch {
		case v.Outcome != Allow:
			return q.Route, v
		case i == 0:
			first = v
		case !samePerson(first.Identity, v.Identity):
			// One route takes cookies, another tokens, and two people would stand behind
			// one request.
			return nil, faulty(whole.ambiguous)
		}
	}
	return route, first
}

// samePerson reports whether two identities, where there are two, are of one caller.
func samePerson(a, b *session.Identity) bool {
	return a == nil || b == nil || a.Provider == b.Provider && a.Issuer == b.Issuer && a.Subject == b.Subject && a.Auth == b.Auth
}

// shown is the path for logs: parameters are left out, as Java keeps session ids there.
func (t *Target) shown() string {
	if t.ambiguous == nil {
		return t.Encoded
	}
	return shownPath(t.Encoded)
}
