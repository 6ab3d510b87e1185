package proxy

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

// overrides are the fields by which clients have some applications carry out another
// method than that of the request, as http.CanonicalHeaderKey has them.
var overrides = []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"}

// overridden returns the method that applications may take a request for that has such
// fields, in whatever spelling; "" where there are none. It is not ok where two
// applications could take it for two methods: one reads this field and another that one,
// or makes capital letters.
func overridden(h http.Header) (method string, ok bool) {
	var buf [64]byte
	for name, values := range h {
		if name == "" || name[0] != 'X' && name[0] != 'x' || !slices.ContainsFunc(overrides, func(o string) bool { return strings.EqualFold(o, string(fold(buf[:0], name))) }) {
			continue
		}
		for _, value := range values {
			if method != "" && value != method || refusedMethod(value) || value != strings.ToUpper(value) {
				return "", false
			}
			method = value
		}
	}
	return method, true
}

// decideOverridden decides about a request once more, as what it is to an application that
// heeds those fields. v is the verdict on what it is to all others, who let it in; both
// have to.
func (p *Proxy) decideOverridden(ctx context.Context, q Question, v Verdict) Verdict {
	method, ok := overridden(q.Request.Header)
	switch {
	case !ok:
		refused := Verdict{Outcome: Deny, Reason: ReasonMethod, Methods: q.Route.methods.allowed, Sentence: "The request names several methods in its header, or one that is never taken."}
		if refused.Methods == nil {
			refused.Methods = usualMethods
		}
		return refused
	case method == "" || method == q.Method:
		return v
	}
	q.Method = method
	other := p.decide(ctx, q)
	if other.Outcome == Allow && other.Identity == nil {
		return v // which may know who it is
	}
	return other
}

// keepOverrides puts back what a route's upstream is to see of those fields: as they came,
// and under the names by which they are known.
func keepOverrides(h http.Header, in *http.Request) {
	for _, name := range overrides {
		if values := in.Header[name]; len(values) > 0 {
			h[name] = values
		}
	}
}
