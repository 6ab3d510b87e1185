package proxy

import (
	"net/http"
	"time"

	"github.com/claimproxy/claimproxy/session/answer"
)

// Maintenance is what callers are told while an application is being worked on.
type Maintenance struct {
	// Sentence is for people; empty: one of our own.
	Sentence string
}

// maintenancePause is when to come back from an application that is being worked on.
const maintenancePause = 5 * time.Minute

// maintain answers a request that was let in, in place of an application that is being
// worked on. Whoever may not in is told that first, so that nobody learns more than
// otherwise, and programs see no other status for their credentials than before and
// afterwards.
func (p *Proxy) maintain(x *exchange, v Verdict) {
	leaveBody(x, linger)
	x.verdict = v
	x.verdict.Reason = ReasonUpstreamUnavailable
	told := Verdict{Reason: ReasonUpstreamUnavailable, RetryAfter: maintenancePause, Sentence: x.route.Maintenance.Sentence}
	if told.Sentence == "" {
		told.Sentence = "The application behind this address is being worked on. Please come back in a while."
	}
	setRetryAfter(x.Header(), told)
	if !answer.WantsPage(x.request) {
		p.answers.Problem(x, x.request, http.StatusServiceUnavailable, p.problem(x, http.StatusServiceUnavailable, &told))
		return
	}
	content := p.content(x, http.StatusServiceUnavailable, &told)
	content.Title = "This is being worked on"
	p.answers.Page(x, x.request, http.StatusServiceUnavailable, content)
}
