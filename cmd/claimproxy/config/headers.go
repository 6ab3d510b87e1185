package config

import (
	"fmt"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"

	"github.com/claimproxy/claimproxy/proxy"
)

// IdentityHeaders say which headers tell an application who is calling. They are set
// in this order, and a later one takes the place of an earlier one with its name. In
// the file they are
//
//	identity_headers: grafana                            # a preset
//	identity_headers: {X-User: preferred_username}       # a header and the claim in it
//	identity_headers: {X-Role: {admins: Admin, else: Viewer}}   # a header and policies
//	identity_headers: [x-forwarded, {X-Team: department}]       # a list of these
type IdentityHeaders []IdentityHeader

// IdentityHeader is a preset or one header: exactly one of Preset, Claim and Cases is
// set.
type IdentityHeader struct {
	// Preset is a well-known set of headers.
	Preset HeaderPreset
	// Name is the header's name as it stands in the file; empty for a preset.
	Name string
	// Claim is the claim whose value the header has; dots walk into objects.
	Claim string
	// Cases choose the header's value: that of the first whose policy holds.
	Cases []HeaderCase
	// Else is the value when no policy of Cases holds. When it is empty the header is
	// not sent then.
	Else string
}

// HeaderCase is the value of a header for those whom a policy lets pass.
type HeaderCase struct {
	// Policy is the name of a policy.
	Policy string
	// Value is the header's value.
	Value string
}

// HeaderPreset is a well-known set of identity headers.
type HeaderPreset string

// The presets.
const (
	// PresetXForwarded is X-Forwarded-User, -Email, -Groups and -Preferred-Username.
	PresetXForwarded HeaderPreset = "x-forwarded"
	// PresetRemoteUser is Remote-User and its kin.
	PresetRemoteUser HeaderPreset = "remote-user"
	// PresetGrafana is what Grafana's auth.proxy reads.
	PresetGrafana HeaderPreset = "grafana"
	// PresetNone is no header at all. It stands alone.
	PresetNone HeaderPreset = "none"
)

func (HeaderPreset) words() []string {
	return []string{string(PresetXForwarded), string(PresetRemoteUser), string(PresetGrafana), string(PresetNone)}
}

// elseKey is the key of IdentityHeader.Else among the policies.
const elseKey = "else"

// unfitHeaders carry the message itself, or are set by the proxy, so that a claim in
// them would break requests or lie about them.
var unfitHeaders = []string{
	"Connection", "Content-Encoding", "Content-Length", "Content-Type", "Cookie", "Date", "Expect", "Forwarded", "Host", "Keep-Alive",
	"Origin", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Range", "Set-Cookie", "Te", "Trailer", "Transfer-Encoding",
	"Upgrade", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Request-Id",
}

// headerTemplate is a claim as proxies that fill in templates have it: {email},
// $email, %{REMOTE_USER}.
var headerTemplate = regexp.MustCompile(`[{}]|^[$%]`)

func (h *IdentityHeaders) decode(l *loader, n *yaml.Node, path string) bool {
	list := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		list = n.Content
		if len(list) == 0 {
			l.fault(n, path, "expected a preset, a mapping from headers, or a list of these, got an empty list").hint("for no headers at all say none")
			return false
		}
	}
	*h = IdentityHeaders{}
	ok := true
	for i, element := range list {
		at := path
		if n.Kind == yaml.SequenceNode {
			at = fmt.Sprintf("%s[%d]", path, i)
		}
		ok = h.element(l, follow(element), at, len(list) == 1) && ok
	}
	return ok
}

// element decodes a preset or a mapping from headers.
func (h *IdentityHeaders) element(l *loader, n *yaml.Node, path string, alone bool) bool {
	if n.Kind == yaml.MappingNode {
		before := len(l.errors)
		seen := make(map[string]string)
		l.eachKey(n, path, func(name string, key, val *yaml.Node, path string) {
			folded := strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name))
			if other, twice := seen[folded]; twice {
				l.fault(key, path, "%s and %s are one header to most applications", name, other)
				return
			}
			seen[folded] = name
			h.header(l, name, key, follow(val), path)
		})
		return len(l.errors) == before
	}
	var preset HeaderPreset
	if !isText(n) {
		l.fault(n, path, "expected a preset or a mapping from headers, got %s", l.describe(n))
		return false
	}
	if !l.into(&preset, n, path) {
		return false
	}
	if preset == PresetNone && !alone {
		l.fault(n, path, "none stands alone")
		return false
	}
	*h = append(*h, IdentityHeader{Preset: preset})
	return true
}

// header decodes one header and where its value comes from.
func (h *IdentityHeaders) header(l *loader, name string, key, val *yaml.Node, path string) {
	switch canonical := textproto.CanonicalMIMEHeaderKey(name); {
	case !isToken(name):
		l.fault(key, path, "expected the name of a header, got %s", quote(name))
		return
	case strings.HasPrefix(canonical, "X-Claimproxy-"):
		l.fault(key, path, "headers whose name begins with X-Claimproxy- are claimproxy's own")
		return
	case slices.Contains(unfitHeaders, canonical), proxy.CheckHeaderName(name) != nil: // which has the last word
		f := l.fault(key, path, "the header %s cannot tell who is calling", name)
		if canonical == "Authorization" {
			f.hint("with forward_token: true the application sees the caller's bearer token there")
		}
		return
	}
	header := IdentityHeader{Name: name}
	switch {
	case isNull(val):
		l.nothing(key, val, path, options{required: true})
		return
	case templateOf(val) != "", isText(val) && headerTemplate.MatchString(val.Value):
		l.fault(val, path, "there are no templates: write the claim's name, as in preferred_username")
		return
	case val.Kind == yaml.MappingNode:
		if !header.cases(l, val, path) {
			return
		}
	case !isText(val) || !isHeaderValue(val.Value):
		l.fault(val, path, "expected a claim, or a mapping from policies to values, got %s", l.describe(val)).hint("%s", quoteHint(val))
		return
	default:
		header.Claim = val.Value
	}
	*h = append(*h, header)
}

// cases decodes {policy: value, else: value}.
func (h *IdentityHeader) cases(l *loader, n *yaml.Node, path string) bool {
	before := len(l.errors)
	l.eachKey(n, path, func(name string, key, val *yaml.Node, path string) {
		val = follow(val)
		switch {
		case isNull(val):
			l.nothing(key, val, path, options{required: true})
		case !isText(val):
			l.fault(val, path, "expected a string, got %s", l.describe(val)).hint("%s", quoteHint(val))
		case l.template(val, path):
		case !isHeaderValue(val.Value), proxy.CheckHeaderValue(val.Value) != nil:
			l.fault(val, path, "expected a value for a header, without control characters, commas and outer blanks, got %s", quote(val.Value))
		case name == elseKey:
			h.Else = val.Value
		default:
			h.Cases = append(h.Cases, HeaderCase{Policy: name, Value: val.Value})
			l.policyNames = append(l.policyNames, policyName{name, key, path})
		}
	})
	if len(l.errors) == before && len(h.Cases) == 0 {
		l.fault(n, path, "expected at least one policy and its value")
	}
	return len(l.errors) == before
}

// isToken says whether s is a token (RFC 9110 section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// isHeaderValue says whether s may be sent as the value of a header.
func isHeaderValue(s string) bool {
	return s != "" && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, unicode.IsControl)
}
