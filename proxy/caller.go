package proxy

import (
	"github.com/claimproxy/claimproxy/policy"
	"github.com/claimproxy/claimproxy/session"
)

// callerOf is an identity as rules see it; nil is nobody. The claims are indexed
// once for each session or token.
func (p *Proxy) callerOf(q *Question, id *session.Identity) policy.Caller {
	c := policy.Caller{
		Request: policy.Request{Method: q.Method, Host: q.Target.Host, Path: q.Target.Path, ClientIP: q.Client},
		Now:     p.now(),
	}
	if id == nil {
		return c
	}
	// Without the scope openid there may be a person behind a token and no word about
	// them: nobody who is known.
	c.Claims, c.User = knownOf(id).claims, id.Auth != session.AuthClient && id.Subject != ""
	return c
}

// ask asks a rule about a caller. A rule may look at the path, and an application
// behind two decoders gets another one than the rule; same tells that the outcome
// is the same for every path that the target could be taken for.
func ask(rule *policy.Rule, c *policy.Caller, t *Target) (d policy.Decision, same bool) {
	d = rule.Decide(*c)
	for _, path := range t.readings {
		other := *c
		other.Request.Path = path
		if rule.Decide(other).Outcome != d.Outcome {
			return d, false
		}
	}
	return d, true
}
