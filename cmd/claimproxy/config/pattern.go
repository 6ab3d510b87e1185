package config

import (
	"net/url"
	"strings"
)

// pattern is a route's path cut into segments.
type pattern struct {
	segments []string // percent-decoded; anySegment is any one
	prefix   bool     // all below as well; otherwise exactly this
}

// anySegment cannot be the text of a segment.
const anySegment = "/"

func parsePattern(p string) pattern {
	pat := pattern{prefix: strings.HasSuffix(p, "/")}
	for segment := range strings.SplitSeq(strings.Trim(p, "/"), "/") {
		if segment == "*" {
			pat.segments = append(pat.segments, anySegment)
		} else if segment != "" {
			decoded, err := url.PathUnescape(segment)
			if err != nil {
				decoded = segment
			}
			pat.segments = append(pat.segments, decoded)
		}
	}
	return pat
}

// covers says whether every path that q matches is matched by p as well. A path
// that ends in "/" is for itself without the slash too, so it covers the exact path
// of that name.
func (p pattern) covers(q pattern) bool {
	if len(q.segments) < len(p.segments) || !p.prefix && (q.prefix || len(q.segments) != len(p.segments)) {
		return false
	}
	for i, s := range p.segments {
		if s != anySegment && s != q.segments[i] {
			return false
		}
	}
	return true
}

// hostCovers does the same for hosts: "*.example.org" is one label and a host.
func hostCovers(p, q string) bool {
	if p == q {
		return true
	}
	parent, wild := strings.CutPrefix(p, "*.")
	label, rest, ok := strings.Cut(q, ".")
	return wild && ok && label != "*" && rest == parent
}

// overlaps says whether there is a path that both match.
func (p pattern) overlaps(q pattern) bool {
	if len(p.segments) > len(q.segments) {
		p, q = q, p
	}
	if len(p.segments) < len(q.segments) && !p.prefix {
		return false
	}
	for i, s := range p.segments {
		if s != anySegment && q.segments[i] != anySegment && s != q.segments[i] {
			return false
		}
	}
	return true
}

// hostOverlaps does the same for hosts.
func hostOverlaps(p, q string) bool { return hostCovers(p, q) || hostCovers(q, p) }
