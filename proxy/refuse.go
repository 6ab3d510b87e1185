package proxy

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/claimproxy/claimproxy/session"
	"github.com/claimproxy/claimproxy/session/answer"
)

// retryAfter is when to come back if nobody knows better.
const retryAfter = 5 * time.Second

// linger is how long a connection whose request body nobody wants is kept to let
// the client read the answer.
const linger = 500 * time.Millisecond

// ownBody is how long the body of a request for one of our own pages may take. None
// of them takes more than a form.
const ownBody = 5 * time.Second

// maxReturnTo bounds the way back that is remembered while somebody signs in.
const maxReturnTo = 2048

// refuse answers a request that may not pass. It is the one place where a verdict
// becomes a status and an answer.
func (p *Proxy) refuse(x *exchange, v Verdict) {
	r := x.request
	x.verdict = v
	p.logCause(x, v)
	if v.Outcome == SignIn {
		p.keepForm(x, v)
	}
	leaveBody(x, linger)
	mayNavigate := takes(x, Browser)
	switch v.Outcome {
	case BadRequest:
		p.answer(x, http.StatusBadRequest, v)
	case Misdirected:
		// RFC 9110 section 15.5.20: a client may try again with a connection of its own.
		p.answer(x, http.StatusMisdirectedRequest, v)
	case SignIn:
		if mayNavigate && answer.IsNavigation(r) {
			p.answers.Redirect(x, r, http.StatusFound, p.signInURL(x))
			return
		}
		p.challenge(x, &v)
		p.answer(x, http.StatusUnauthorized, v)
	case BadCredentials:
		p.challenge(x, &v)
		p.answer(x, http.StatusUnauthorized, v)
	case Unavailable:
		setRetryAfter(x.Header(), v)
		p.answer(x, http.StatusServiceUnavailable, v)
	case TooMany:
		setRetryAfter(x.Header(), v)
		p.answer(x, http.StatusTooManyRequests, v)
	default:
		p.deny(x, v)
	}
}

// setRetryAfter says when to ask again, in whole seconds (RFC 9110 section 10.2.3).
func setRetryAfter(h http.Header, v Verdict) {
	wait := v.RetryAfter
	if wait <= 0 {
		wait = retryAfter
	}
	h.Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
}

// deny answers what nobody can change by sending other credentials, or only
// somebody else can.
func (p *Proxy) deny(x *exchange, v Verdict) {
	switch v.Reason {
	case ReasonNoRoute:
		p.answer(x, http.StatusNotFound, v)
	case ReasonMethod:
		// RFC 9110 section 15.5.6: a 405 says what would do.
		x.Header().Set("Allow", strings.Join(v.Methods, ", "))
		p.answer(x, http.StatusMethodNotAllowed, v)
	case reasonScope:
		p.challenge(x, &v)
		p.answer(x, http.StatusForbidden, v)
	default:
		p.answer(x, http.StatusForbidden, v)
	}
}

// upstreamFailed answers a request that was let in and got no answer, because of err.
func (p *Proxy) upstreamFailed(x *exchange, err error) {
	leaveBody(x, linger)
	v := Verdict{Reason: ReasonUpstreamUnavailable}
	x.verdict.Reason = v.Reason
	switch {
	case errors.Is(err, errNoServer):
		setRetryAfter(x.Header(), v)
		p.answer(x, http.StatusServiceUnavailable, v)
	case isTimeout(err) && !isDial(err):
		p.answer(x, http.StatusGatewayTimeout, v)
	default:
		p.answer(x, http.StatusBadGateway, v)
	}
}

// tooLarge answers a request that was let in, and whose body is larger than its route
// takes (RFC 9110 section 15.5.14).
func (p *Proxy) tooLarge(x *exchange) {
	leaveBody(x, linger)
	v := Verdict{Reason: ReasonTooLarge}
	x.verdict.Reason = v.Reason
	p.answer(x, http.StatusRequestEntityTooLarge, v)
}

// leaveBody arranges that an answer which did not need the request's body goes out
// without it: the body is not asked for, not waited for, and the connection, on
// which it may still come, is closed after wait. HTTP/2 ends the one stream instead.
func leaveBody(x *exchange, wait time.Duration) {
	if x.request.ContentLength == 0 || x.request.ProtoMajor != 1 {
		return
	}
	x.Header().Set("Connection", "close")
	// After the answer net/http reads on for a while, so that a client in the
	// middle of its body gets to see the answer. This ends that while.
	_ = http.NewResponseController(x).SetReadDeadline(time.Now().Add(wait))
}

// returnTo is the way back after signing in: this very page, if opening it again is
// all that was asked.
func returnTo(t *Target, method string) string {
	if method != http.MethodGet && method != http.MethodHead {
		return "/"
	}
	place := t.Encoded
	if t.HasQuery {
		place += "?" + encodeQuery(t.Query)
	}
	if len(place) > maxReturnTo {
		place = t.Encoded
	}
	if len(place) > maxReturnTo {
		return "/"
	}
	return place
}

