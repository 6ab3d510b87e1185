package config

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// unreserved are the characters that percent-encoding never stands for (RFC 3986
// section 2.3).
const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

// checkPath says what is wrong with a path that requests are compared with, "" for
// nothing, and how its canonical form would be written. The proxy decides on
// canonical paths alone, so that another spelling here would never match.
func checkPath(p string) (problem, suggestion string) {
	expected := "expected a path, got " + quote(p)
	switch {
	case p == "":
		return "expected a path that begins with /, got an empty string", ""
	case strings.Contains(p, "://"):
		return expected + ": the host has a key of its own", ""
	case p[0] != '/':
		return "expected a path that begins with /, got " + quote(p), canonicalPath("/" + p)
	case strings.Contains(p, "?"):
		return expected + ": routes are not chosen by queries", canonicalPath(p[:strings.IndexByte(p, '?')])
	case strings.Contains(p, "#"):
		return expected + ": a `#` and what follows it never leaves the browser", canonicalPath(p[:strings.IndexByte(p, '#')])
	case strings.Contains(p, "//"):
		return expected + ": requests with // are refused", canonicalPath(p)
	case strings.ContainsAny(p, `;\`):
		return expected + ": requests with `;` or a backslash are refused", ""
	}
	for segment := range strings.SplitSeq(p[1:], "/") {
		if dots := strings.NewReplacer("%2e", ".", "%2E", ".").Replace(segment); dots == "." || dots == ".." {
			return expected + ": requests with dot segments are refused", canonicalPath(p)
		}
	}
	for i := 0; i < len(p); i++ {
		c := p[i]
		if c != '%' {
			if !isPathByte(c) {
				return fmt.Sprintf("%s: %s is percent-encoded in a path", expected, printRune(p[i:])), canonicalPath(p)
			}
			continue
		}
		b, ok := unhex(p[i:])
		switch {
		case !ok:
			return expected + ": after `%` stand two hexadecimal digits", ""
		case b == '/' || b == '\\' || b == 0:
			return expected + ": requests with an encoded slash, backslash or NUL are refused", ""
		case strings.IndexByte(unreserved, b) >= 0:
			return fmt.Sprintf("%s: %q stands for itself", expected, b), canonicalPath(p)
		case strings.ToUpper(p[i:i+3]) != p[i:i+3]:
			return expected + ": percent-encoding has capital letters", canonicalPath(p)
		}
		i += 2
	}
	return "", ""
}

// isPathByte says whether a byte stands for itself in a path (RFC 3986 section 3.3),
// without the `;` of parameters.
func isPathByte(c byte) bool {
	return strings.IndexByte(unreserved+"!$&'()*+,=:@/", c) >= 0
}

// canonicalPath is what a path was probably meant to be; it may still be illegal.
func canonicalPath(p string) string {
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		c := p[i]
		if c == '%' {
			if d, ok := unhex(p[i:]); ok {
				i += 2
				if c = d; strings.IndexByte(unreserved, c) < 0 {
					b.WriteString(percent(c))
					continue
				}
			}
		}
		if isPathByte(c) {
			b.WriteByte(c)
		} else {
			b.WriteString(percent(c))
		}
	}
	clean := path.Clean(b.String())
	if clean != "/" && strings.HasSuffix(p, "/") {
		clean += "/"
	}
	return clean
}

func percent(c byte) string { return fmt.Sprintf("%%%02X", c) }

// unhex reads a percent-encoded byte at the start of s.
func unhex(s string) (byte, bool) {
	if len(s) < 3 {
		return 0, false
	}
	n, err := strconv.ParseUint(s[1:3], 16, 8)
	return byte(n), err == nil
}

func printRune(s string) string {
	for _, r := range s {
		return fmt.Sprintf("%q", r)
	}
	return ""
}
