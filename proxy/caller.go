package proxy

import (
	"github.com/claimproxy/claimproxy/policy"
	"github.com/claimproxy/claimproxy/session"
)

// caller is whom rules are asked about, with what is asked for.
type caller struct {
	policy.Caller
	// readings are the further paths that the request's could be taken for.
	readings []string
}

// callerOf is an identity as rules see it; nil is nobody. The claims are indexed
// once for each session or token.
func (p *Proxy) callerOf(q *Question, id *session.Identity) caller {
	c := caller{readings: q.Target.readings, Caller: policy.Caller{
		Request: policy.Request{Method: q.Method, Host: q.Target.Host, Path: q.Target.Path, ClientIP: clientIP(q.Request)},
		Now:     p.now(),
	}}
	if id == nil {
		return c
	}
	index, ok := id.Prepared(indexClaims).(*policy.Claims)
	if !ok {
		index = policy.Index(id.Claims)
	}
	// Without the scope openid there may be a person behind a token and no word about
	// them: nobody who is known.
	c.Claims, c.User = index, id.Auth != session.AuthClient && id.Subject != ""
	return c
}

func indexClaims(c session.Claims) any { return policy.Index(c) }

// ask asks a rule about the caller. A rule may look at the path, and an application
// behind two decoders gets another one than the rule; same tells that the outcome
// is the same for every path that could be meant.
func (c *caller) ask(rule *policy.Rule) (d policy.Decision, same bool) {
	d = rule.Decide(c.Caller)
	for _, path := range c.readings {
		other := c.Caller
		other.Request.Path = path
		if rule.Decide(other).Outcome != d.Outcome {
			return d, false
		}
	}
	return d, true
}
