package config

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/claimproxy/claimproxy/proxy"
)

const requestExpected = `a request, as in "GET /path" or "GET https://host/path"`

// decode reads the request of a test. Whether its host is one of ours is seen later.
func (r *TestRequest) decode(l *loader, n *yaml.Node, path string) bool {
	if !isText(n) {
		return l.mismatch(n, path, requestExpected)
	}
	if !l.into(&r.Text, n, path) {
		return false
	}
	problem, hint := r.parse()
	if problem != "" {
		l.fault(n, path, "%s", problem).hint("%s", hint)
	}
	return problem == ""
}

// parse reads the text and says what is wrong with it, "" for nothing.
func (r *TestRequest) parse() (problem, hint string) {
	method, target, found := strings.Cut(r.Text, " ")
	switch {
	case strings.Contains(method, "/"): // the method was forgotten
		if again := (TestRequest{Text: "GET " + r.Text}); strings.Count(r.Text, " ") == 0 {
			if problem, _ := again.parse(); problem == "" {
				hint = "did you mean GET " + r.Text + "?"
			}
		}
		return "expected " + requestExpected + ", got " + quote(r.Text), hint
	case !found || target == "" || strings.Contains(target, " "):
		if words := strings.Fields(r.Text); len(words) == 2 {
			hint = "one blank stands between the two"
		}
		return "expected " + requestExpected + ", got " + quote(r.Text), hint
	}
	if problem, hint = checkMethod(method); problem != "" {
		return problem, hint
	}
	r.Method = method
	before, path := "", target
	if scheme, rest, isURL := strings.Cut(target, "://"); isURL && !strings.ContainsAny(scheme, "/?#") {
		end := strings.IndexAny(rest, "/?#")
		if end < 0 {
			end = len(rest)
		}
		if problem := r.origin(scheme, rest[:end]); problem != "" {
			return "expected " + requestExpected + ", got " + quote(r.Text) + ": " + problem, ""
		}
		before, path = scheme+"://"+rest[:end], rest[end:]
		if path == "" || path[0] == '?' {
			path = "/" + path // as every client sends it (RFC 9112 section 3.2.1)
		}
	}
	path, query, _ := strings.Cut(path, "?")
	problem, clean := checkPath(path)
	if problem == "" && strings.Contains(query, "#") {
		problem = "expected a request, got " + quote(r.Text) + ": a `#` and what follows it never leaves the browser"
	}
	if problem == "" {
		problem = refusedTarget(path, query)
	}
	if again, _ := checkPath(clean); problem != "" && clean != "" && again == "" {
		hint = "did you mean " + method + " " + before + clean + "?"
	}
	r.Path = path
	return problem, hint
}

// refusedTarget asks the package that reads requests, which has the last word.
func refusedTarget(path, query string) (problem string) {
	_, err := proxy.ParseTarget("https", "localhost", path+"?"+query)
	if fault := (*proxy.Fault)(nil); errors.As(err, &fault) {
		return "a request to " + quote(path) + " is refused: " + lowerFirst(strings.TrimSuffix(fault.Sentence, "."))
	}
	return ""
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// origin reads what stands before the path of a URL.
func (r *TestRequest) origin(scheme, authority string) (problem string) {
	u := url.URL{Scheme: strings.ToLower(scheme), Host: strings.ToLower(authority)}
	if strings.Contains(authority, "@") {
		return "a user name cannot stand here"
	}
	if !validPort(u.Port()) || strings.HasSuffix(authority, ":") {
		return "a port is a number from 1 to 65535"
	}
	host := u.Hostname()
	if problem := checkHost(host); problem != "" {
		return problem
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		host = addr.String()
	}
	r.scheme, r.Host, r.port = u.Scheme, host, origin(&u).Port()
	return ""
}
