package proxy

import (
	"slices"
	"strings"

	"github.com/claimproxy/claimproxy/policy"
	"github.com/claimproxy/claimproxy/session"
)

// narrow denies a caller whose provider the route does not name: a group of one
// provider is not the group of that name at another. What else is missing is not
// told, as an account there is needed first.
//
// The rule's own outcome stays in the decision, so that a shadow is compared with
// what it stands beside. A public rule lets such a caller in like anybody, and as nobody.
func (p *Proxy) narrow(v *Verdict, e *Entry, rule *policy.Rule) {
	if len(e.Providers) == 0 || v.Identity == nil || slices.Contains(e.Providers, v.Identity.Provider) {
		return
	}
	if rule.Public() {
		v.Identity, v.Caller = nil, policy.Caller{Request: v.Caller.Request, Now: v.Caller.Now}
		return
	}
	v.Outcome, v.Reason = Deny, Reason(policy.ReasonNotAllowed)
	v.Decision.Needs = []policy.Need{p.accountAt(e.Providers, v.Identity)}
}

// accountAt says which account is needed, and which one the caller has.
func (p *Proxy) accountAt(providers []string, id *session.Identity) policy.Need {
	names := make([]string, len(providers))
	for i, provider := range providers {
		names[i] = p.nameOf(provider)
	}
	have := "you are signed in at "
	if id.Auth != session.AuthBrowser {
		have = "your token is from "
	}
	return policy.Need{
		Text: "an account at " + strings.Join(names, " or "), Have: have + p.nameOf(id.Provider), Claim: "provider",
		Missing: true, // Have is a sentence of its own
	}
}

// nameOf is what people call a provider.
func (p *Proxy) nameOf(id string) string {
	if name := p.names[id]; name != "" {
		return name
	}
	return id
}
