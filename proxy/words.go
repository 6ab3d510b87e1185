package proxy

import (
	"github.com/claimproxy/claimproxy/policy"
	"github.com/claimproxy/claimproxy/session"
)

// reasonScope is the reason whose refusal names the error insufficient_scope.
const reasonScope = Reason(policy.ReasonScope)

// What is said where programs are expected.
const (
	forPrograms = "This address is for programs"
	sendToken   = "A program sends an access token with each request, as Authorization: Bearer."
)

// words is what people and programs are told about a reason.
type words struct {
	// title is the heading of the page.
	title string
	// sentence is the first paragraph of the page and the detail of the problem.
	sentence string
}

var wordsByReason = map[Reason]words{
	ReasonNoRoute: {"There is nothing here", "No application is set up at this address."},
	ReasonMethod:  {"This cannot be done here", "This address does not take requests of this method."},
	ReasonBadTarget: {"This address cannot be used",
		"The address can be read in more than one way."},
	ReasonBadHost: {"This address cannot be used", "The request names no valid host."},
	ReasonUpstreamUnavailable: {"The application does not answer",
		"You were let in, but the application behind this address cannot be reached just now."},

	ReasonTooLarge:        {"This is too large", "What was sent is larger than this address takes."},
	ReasonTooSlow:         {"This takes too long", "What was to be sent has not come in time."},
	ReasonTooManyRequests: {"Please try again in a moment", "Too many requests came from your address."},

	Reason(policy.ReasonNobody):     {"Nobody may open this", "This address is closed to everybody."},
	Reason(policy.ReasonNotAllowed): {"You may not open this", "Your account does not have what this address needs."},
	reasonStepUp: {"Please sign in once more",
		"This address needs a stronger or a more recent sign-in than yours."},
	reasonScope: {"This token does not reach this far", "The token lacks a scope that this address needs."},

	Reason(session.ReasonNoCredentials):  {"Please sign in", "This address is for people who are signed in."},
	Reason(session.ReasonSessionExpired): {"Please sign in again", "Your session has expired."},
	Reason(session.ReasonSessionEnded):   {"Please sign in again", "Your session has ended."},
	Reason(session.ReasonTwoCredentials): {"This request cannot be understood", "The request carries more than one Authorization header."},

	Reason(session.ReasonTokenInvalid): {"This token is not accepted", "The access token is not valid."},

	Reason(session.ReasonProviderUnavailable): {"Please try again in a moment",
		"The service that knows who you are cannot be reached just now."},
	Reason(session.ReasonStoreUnavailable): {"Please try again in a moment",
		"Your session cannot be looked up just now."},
}

// wordsOf returns the words of a reason. Reasons about tokens that have no words of
// their own share those of token-invalid.
func wordsOf(r Reason) words {
	if w, ok := wordsByReason[r]; ok {
		return w
	}
	switch r {
	case Reason(session.ReasonTokenExpired), Reason(session.ReasonTokenClient), Reason(session.ReasonTokenAudience),
		Reason(session.ReasonTokenKind), Reason(session.ReasonTokenProvider):
		return wordsByReason[Reason(session.ReasonTokenInvalid)]
	}
	return words{"This is not possible", "The request was refused."}
}
