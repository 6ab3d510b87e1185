package proxy

import (
	"net/http"
	"strings"
)

// Target is what a request asks for, in the one form that is decided on and
// forwarded. The zero value matches no route.
type Target struct {
	// Scheme is "https" or "http", as the client sees it.
	Scheme string
	// Host is the name that routes are matched by: lower case, without a port and
	// without the dot at the end. An IPv6 address stands in brackets.
	Host string
	// Authority is Host with the port as it came; it is what the upstream gets.
	Authority string
	// Path is the path that routes are matched by: each segment percent-decoded
	// once. It begins with "/" and has no empty segment but perhaps the last.
	Path string
	// Encoded is the same path as it is forwarded: what came, byte for byte, only
	// with bytes that RFC 3986 does not allow in a path percent-encoded.
	Encoded string
	// Query is the query as it came. Nobody looks at it.
	Query string
	// HasQuery tells "/a?" from "/a".
	HasQuery bool

	// readings are what applications that decode more than once would take the
	// path for. A route must be the same for all of them, unless the target is ambiguous.
	readings []string
	// ambiguous is why the target is refused on a route that does not take paths with
	// several readings, nil if there is one. Then Path is the path as it is written, with
	// encoded slashes as they came, and readings are all others, each of which has to be
	// allowed.
	ambiguous *Fault
}

// Fault says why a target is refused.
type Fault struct {
	// Reason is bad-target or bad-host.
	Reason Reason
	// Sentence tells the client what is wrong. It quotes nothing.
	Sentence string
}

func (f *Fault) Error() string { return string(f.Reason) + ": " + f.Sentence }

func badTarget(sentence string) *Fault { return &Fault{Reason: ReasonBadTarget, Sentence: sentence} }
func badHost(sentence string) *Fault   { return &Fault{Reason: ReasonBadHost, Sentence: sentence} }

// ParseTarget reads a target in origin-form (RFC 9112 section 3.2.1) and a Host
// field. The error is a *Fault.
//
// It reads the request line itself and not a url.URL made of it: url.URL has
// decoded by then, and takes a raw "#" or "\" for a legal character.
func ParseTarget(scheme, host, requestTarget string) (Target, error) {
	t, err := parseTarget(scheme, host, requestTarget)
	if err == nil && t.ambiguous != nil {
		return Target{}, t.ambiguous
	}
	return t, err
}

// parseTarget is ParseTarget, but that a target whose path has several readings is no
// error: that is for its route to say.
func parseTarget(scheme, host, requestTarget string) (Target, error) {
	t := Target{Scheme: scheme}
	var fault *Fault
	if t.Host, t.Authority, fault = canonicalHost(host); fault != nil {
		return Target{}, fault
	}
	if !strings.HasPrefix(requestTarget, "/") {
		// Absolute-form is refused too. net/http drops the Host field that came with
		// it, so the two cannot be compared, and whoever stands in front of
		// claimproxy may have looked at the other one.
		return Target{}, badTarget("The request target must be a path.")
	}
	if strings.IndexByte(requestTarget, '#') >= 0 {
		return Target{}, badTarget("The request target contains a fragment.")
	}
	var path string
	path, t.Query, t.HasQuery = strings.Cut(requestTarget, "?")
	for i := 0; i < len(t.Query); i++ {
		// HTTP/2 carries a space where HTTP/1.1 would end the target with it.
		if isControl(t.Query[i]) || t.Query[i] == ' ' {
			return Target{}, badTarget("The query contains a space or a control character.")
		}
	}
	if t.Encoded, t.Path, fault = canonicalPath(path); fault == nil {
		t.readings, fault = furtherReadings(t.Path)
	}
	if fault == nil {
		return t, nil
	}
	encoded, readings, ok := everyReading(path)
	if !ok {
		return Target{}, fault
	}
	t.Encoded, t.Path, t.readings, t.ambiguous = encoded, readings[0], readings[1:], fault
	return t, nil
}

// requestTarget reads the target of a request as it came over the wire.
func requestTarget(r *http.Request, scheme string) (Target, error) {
	t, err := parseTarget(scheme, r.Host, r.RequestURI)
	if err != nil {
		return Target{}, err
	}
	// Only HTTP/2 leaves a Host header here: one that came beside :authority
	// (RFC 9113 section 8.3.1).
	for _, h := range r.Header["Host"] {
		if name, _, fault := canonicalHost(h); fault != nil || name != t.Host {
			return Target{}, badHost("The Host header names another host than :authority.")
		}
	}
	return t, nil
}

// requestURI is the target as it is forwarded.
func (t Target) requestURI() string {
	if t.HasQuery {
		return t.Encoded + "?" + t.Query
	}
	return t.Encoded
}
