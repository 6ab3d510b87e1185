package proxy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/claimproxy/claimproxy/policy"
)

// Kinds is the set of credentials that a route takes.
type Kinds uint8

// The kinds of credentials.
const (
	// Browser is a session cookie; people without one are offered to sign in.
	Browser Kinds = 1 << iota
	// Bearer is an access token (RFC 6750).
	Bearer
)

// Has reports whether the set contains kind.
func (k Kinds) Has(kind Kinds) bool { return k&kind != 0 }

// Route says for some hosts and a path who may, and where it goes.
type Route struct {
	// Name stands for the route in logs and metrics.
	Name string
	// Hosts are names, or "*.example.org" for exactly one label before the dot. At
	// least one.
	Hosts []string
	// Path is, when it ends in "/", that path, everything below it, and it without
	// the slash; else exactly that path. A segment that is "*" stands for any one
	// segment. It may be percent-encoded.
	Path string
	// Methods, if any, are the only ones the route takes.
	Methods []string
	// SignIn is which credentials count. Zero takes none: everybody is a stranger.
	SignIn Kinds
	// Allow says who may. It is set unless Rules are.
	Allow *policy.Rule
	// Rules, instead of Allow, say who may by method. A method without a rule is
	// refused.
	Rules []MethodRule
	// Providers, if any, are the ids of the only ones whose people and tokens count as
	// allowed. They narrow every rule that asks for somebody, signed-in too, and leave
	// public ones as they are.
	Providers []string
	// PublicFrom are networks whose requests are let in as on a public route, whoever
	// sends them: nobody is asked who that is, and no identity is sent. It is the
	// address of the TCP peer that counts, and no header can change it: behind another
	// proxy everybody has that proxy's address. Methods that the route does not take
	// stay refused, as do those with a rule that says nobody.
	PublicFrom []netip.Prefix
	// PassPreflight lets CORS preflights through to the upstream as on a public route,
	// whether or not the route takes OPTIONS. Other requests with OPTIONS are decided
	// like those of any method.
	PassPreflight bool
	// PassOverride leaves the fields on the request by which applications are told another
	// method. That one is decided on as well as the request's own, and both must be allowed.
	PassOverride bool
	// AmbiguousPaths takes paths with encoded slashes, empty segments and semicolons, which
	// applications read in several ways. Every reading is decided on, by the route that it is
	// on, and all must allow it. A route with StripPrefix cannot have it.
	AmbiguousPaths bool
	// Upstream is where the request goes.
	Upstream *Upstream
	// MaxBody bounds the body of a request; zero is no bound.
	MaxBody int64
	// StripPrefix is what the upstream does not get of the path: the first segments of
	// Path, none of which is "*". It is decided on the whole path. X-Forwarded-Prefix
	// tells the upstream.
	StripPrefix string
	// Headers are the identity headers that the upstream gets.
	Headers []IdentityHeader
	// Assertion sends what is known about the caller signed, too.
	Assertion bool
	// ForwardToken leaves the access token on the request, and the fields beside it that
	// are about it (Config.TokenFields).
	ForwardToken bool
	// BasicToken also takes an access token that comes as the password of Basic, and
	// offers that to programs.
	BasicToken bool
	// PassSchemes are credentials that are the upstream's own business: a request with
	// them passes as on a public route, wherever somebody could be let in at all.
	PassSchemes []Scheme
	// Maintenance has requests that are let in answered in place of the upstream; nil: they
	// are forwarded.
	Maintenance *Maintenance
	// Identify has public rules ask who is calling all the same: callers who are known
	// are told to the upstream, bad credentials are refused, and who has none is let in.
	Identify bool
}

// MethodRule says who may with some methods.
type MethodRule struct {
	Methods []string
	Allow   *policy.Rule
}

// methodTable finds the rule for a method. Methods are compared exactly (RFC 9110
// section 9.1): "get" is not GET.
type methodTable struct {
	// any, if set, is for every method.
	any *policy.Rule
	// by is for the methods in it and no others.
	by map[string]*policy.Rule
	// allowed lists the methods of by, as they are told to clients.
	allowed []string
}

// newMethodTable compiles a route's methods and rules.
func newMethodTable(r *Route) (methodTable, error) {
	switch {
	case r.Allow != nil && len(r.Rules) > 0:
		return methodTable{}, errors.New("it has both allow and rules")
	case r.Allow == nil && len(r.Rules) == 0:
		return methodTable{}, errors.New("it has neither allow nor rules")
	case r.Allow != nil && len(r.Methods) == 0:
		return methodTable{any: r.Allow}, nil
	case r.Allow != nil:
		return tableOf([]MethodRule{{Methods: r.Methods, Allow: r.Allow}})
	}
	table, err := tableOf(r.Rules)
	if err != nil || len(r.Methods) == 0 {
		return table, err
	}
	for _, m := range slices.Clone(table.allowed) {
		if !slices.Contains(r.Methods, m) && (m != "HEAD" || !slices.Contains(r.Methods, "GET")) {
			delete(table.by, m)
			table.allowed = slices.DeleteFunc(table.allowed, func(a string) bool { return a == m })
		}
	}
	return table, nil
}

func tableOf(rules []MethodRule) (methodTable, error) {
	t := methodTable{by: make(map[string]*policy.Rule)}
	for _, rule := range rules {
		if rule.Allow == nil || len(rule.Methods) == 0 {
			return methodTable{}, errors.New("a rule lacks its methods or its allow")
		}
		for _, m := range rule.Methods {
			if refusedMethod(m) {
				return methodTable{}, fmt.Errorf("method %q is never taken", m)
			}
			if t.by[m] != nil {
				return methodTable{}, fmt.Errorf("method %q has two rules", m)
			}
			t.by[m] = rule.Allow
			t.allowed = append(t.allowed, m)
		}
	}
	// HEAD goes with GET (RFC 9110 section 9.3.2), unless it has a rule of its own.
	if get := t.by["GET"]; get != nil && t.by["HEAD"] == nil {
		t.by["HEAD"] = get
		t.allowed = slices.Insert(t.allowed, slices.Index(t.allowed, "GET")+1, "HEAD")
	}
	return t, nil
}

// rule returns the rule for a method, or nil if the route does not take it.
func (t *methodTable) rule(method string) *policy.Rule {
	if t.any != nil {
		return t.any
	}
	return t.by[method]
}

// closed reports whether there is nothing but rules that say nobody.
func (t *methodTable) closed() bool {
	if t.any != nil {
		return t.any.Nobody()
	}
	for _, rule := range t.by {
		if !rule.Nobody() {
			return false
		}
	}
	return true
}

// refusedMethod reports whether a method is refused on every host and path:
// CONNECT asks for a tunnel and names no path, TRACE sends the credentials of the
// request back in the answer, and what is no token (RFC 9110 section 9.1) HTTP/2
// carries and no upstream can be asked with.
func refusedMethod(method string) bool {
	return method == "CONNECT" || method == "TRACE" || !isToken(method)
}
