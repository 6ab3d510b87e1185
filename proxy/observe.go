package proxy

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"
)

// Event is what happened to one request. Audit log and metrics are made of it. It
// holds no token, no cookie and no query.
type Event struct {
	// Context is the request's, for observers that follow it from one program to the next.
	Context context.Context
	// Time is when the request came.
	Time time.Time
	// RequestID is our own; it is on the answer and on the request to the upstream.
	RequestID string
	// Route is the name of the route, empty if none matched.
	Route string
	// Host and Path are the target's: canonical, the path as it is forwarded. Of a
	// target that was refused, Path is what came, without query.
	Host, Path string
	Method     string
	// ClientIP is the address of the client, as far as it can be believed; that of the
	// peer where nobody says more.
	ClientIP string
	// Decision is allow, deny or sign-in; empty for claimproxy's own pages.
	Decision string
	Reason   Reason
	// Policy is the name of the policy that decided, or its condition.
	Policy string
	// Shadow is what the rule's shadow would have decided: allow, deny or sign-in;
	// empty if there is none or the rule was not asked. ShadowPolicy is the shadow's
	// policy or condition.
	Shadow, ShadowPolicy string
	// ShadowDiffers tells that the shadow came to another outcome than the rule that
	// it stands beside. What the route demands beyond its rule, and would demand of
	// the shadow as well, is no difference, even where Shadow and Decision differ.
	ShadowDiffers bool
	// Auth, Provider and Subject are the caller's, empty if nobody is known.
	Auth, Provider, Subject string
	// Status is what was sent; 499 if the client went away before.
	Status int
	// Upstream is the name of the upstream that was asked, empty if none was.
	Upstream string
	Duration time.Duration
	// LeftOut is how many values of identity headers were left out because an
	// upstream could take them for something else.
	LeftOut int
}

// statusClientGone is nginx's word for a client that went away. It is never sent.
const statusClientGone = 499

// exchange is one request on its way, and the ResponseWriter of its answer.
type exchange struct {
	http.ResponseWriter
	request  *http.Request
	id       string
	began    time.Time
	client   string // the address of who sent it, see Judgement
	target   Target
	route    *Entry // nil: none was found, or looked for
	verdict  Verdict
	returnTo string     // where to go after signing in, if not to what was asked for
	own      bool       // it is for a page of our own
	shares   netip.Addr // that it is counted for, see withinLimits
	upstream string     // the name of the one that was asked
	server   *server    // the one of its servers that has answered
	direct   bool       // it went the short way
	leftOut  int        // see Event.LeftOut
	// status is what was sent, 0 as long as nothing was.
	status int
	// finished is set when the walk has come to its end without a panic.
	finished bool
	// body is the request's body while it is forwarded, nil if there is none.
	body *requestBody
	// bodyFailed is set when the request's body could not be read.
	bodyFailed atomic.Bool
	underway
	proxy     *Proxy
	requestID [1]string // for the header of that name
	// lines is where line puts the values of headers, and filled how many there are.
	lines  [6]string
	filled int
}

// line returns the value of a header that has one line. It is not to be written to.
func (x *exchange) line(value string) []string {
	if x.filled == len(x.lines) {
		return []string{value}
	}
	x.filled++
	x.lines[x.filled-1] = value
	return x.lines[x.filled-1 : x.filled : x.filled]
}

// begin gives a request its id, which stands on every answer, and keeps track of
// what becomes of it.
func (p *Proxy) begin(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{ResponseWriter: w, request: r, id: p.requestIDOf(r), began: p.now(), proxy: p}
	x.requestID[0] = x.id
	x.heard = p.again.count.Load()
	x.setRequestID()
	return x
}

func (x *exchange) setRequestID() { x.Header()["X-Request-Id"] = x.requestID[:1:1] }

// end reports what happened, once for each request.
func (p *Proxy) end(x *exchange) {
	p.limiter.End()
	if x.shares.IsValid() {
		p.limiter.Unshare(x.shares)
	}
	r, status := x.request, x.status
	if !x.finished && status >= 200 {
		// An answer broke off. What came of it is sent before the connection breaks,
		// so that the client sees a broken answer rather than none.
		_ = http.NewResponseController(x.ResponseWriter).Flush()
	}
	if status == 0 {
		switch {
		case r.Context().Err() != nil, x.bodyFailed.Load():
			status = statusClientGone
		case x.finished:
			status = http.StatusOK
		default:
			status = http.StatusInternalServerError
		}
	}
	e := Event{
		Context:   r.Context(),
		Time:      x.began,
		RequestID: x.id,
		Host:      x.target.Host,
		Path:      x.target.shown(),
		Method:    r.Method,
		ClientIP:  cmp.Or(x.client, clientIP(r)),
		Reason:    x.verdict.Reason,
		Policy:    x.verdict.Decision.Policy,
		Status:    status,
		Upstream:  x.upstream,
		Duration:  p.now().Sub(x.began),
		LeftOut:   x.leftOut,
	}
	if d := &x.verdict.Decision; d.Shadow != nil {
		e.Shadow, e.ShadowPolicy = d.Shadow.Outcome.String(), d.Shadow.Policy
		e.ShadowDiffers = d.Differs()
	}
	if e.Path == "" {
		e.Path = shownPath(r.RequestURI)
	}
	if !x.own {
		e.Decision = x.verdict.Outcome.String()
	}
	if x.route != nil {
		e.Route = x.route.Name
	}
	if id := x.verdict.Identity; id != nil {
		e.Auth, e.Provider, e.Subject = string(id.Auth), id.Provider, id.Subject
	}
	p.observe(e)
}

