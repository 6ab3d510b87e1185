package proxy

import (
	"github.com/claimproxy/claimproxy/policy"
	"github.com/claimproxy/claimproxy/session"
)

// Reason is the stable word for why a request came out as it did. It is written to
// the audit log and is the code of problem+json. Words are never renamed. Besides
// those below, the words of session.Reason and policy.Reason are reasons.
type Reason string

// The reasons that only the proxy knows.
const (
	// ReasonNoRoute: no route names this host and path.
	ReasonNoRoute Reason = "no-route"
	// ReasonMethod: the route does not take this method.
	ReasonMethod Reason = "method"
	// ReasonBadTarget: the request target can be read in more than one way.
	ReasonBadTarget Reason = "bad-target"
	// ReasonBadHost: the Host header is missing, empty or no host.
	ReasonBadHost Reason = "bad-host"
	// ReasonUpstreamUnavailable: the upstream cannot be reached or gave no answer.
	ReasonUpstreamUnavailable Reason = "upstream-unavailable"
	// ReasonTooLarge: the body is larger than the route takes, or the header has more
	// fields than anybody needs.
	ReasonTooLarge Reason = "too-large"
	// ReasonTooSlow: the client did not send its body in time.
	ReasonTooSlow Reason = "too-slow"
	// ReasonTooManyRequests: too many requests are under way, or too many of a kind came
	// from one address.
	ReasonTooManyRequests = Reason(session.ReasonTooManyRequests)
)

// Reasons are all the words that there are, so that whoever counts by them knows
// what to expect.
var Reasons = []Reason{
	Reason(policy.ReasonPublic), Reason(policy.ReasonSignedIn), Reason(policy.ReasonPolicy),

	ReasonNoRoute, ReasonMethod, ReasonBadTarget, ReasonBadHost,
	Reason(policy.ReasonNobody), Reason(policy.ReasonNotAllowed), Reason(policy.ReasonScope),

	Reason(session.ReasonNoCredentials), Reason(session.ReasonSessionExpired), Reason(session.ReasonSessionEnded), Reason(policy.ReasonStepUp),
	Reason(session.ReasonTokenInvalid), Reason(session.ReasonTokenExpired), Reason(session.ReasonTokenClient),
	Reason(session.ReasonTokenAudience), Reason(session.ReasonTokenKind), Reason(session.ReasonTokenProvider),
	Reason(session.ReasonTwoCredentials),

	Reason(session.ReasonProviderUnavailable), Reason(session.ReasonStoreUnavailable), ReasonUpstreamUnavailable,
	ReasonTooLarge, ReasonTooSlow, ReasonTooManyRequests,
}
