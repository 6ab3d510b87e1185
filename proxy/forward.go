package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// copyBuffer is how much of a body is copied at once.
	copyBuffer = 32 << 10
	// flushWithin is how long the beginning of an answer may wait for more of it, where
	// the upstream has said how long it will be. A small answer so goes out in one
	// piece. One without a length, as streams are, is never held back: ReverseProxy
	// sees to that.
	flushWithin = time.Millisecond
)

// forwarder is an Upstream as it is used: built once.
type forwarder struct {
	name       string
	connection *connection
	// way leads to the connection, past somebody who watches if watched is set.
	way     http.RoundTripper
	watched bool
	// short tells that all of its servers are reached on the short way.
	short bool
	proxy *httputil.ReverseProxy
}

func (p *Proxy) newForwarder(u *Upstream) (*forwarder, error) {
	if len(u.URLs) == 0 || len(u.URLs) > maxServers {
		return nil, fmt.Errorf("upstream %q: expected 1 to %d servers, got %d", u.Name, maxServers, len(u.URLs))
	}
	for _, one := range u.URLs {
		if err := CheckUpstream(one); err != nil {
			return nil, fmt.Errorf("upstream %q: %w", u.Name, err)
		}
	}
	f := &forwarder{name: u.Name, connection: p.connections.take(u)}
	f.way = p.transport(u.Name, f.connection)
	f.watched = f.way != http.RoundTripper(f.connection)
	f.short = !slices.ContainsFunc(f.connection.servers, func(s *server) bool { return s.direct == nil })
	f.proxy = &httputil.ReverseProxy{
		Rewrite:        func(pr *httputil.ProxyRequest) { p.rewrite(exchangeOf(pr.In.Context()), pr.In, pr.Out) },
		Transport:      f.way,
		FlushInterval:  flushWithin,
		BufferPool:     buffers,
		ModifyResponse: func(res *http.Response) error { return p.answered(exchangeOf(res.Request.Context()), res) },
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			p.forwardFailed(exchangeOf(r.Context()), r.Context(), err)
		},
		ErrorLog: ErrorLog(p.log),
	}
	return f, nil
}

// exchangeKey is the context key of a request's exchange: the ReverseProxy of an
// upstream serves all requests, and learns here which it is.
type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange { return ctx.Value(exchangeKey{}).(*exchange) }

// forward carries a request that was allowed to its upstream.
func (p *Proxy) forward(x *exchange, v Verdict) {
	f := p.upstreams[x.route.Upstream]
	x.verdict, x.upstream = v, f.name
	r := x.request
	if !isWebsocket(r) {
		r = withoutUpgrade(r)
	}
	if max := x.route.MaxBody; max > 0 && r.ContentLength > max {
		p.tooLarge(x)
		return
	}
	if r.Body != nil && r.Body != http.NoBody {
		// Without it net/http, on HTTP/1, takes 256 KiB of the body away as soon as
		// the upstream begins to answer.
		conn := http.NewResponseController(x)
		_ = conn.EnableFullDuplex()
		x.body = &requestBody{ReadCloser: r.Body, failed: &x.bodyFailed, max: x.route.MaxBody, left: x.route.MaxBody}
		if !isGRPC(r.Header) { // whose calls are conversations from the beginning
			x.body.conn, x.body.patience = conn, newPatience(p.limiter.Limits())
		}
		defer x.body.leaveRest(x)
	}
	if p.keep(x) {
		defer p.letGo(x)
	}
	defer x.leaveServer()
	if f.short && isSimple(x.request) {
		p.carry(x, f)
		return
	}
	r = r.WithContext(context.WithValue(x.cancelable(), exchangeKey{}, x))
	if x.body != nil {
		r.Body = x.body
	}
	f.proxy.ServeHTTP(x, r)
}