// encodeQuery percent-encodes what may not stand in a URL. Browsers send some of it
// as it is, and read both as the same.
func encodeQuery(q string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(q); i++ {
		if c := q[i]; c <= 0x20 || c >= 0x7f || strings.IndexByte("\"#<>\\^`{|}", c) >= 0 {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// logCause logs what a refusal does not tell.
func (p *Proxy) logCause(x *exchange, v Verdict) {
	ctx := x.request.Context()
	level, message := slog.LevelDebug, "refused"
	switch {
	case v.Decision.Err != nil:
		level, message = slog.LevelError, "policy could not be evaluated"
	case v.Reason == ReasonTooManyRequests: // which is told once in a while, see limit.Limiter
	case v.Outcome == Unavailable:
		level, message = slog.LevelWarn, "caller cannot be known now"
	case v.Cause == nil:
		return
	}
	if ctx.Err() != nil {
		return
	}
	p.log.LogAttrs(ctx, level, message,
		slog.String("reason", string(v.Reason)), slog.Any("error", v.Cause), slog.String("request_id", x.id))
}

// answer writes the page or the problem document of a refusal. Both say the same.
func (p *Proxy) answer(x *exchange, status int, v Verdict) {
	if answer.WantsPage(x.request) {
		p.answers.Page(x, x.request, status, p.content(x, status, &v))
		return
	}
	p.answers.Problem(x, x.request, status, p.problem(x, status, &v))
}

// problem is a refusal in words for programs.
func (p *Proxy) problem(x *exchange, status int, v *Verdict) answer.Problem {
	problem := answer.Problem{Code: string(v.Reason), Detail: sentenceOf(v)}
	if len(v.Decision.Needs) > 0 {
		problem.Detail = needed(v)
	}
	if status != http.StatusUnauthorized {
		return problem
	}
	nobody := v.Reason == Reason(session.ReasonNoCredentials)
	switch {
	case takes(x, Browser):
		problem.SignInURL, _ = p.signInPage(x.target.Host)
		if query := stepUpQuery(v); query != "" {
			problem.SignInURL += "?" + query[1:]
		}
		if nobody && takes(x, Bearer) {
			problem.Detail += " " + sendToken
		}
	case nobody:
		problem.Detail = forPrograms + ". " + sendToken
	}
	return problem
}

// content is a refusal in words for people.
func (p *Proxy) content(x *exchange, status int, v *Verdict) answer.Content {
	r := x.request
	words := wordsOf(v.Reason)
	content := answer.Content{Title: words.title, Text: []string{sentenceOf(v)}, Help: v.Decision.Help}
	for _, n := range v.Decision.Needs {
		content.Needs = append(content.Needs, answer.Need{Needs: n.Text, Have: n.Have})
	}
	if len(content.Needs) > 0 {
		content.Text[0] = words.sentence
	}
	if title := v.Decision.Title; title != "" && v.Outcome == Deny {
		content.Text = append(content.Text, "It is for: "+title+".")
	}
	browser := takes(x, Browser)
	switch {
	case status == http.StatusUnauthorized && browser:
		content.Actions = []answer.Action{{Label: "Sign in", URL: p.signInURL(x), Main: true}}
		if x.returnTo != "" {
			content.Text = append(content.Text, "What you have just sent is kept for a quarter of an hour: sign in, and you can send it again.")
		}
	case status == http.StatusUnauthorized && v.Reason == Reason(session.ReasonNoCredentials):
		content.Title, content.Text = forPrograms, []string{sendToken}
	case status == http.StatusUnauthorized:
		content.Text = append(content.Text, forPrograms+". "+sendToken)
	case status == http.StatusForbidden && browser && v.Identity != nil:
		if v.Identity.User != "" {
			content.Facts = []answer.Fact{{Name: "Signed in as", Value: v.Identity.User}}
		}
		content.Actions = []answer.Action{{Label: "Sign in as somebody else", URL: p.signInURL(x) + "&prompt=select_account"}}
	case (status >= 500 || status == http.StatusTooManyRequests) && x.target.Path != "" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		content.Actions = []answer.Action{{Label: "Try again", URL: x.target.requestURI(), Main: true}}
	}
	return content
}

// takes reports whether a request is on a route that takes these credentials.
func takes(x *exchange, means Kinds) bool { return x.route != nil && x.route.SignIn.Has(means) }

// needed tells in one line what was missing.
func needed(v *Verdict) string {
	parts := make([]string, len(v.Decision.Needs))
	for i, n := range v.Decision.Needs {
		parts[i] = n.String()
	}
	return strings.Join(parts, "; ")
}

// sentenceOf is what is told about a verdict: what is known about this very case,
// else what holds for all of its reason.
func sentenceOf(v *Verdict) string {
	switch {
	case v.Sentence != "":
		return v.Sentence
	case v.Outcome == BadCredentials:
		return wordsOf(Reason(session.ReasonTokenInvalid)).sentence
	}
	return wordsOf(v.Reason).sentence
}
