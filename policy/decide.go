package policy

import "time"

// Outcome is what is to be done with a request. The zero value denies.
type Outcome int

const (
	// Deny: the caller may not. Signing in again as the same person is no use.
	Deny Outcome = iota
	// Allow: the caller may.
	Allow
	// SignIn: nobody is known, and somebody might be allowed; or the caller is known, and
	// would be allowed after signing in in another way.
	SignIn
)

// String returns deny, allow or sign-in, as the audit log and tests write it.
func (o Outcome) String() string {
	switch o {
	case Allow:
		return "allow"
	case SignIn:
		return "sign-in"
	}
	return "deny"
}

// Reason is the stable word for why a decision came out as it did. Words are
// written to audit logs and sent to programs, and are never renamed.
type Reason string

const (
	// ReasonPublic allows: the rule is public.
	ReasonPublic Reason = "public"
	// ReasonSignedIn allows: the rule asks for a signed-in person and there is one.
	ReasonSignedIn Reason = "signed-in"
	// ReasonPolicy allows: the condition holds.
	ReasonPolicy Reason = "policy"
	// ReasonNobody denies: the rule lets nobody in.
	ReasonNobody Reason = "nobody"
	// ReasonNotAllowed denies: the condition does not hold.
	ReasonNotAllowed Reason = "not-allowed"
	// ReasonScope denies: nothing but scopes of the token was lacking, which RFC
	// 6750 section 3.1 calls insufficient_scope.
	ReasonScope Reason = "scope"
	// ReasonStepUp asks to sign in once more: nothing was lacking but that the person
	// signed in with other means, or not so long ago (RFC 9470).
	ReasonStepUp Reason = "step-up"
	// ReasonNoCredentials asks to sign in: nobody is known.
	ReasonNoCredentials Reason = "no-credentials"
)

// Request is what a caller asks for, as far as conditions may know: expr
// expressions alone look at it.
type Request struct {
	// Method is exactly as it came, Host the name in small letters without a port.
	Method, Host string
	// Path is the canonical path, decoded: the one that routes are chosen by.
	Path string
	// ClientIP is the caller's address, empty when it has none.
	ClientIP string
}

// Caller is who asks.
type Caller struct {
	// Claims are the caller's, indexed. Nil means that nobody is known.
	Claims *Claims
	// User is true when the claims are those of a person who is known. A program
	// with a token of its own (RFC 6749 section 4.4) has claims and no user; it is
	// never signed-in.
	User bool
	// Request is what is asked for.
	Request Request
	// Now is the time that "within" counts from. The zero time is the moment when
	// nothing is within anything.
	Now time.Time
}

// Decision is the answer, with what people and logs need to know about it. The
// zero value denies.
type Decision struct {
	Outcome Outcome
	Reason  Reason
	// Policy is the name of the policy that decided, or the text of the condition
	// when it has no name; empty for public, signed-in and nobody.
	Policy string
	// Title and Help are the policy's.
	Title, Help string
	// Needs says, for a denial, what was missing, as far as the policy's Explain
	// lets it.
	Needs []Need
	// Scopes are those with which the token would do, when Reason is scope. They may be
	// empty.
	Scopes []string
	// StepUp is what signing in once more has to bring, when Reason is step-up.
	StepUp *StepUp
	// Shadow is what the rule's shadow would have decided; nil without one.
	Shadow *Shadow
	// Err is set when the condition could not be evaluated. That is a fault of
	// claimproxy, it belongs into the log, and the decision is a denial.
	Err error
}

// Shadow is the decision of a condition that is tried out beside a rule on live
// traffic. It never decides anything.
type Shadow struct {
	// Policy is the name of the policy or the text of the condition.
	Policy  string
	Outcome Outcome
	Reason  Reason
	// Needs says, for a denial, what was missing.
	Needs []Need
	// Err is as in a Decision: of the decision beside it nothing was wrong.
	Err error
}

// Differs reports whether a decision would have come out otherwise.
func (d Decision) Differs() bool { return d.Shadow != nil && d.Shadow.Outcome != d.Outcome }

// Decide answers whether the caller may. It is safe for concurrent use.
func (r *Rule) Decide(c Caller) Decision {
	d := r.decide(&c)
	if r != nil && r.shadow != nil {
		s := r.shadow.decide(&c)
		d.Shadow = &Shadow{Policy: s.Policy, Outcome: s.Outcome, Reason: s.Reason, Needs: s.Needs, Err: s.Err}
		if d.Shadow.Policy == "" {
			d.Shadow.Policy = r.shadow.String()
		}
	}
	return d
}

func (r *Rule) decide(c *Caller) Decision {
	switch {
	case r.Nobody():
		return Decision{Outcome: Deny, Reason: ReasonNobody}
	case r.Public():
		return Decision{Outcome: Allow, Reason: ReasonPublic}
	}
	d := Decision{Policy: r.policy, Title: r.title, Help: r.help}
	if r.kind == ruleCondition && d.Policy == "" {
		d.Policy = r.text
	}
	if c.Claims == nil {
		d.Outcome, d.Reason = SignIn, ReasonNoCredentials
		return d
	}
	if r.kind == ruleSignedIn {
		if c.User {
			d.Outcome, d.Reason = Allow, ReasonSignedIn
			return d
		}
		d.Reason = ReasonNotAllowed
		d.Needs = []Need{{Text: "a signed-in person", Have: "a token that names no person"}}
		return d
	}
	granted, err := r.program.run(c)
	switch {
	case err != nil:
		d.Reason, d.Err = ReasonNotAllowed, err
	case granted:
		d.Outcome, d.Reason = Allow, ReasonPolicy
	default:
		who := *c // only here does the caller leave the stack
		d.Reason, d.Needs = r.tree.explain(&who)
		if d.Reason == ReasonScope {
			d.Scopes = r.tree.lacking(&who)
		} else if d.StepUp = r.tree.stepUp(&who); d.StepUp != nil {
			d.Outcome, d.Reason = SignIn, ReasonStepUp
		}
	}
	return d
}
