package proxy

import (
	"github.com/claimproxy/claimproxy/policy"
	"github.com/claimproxy/claimproxy/session"
)

// meanings say what each reason means to those who run claimproxy.
var meanings = map[Reason]string{
	Reason(policy.ReasonPublic):   "anybody may: the route is public, or lets this network or these credentials of the application's own pass",
	Reason(policy.ReasonSignedIn): "the route lets everybody in who is known, and the caller was",
	Reason(policy.ReasonPolicy):   "the caller's claims fulfil the policy",

	ReasonNoRoute:                   "no route names this host and path",
	ReasonMethod:                    "the route does not take this method, or the method is refused everywhere",
	ReasonBadTarget:                 "the request can be read in more than one way: an encoded slash, dots or //, or a question of a front proxy that lacks something",
	ReasonBadHost:                   "the Host header is missing, empty or no host",
	Reason(policy.ReasonNobody):     "the route is closed to everybody",
	Reason(policy.ReasonNotAllowed): "the caller is known, and the claims do not fulfil the policy",
	Reason(policy.ReasonScope):      "the token lacks a scope that the policy asks for",

	Reason(session.ReasonNoCredentials):  "no session cookie and no token came along, or only kinds that the route does not take",
	Reason(session.ReasonSessionExpired): "the session was not used for session.idle, reached session.lifetime, or could not be renewed without the person",
	Reason(session.ReasonSessionEnded):   "the session was ended: by signing out, by the provider, from another browser or by an administrator; or its provider is not configured any more",
	Reason(policy.ReasonStepUp):          "the caller is known and lacks nothing but a stronger (acr) or more recent (auth_time) sign-in",
	Reason(session.ReasonTokenInvalid):   "the token is malformed, its signature is bad, or its provider does not know it (any more)",
	Reason(session.ReasonTokenExpired):   "the token was good and is over: the program has to fetch another one",
	Reason(session.ReasonTokenClient):    "the token was issued to a client that is not among the provider's clients in the configuration",
	Reason(session.ReasonTokenAudience):  "the token is for another service: its aud names no listed client and none of bearer.audiences",
	Reason(session.ReasonTokenKind):      "it is a token of a kind that is not accepted here, such as an ID token or a refresh token",
	Reason(session.ReasonTokenProvider):  "the token is of no configured provider, or it cannot be told which one it is of",
	Reason(session.ReasonTwoCredentials): "the request carries two Authorization headers",

	Reason(session.ReasonProviderUnavailable): "the provider had to be asked and gave no usable answer",
	Reason(session.ReasonStoreUnavailable):    "the session store, or an audit log with on_failure: refuse, cannot be used",
	ReasonUpstreamUnavailable:                 "the caller was let in, and the application gave no answer",
	ReasonTooLarge:                            "the caller was let in, and the body was larger than the route takes; or the header had more fields than limits.header_fields",
	ReasonTooSlow:                             "the caller was let in, and its body did not come in time, see limits.body_timeout and body_rate",
	ReasonTooManyRequests:                     "too many requests were under way (503), or too many sign-ins or bad tokens came from the client's address (429), see limits",
}

// Meaning is what a reason means, for those who run claimproxy; empty for a word that is
// none.
func (r Reason) Meaning() string { return meanings[r] }