// rewrite makes the request that the upstream gets. The hop-by-hop fields have been removed
// before, those that Connection names included, so that a client
// cannot have removed what is set here (RFC 9110 section 7.6.1).
func (p *Proxy) rewrite(x *exchange, in, out *http.Request) {
	t := &x.target
	// The server is chosen when it is sent, see pool.
	out.URL = x.route.forwarded(t)
	out.Host = t.Authority

	h := out.Header
	p.stripper.strip(h)
	if x.route.ForwardToken {
		p.keepTokenFields(h, in)
	}
	if x.route.PassOverride {
		keepOverrides(h, in)
	}
	delete(h, "Host") // HTTP/2 leaves it there; the one that counts is out.Host
	p.cookies.Strip(h)
	if x.route.takesOff(in) {
		delete(h, "Authorization")
	}
	if chain := p.chain(in); len(chain) > 0 {
		h["X-Forwarded-For"] = x.line(strings.Join(chain, ", "))
	}
	if x.client != "" {
		h["X-Real-Ip"] = x.line(x.client)
	}
	h["X-Forwarded-Host"] = x.line(t.Authority)
	h["X-Forwarded-Proto"] = x.line(t.Scheme)
	if x.route.StripPrefix != "" {
		h["X-Forwarded-Prefix"] = x.line(x.route.StripPrefix)
	}
	h["X-Request-Id"] = x.line(x.id)
	x.leftOut = p.setIdentity(h, x.route, t, &x.verdict)
	if out.Trailer = p.trailers(in); out.Trailer != nil {
		// HTTP/2 has trailers beside a length that is known, HTTP/1.1 only in the chunked
		// coding (RFC 9112 section 7.1.2).
		out.ContentLength = -1
		delete(h, "Content-Length")
	}
}

// answered looks at an upstream's answer before it is passed on.
func (p *Proxy) answered(x *exchange, res *http.Response) error {
	if res.StatusCode == http.StatusSwitchingProtocols && len(res.Request.Header["Upgrade"]) == 0 {
		return errors.New("upstream switched protocols without being asked")
	}
	if res.StatusCode < 100 {
		// RFC 9110 section 15: net/http reads such a status, and panics writing it.
		return fmt.Errorf("upstream answered with the status %03d, which is none", res.StatusCode)
	}
	if isEndless(res.Header) {
		x.stream.Store(true)
	}
	if len(res.Header["Content-Type"]) == 0 {
		// net/http would guess one, or not, depending on how the answer comes in.
		x.Header()["Content-Type"] = nil
	}
	delete(res.Header, "X-Request-Id")
	// Informational answers have cleared the header that begin had set.
	x.setRequestID()
	p.dropOwnSetCookies(res.Header)
	p.keepPrivate(x, res.Header)
	p.refreshSession(x, res.Header)
	if res.ContentLength < 0 || res.ProtoMajor > 1 {
		if res.StatusCode != http.StatusSwitchingProtocols {
			res.Body = &answerBody{ReadCloser: res.Body, answer: res, filter: p.dropOwnSetCookies}
		}
	}
	return nil
}

// forwardFailed is called when an upstream gave no answer that could be passed on. ctx is
// that of the request to it.
func (p *Proxy) forwardFailed(x *exchange, ctx context.Context, err error) {
	if x.status != 0 {
		return // an upgraded connection broke, and nothing can be said on it
	}
	if v := x.wasBroken(); v != nil {
		x.setRequestID()
		p.refuse(x, *v)
		return
	}
	if x.body != nil && x.body.tooLarge.Load() {
		x.setRequestID()
		p.tooLarge(x)
		return
	}
	if x.body != nil && x.body.wasTooSlow() {
		x.setRequestID()
		p.tooSlow(x)
		return
	}
	if ctx.Err() != nil || x.bodyFailed.Load() {
		// The client went away, or broke off in the middle of its body. Nobody is
		// there to be answered, and the upstream is not to blame.
		panic(http.ErrAbortHandler)
	}
	p.log.LogAttrs(ctx, slog.LevelWarn, "upstream does not answer",
		slog.String("upstream", x.upstream), slog.String("error", unquoted(err.Error())), slog.String("request_id", x.id))
	x.setRequestID()
	p.upstreamFailed(x, err)
}

// buffers are what bodies are copied through.
var buffers = &bufferPool{pool: sync.Pool{New: func() any { b := make([]byte, copyBuffer); return &b }}}

type bufferPool struct{ pool sync.Pool }

func (b *bufferPool) Get() []byte  { return *b.pool.Get().(*[]byte) }
func (b *bufferPool) Put(s []byte) { b.pool.Put(&s) }
