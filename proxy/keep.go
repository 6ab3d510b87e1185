package proxy

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/answer"
)

// Forms keeps what people had typed while their session ended.
type Forms interface {
	// KeepForm keeps a form and returns the place to return to after signing in, which is
	// "" when there is nothing to keep.
	KeepForm(r *http.Request, body []byte, place string) (returnTo string, err error)
}

// maxForm is the length of a form that is kept, and formTime how long it may take to
// arrive.
const (
	maxForm  = 64 << 10
	formTime = 5 * time.Second
)

// keepForm keeps the form that a request carries, if a person has sent it from a page of
// this origin with a session that is over by its time. No stranger's body is ever read:
// a session was theirs, or there is nothing to keep.
func (p *Proxy) keepForm(x *exchange, v Verdict) {
	r := x.request
	if p.forms == nil || v.Reason != Reason(session.ReasonSessionExpired) || r.Method != http.MethodPost ||
		r.ContentLength <= 0 || r.ContentLength > maxForm || len(r.Header["Authorization"]) > 0 ||
		!answer.WantsPage(r) || !sentFromHere(r, &x.target) {
		return
	}
	_ = http.NewResponseController(x).SetReadDeadline(time.Now().Add(formTime))
	body, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
	if err != nil || len(body) > maxForm {
		return
	}
	asked := *r
	asked.Host = x.target.Authority
	place, err := p.forms.KeepForm(&asked, body, x.target.requestURI())
	var u *session.Unavailable
	if err != nil && !errors.As(err, &u) {
		p.log.WarnContext(r.Context(), "a form could not be kept", "error", err, "request_id", x.id)
	}
	x.returnTo = place
}

// sentFromHere reports whether a page of the target's own origin has sent a request.
func sentFromHere(r *http.Request, t *Target) bool {
	origins, sites := r.Header["Origin"], r.Header["Sec-Fetch-Site"]
	return len(origins) == 1 && sameOrigin(origins[0], t) &&
		(len(sites) == 0 || len(sites) == 1 && sites[0] == "same-origin")
}
