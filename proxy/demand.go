package proxy

import (
	"github.com/claimproxy/claimproxy/policy"
)

// alsoBy narrows a judgement by the policies that the question names, which decide
// alone where no route is. A name that is not there lets nobody in.
func (p *Proxy) alsoBy(j Judgement, q question) Judgement {
	route := j.Route
	alone := !j.Own && route == nil && j.Verdict.Reason == ReasonNoRoute
	for _, name := range q.policies {
		if !alone && j.Verdict.Outcome != Allow {
			return j
		}
		alone = false
		j.Route = p.demanded(name, route, j.Target.Host)
		j.Verdict = p.Decide(q.asked.Context(), Question{
			Route: j.Route, Target: j.Target, Method: q.asked.Method, Request: q.asked, Client: j.Client, asked: true,
		})
	}
	return j
}

// demanded is the route that a policy makes by itself or, where there is a route, the
// route with the policy in place of its own rules: the credentials that count are the
// same, or two people could stand behind one request.
func (p *Proxy) demanded(name string, route *Entry, host string) *Entry {
	own := p.policies[name]
	if own == nil {
		own = nobodyRoute
	}
	e := &Entry{Route: own.Route, methods: own.methods, headers: own.headers, demanded: true}
	switch {
	case route != nil:
		e.Name, e.SignIn, e.headers = route.Name, route.SignIn, route.headers
		e.BasicToken, e.PassSchemes = route.BasicToken, route.PassSchemes
	case !p.signsIn(host) && !p.cookies.Shares(host):
		// Nobody gets a session on a host that no route names.
		e.SignIn &^= Browser
	}
	return e
}

// askable makes routes of the policies that front proxies may name.
func (p *Proxy) askable(policies map[string]*policy.Rule) error {
	p.policies = make(map[string]*Entry, len(policies))
	var kinds Kinds
	if p.sessions != nil {
		kinds |= Browser
	}
	if p.tokens != nil {
		kinds |= Bearer
	}
	headers, err := compileHeaders(presets[DefaultPreset])
	plan := make(planner).plan(headers)
	for name, rule := range policies {
		p.policies[name] = &Entry{
			Route:   Route{Name: "policy " + name, SignIn: kinds, Allow: rule},
			methods: methodTable{any: rule}, headers: plan,
		}
	}
	return err
}

// nobodyRoute stands for a policy that is not there.
var nobodyRoute = &Entry{methods: methodTable{any: &policy.Rule{}}}
