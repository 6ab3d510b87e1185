package proxy

import (
	"errors"
	"net/url"
	"strings"
)

// CheckPrefix reports why a prefix cannot be taken off the paths of a route.
func CheckPrefix(prefix, path string) error {
	switch {
	case !strings.HasPrefix(prefix, "/") || strings.HasSuffix(prefix, "/"):
		return errors.New("a prefix begins with a slash and does not end in one")
	case strings.Contains(prefix, "*") || strings.Contains(prefix, "//"):
		return errors.New("a prefix has no * and no empty segment")
	case path != prefix && !strings.HasPrefix(path, prefix+"/"):
		return errors.New("the route is not below the prefix")
	}
	return nil
}

// forwarded is what of a target is forwarded: path and query.
func (e *Entry) forwarded(t *Target) *url.URL {
	path, encoded := t.without(e.strip)
	if t.ambiguous != nil {
		path = unescape(encoded, sparesNone) // Path is a reading that has encoded slashes
	}
	return &url.URL{
		// RawPath is used because it is an encoding of Path.
		Path: path, RawPath: encoded,
		RawQuery: t.Query, ForceQuery: t.HasQuery && t.Query == "",
	}
}

// without returns the path that is forwarded where the first n segments are for claimproxy
// alone: decoded, and as it is sent. What was decided on is the whole. Both have the same
// segments, since a separator that is encoded is refused.
func (t *Target) without(n int) (path, encoded string) {
	return afterSegments(t.Path, n), afterSegments(t.Encoded, n)
}

func afterSegments(path string, n int) string {
	for range n {
		slash := strings.IndexByte(path[1:], '/')
		if slash < 0 {
			return "/"
		}
		path = path[1+slash:]
	}
	return path
}