// WriteHeader notes the status. Informational answers of an upstream (RFC 9110
// section 15.2) pass; they are no answer yet.
func (x *exchange) WriteHeader(status int) {
	switch {
	case status == http.StatusContinue:
		// net/http sends it itself, when the upstream has made somebody read the
		// body.
		return
	case status >= 100 && status < 200 && status != http.StatusSwitchingProtocols:
		x.proxy.dropOwnSetCookies(x.Header())
		x.setRequestID()
	case x.status == 0:
		x.status = status
		x.setHSTS()
		x.answering.Store(true)
		if x.body != nil && !x.body.ended.Load() && x.request.ProtoMajor == 1 {
			// Whatever comes of the body after this answer is no request.
			x.Header()["Connection"] = []string{"close"}
			x.body.answer()
		}
	}
	x.ResponseWriter.WriteHeader(status)
}

func (x *exchange) Write(b []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
		x.setHSTS()
	}
	return x.ResponseWriter.Write(b)
}

// setHSTS has browsers come by https alone from now on, where that is wanted and they came
// by it (RFC 6797 section 7.2).
func (x *exchange) setHSTS() {
	if p := x.proxy; p.hsts != nil && x.target.Scheme == "https" && len(x.Header()["Strict-Transport-Security"]) == 0 {
		x.Header()["Strict-Transport-Security"] = p.hsts[:1:1]
	}
}

// Hijack is how an upgrade takes the connection over.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(x.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	x.status = http.StatusSwitchingProtocols
	s := &socket{Conn: c}
	x.mu.Lock()
	x.socket = s
	broken := x.broken
	x.mu.Unlock()
	x.stream.Store(true)
	if broken != nil {
		c.Close()
		return nil, nil, errEnded
	}
	return s, rw, nil
}

// Unwrap lets http.ResponseController flush and set deadlines.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// maxRequestID bounds the ids of others.
const maxRequestID = 64

// requestIDOf is the id that a trusted proxy has given to a request, so that its log and
// ours speak of the same, or a new one. What anybody else says is nothing: one id for many
// requests would hide them behind one another.
func (p *Proxy) requestIDOf(r *http.Request) string {
	if len(p.trusted.networks) > 0 || p.trusted.unix {
		if given := r.Header["X-Request-Id"]; len(given) == 1 && isRequestID(given[0]) && p.trusts(r) {
			return given[0]
		}
	}
	return newRequestID()
}

// isRequestID reports whether an id has nothing in it that could be taken for anything
// else, in a log, a page or a command.
func isRequestID(id string) bool {
	for i := range len(id) {
		c := id[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
		if !letter && (i == 0 || c != '-' && c != '_' && c != '.') {
			return false
		}
	}
	return id != "" && len(id) <= maxRequestID
}

var requestIDs = base32.NewEncoding("abcdefghijkmnpqrstuvwxyz23456789").WithPadding(base32.NoPadding)

// newRequestID returns 80 random bits in 16 characters that can be read aloud.
func newRequestID() string {
	var raw [10]byte
	rand.Read(raw[:]) // never fails: crypto/rand ends the program instead
	var text [16]byte
	requestIDs.Encode(text[:], raw[:])
	return string(text[:])
}

// shownPath is a refused target as it may stand in a log: no query, and neither a
// fragment nor parameters of the path, in which tokens and session ids have been
// seen; printable, bounded.
func shownPath(requestTarget string) string {
	const limit = 200
	path := requestTarget
	if end := strings.IndexAny(path, "?#;"); end >= 0 {
		path = path[:end]
	}
	if !strings.HasPrefix(path, "/") {
		// Absolute-form and authority-form may carry a password.
		path = path[strings.LastIndexByte(path, '@')+1:]
	}
	if len(path) > limit {
		path = path[:limit] + "..."
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f {
			return '?'
		}
		return r
	}, path)
}
