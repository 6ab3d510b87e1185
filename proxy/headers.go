package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/claimproxy/claimproxy/policy"
)

// IdentityHeader is a header that tells an upstream something about the caller.
// Exactly one of User, Claim and Values says what.
type IdentityHeader struct {
	// Name of the header, in any case.
	Name string
	// User sends the name that applications know the person by.
	User bool
	// Claim sends a claim. Dots walk into objects, unless the claims have one of
	// exactly this name.
	Claim string
	// Values sends the value of the first rule that allows the caller, else Else.
	// An empty value is not sent.
	Values []HeaderValue
	Else   string
}

// HeaderValue is a value that is sent to callers that a rule allows.
type HeaderValue struct {
	Allow *policy.Rule
	Value string
}

// presets are the families of identity headers that applications know.
var presets = map[string][]IdentityHeader{
	"x-forwarded": {
		{Name: "X-Forwarded-User", User: true},
		{Name: "X-Forwarded-Email", Claim: "email"},
		{Name: "X-Forwarded-Groups", Claim: "groups"},
		{Name: "X-Forwarded-Preferred-Username", Claim: "preferred_username"},
	},
	"remote-user": {
		{Name: "Remote-User", User: true},
		{Name: "Remote-Email", Claim: "email"},
		{Name: "Remote-Name", Claim: "name"},
		{Name: "Remote-Groups", Claim: "groups"},
	},
	"grafana": {
		{Name: "X-Webauth-User", User: true},
		{Name: "X-Webauth-Email", Claim: "email"},
		{Name: "X-Webauth-Name", Claim: "name"},
		{Name: "X-Webauth-Groups", Claim: "groups"},
	},
	"none": {},
}

// DefaultPreset is the preset of a route that says nothing about identity headers.
const DefaultPreset = "x-forwarded"

// Preset returns the identity headers of a preset.
func Preset(name string) ([]IdentityHeader, bool) {
	headers, ok := presets[name]
	return slices.Clone(headers), ok
}

// PresetNames returns the names of all presets, sorted.
func PresetNames() []string {
	names := make([]string, 0, len(presets))
	for name := range presets {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// ours are headers that claimproxy or HTTP itself gives a meaning to, so that no
// route may put a claim there.
var ours = []string{
	"authorization", "connection", "content-encoding", "content-length", "content-type", "cookie", "expect",
	"forwarded", "host", "http2-settings", "keep-alive", "origin", "proxy-authorization", "proxy-connection", "range",
	"set-cookie", "te", "trailer", "transfer-encoding", "upgrade", "x-claimproxy-reason", "x-claimproxy-sign-in",
	"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "x-request-id",
}

// CheckHeaderName reports why a header cannot be an identity header.
func CheckHeaderName(name string) error {
	if name == "" {
		return errors.New("the name of a header is empty")
	}
	if !isToken(name) {
		return fmt.Errorf("%q is not the name of a header", name)
	}
	if slices.Contains(ours, string(fold(nil, name))) {
		return fmt.Errorf("header %q has a meaning of its own and cannot carry a claim", name)
	}
	return nil
}

// CheckHeaderValue reports why a fixed value cannot be sent in a header.
func CheckHeaderValue(value string) error {
	if value != "" && !sendable(value) {
		return fmt.Errorf("value %q contains a control character, a comma, or a blank at its end", value)
	}
	return nil
}

// headerSource is an identity header as it is used.
type headerSource struct {
	IdentityHeader
	// person: the header says who the person is, so it is not sent for a client
	// alone.
	person bool
}

// personal are the claims by which applications know a person (OpenID Connect Core
// section 5.1, RFC 7662 section 2.2).
var personal = []string{"sub", "preferred_username", "username", "nickname", "name", "given_name", "family_name", "email"}

// compileHeaders checks a route's headers. Of two of one name the later counts, so
// that a list can begin with a preset and change parts of it.
func compileHeaders(headers []IdentityHeader) ([]headerSource, error) {
	var compiled []headerSource
	for _, h := range headers {
		if err := CheckHeaderName(h.Name); err != nil {
			return nil, err
		}
		kinds := 0
		for _, set := range []bool{h.User, h.Claim != "", len(h.Values) > 0} {
			if set {
				kinds++
			}
		}
		if kinds != 1 {
			return nil, fmt.Errorf("header %q: exactly one of user, claim and values must be set", h.Name)
		}
		for _, v := range h.Values {
			if v.Allow == nil {
				return nil, fmt.Errorf("header %q: a value has no rule", h.Name)
			}
			if err := CheckHeaderValue(v.Value); err != nil {
				return nil, fmt.Errorf("header %q: %w", h.Name, err)
			}
		}
		if err := CheckHeaderValue(h.Else); err != nil {
			return nil, fmt.Errorf("header %q: %w", h.Name, err)
		}
		h.Name = http.CanonicalHeaderKey(h.Name)
		folded := string(fold(nil, h.Name))
		compiled = slices.DeleteFunc(compiled, func(c headerSource) bool { return string(fold(nil, c.Name)) == folded })
		compiled = append(compiled, headerSource{
			IdentityHeader: h,
			person:         h.User || slices.Contains(personal, h.Claim),
		})
	}
	return compiled, nil
}

// chosen returns the value of the first rule that allows the caller.
func (s *headerSource) chosen(c *policy.Caller, t *Target) string {
	for _, v := range s.Values {
		if d, same := ask(v.Allow, c, t); same && d.Outcome == policy.Allow {
			return v.Value
		}
	}
	return s.Else
}
