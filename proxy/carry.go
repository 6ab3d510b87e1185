package proxy

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
)

// isSimple reports whether a request can be carried by carry: it has neither a body nor
// anything that is between the client and claimproxy, or could become more than one answer.
func isSimple(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) &&
		(r.Body == nil || r.Body == http.NoBody) && r.ContentLength == 0 && len(r.TransferEncoding) == 0 && len(r.Trailer) == 0 &&
		len(r.Header["Upgrade"]) == 0 && len(r.Header["Expect"]) == 0 && len(r.Header["Te"]) == 0 && len(r.Header["Trailer"]) == 0
}

// carry does for simple requests what httputil.ReverseProxy does for all others, to
// upstreams that are reached on the short way: request and answer come out the same, and
// a third of what it costs is saved. Header values are shared and not copied, no timer
// waits to flush, and no lock is needed, since direct does everything on this goroutine.
func (p *Proxy) carry(x *exchange, f *forwarder) {
	in := x.request
	send, ctx := f.connection.send, in.Context()
	if f.watched {
		ctx = context.WithValue(x.cancelable(), exchangeKey{}, x)
		send = func(_ *exchange, r *http.Request) (*http.Response, error) { return f.way.RoundTrip(r) }
	}
	out := in.WithContext(ctx)
	out.Header = headers.Get().(http.Header)
	for name, values := range in.Header {
		out.Header[name] = values[:len(values):len(values)] // who appends to it makes a copy
	}
	dropHopByHop(out.Header)
	out.Body, out.Close, out.RequestURI = nil, false, ""
	p.rewrite(x, in, out)
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header["User-Agent"] = noUserAgent
	}
	res, err := send(x, out)
	if x.direct && !f.watched {
		// It is written, and nobody else has it.
		clear(out.Header)
		headers.Put(out.Header)
		out.Header = nil
	}
	if err != nil {
		p.forwardFailed(x, ctx, err)
		return
	}
	dropHopByHop(res.Header)
	if err := p.answered(x, res); err != nil {
		res.Body.Close()
		p.forwardFailed(x, ctx, err)
		return
	}
	h := x.Header()
	for name, values := range res.Header {
		if h[name] == nil {
			h[name] = values
		} else {
			h[name] = append(h[name], values...)
		}
	}
	announced := len(res.Trailer)
	if announced > 0 {
		names := make([]string, 0, announced)
		for name := range res.Trailer {
			names = append(names, name)
		}
		h["Trailer"] = append(h["Trailer"], strings.Join(names, ", "))
	}
	x.WriteHeader(res.StatusCode)
	if res.Body == http.NoBody {
		return
	}
	err = p.carryBody(x, res)
	res.Body.Close() // also where the trailers are filtered
	if err != nil {
		panic(http.ErrAbortHandler) // so that the client sees that the answer broke off
	}
	if len(res.Trailer) == 0 {
		return
	}
	// A body that has been sent in part is chunked, and only then are there trailers.
	_ = http.NewResponseController(x).Flush()
	prefix := ""
	if len(res.Trailer) != announced {
		prefix = http.TrailerPrefix
	}
	for name, values := range res.Trailer {
		h[prefix+name] = append(h[prefix+name], values...)
	}
}

// headers are those of requests, while they are made and written.
var headers = sync.Pool{New: func() any { return make(http.Header, 32) }}

// noUserAgent keeps Request.Write from writing one of its own.
var noUserAgent = []string{""}

// carryBody passes the body of an answer on. Nothing is held back while the upstream has
// nothing more to say: what has come is flushed before a read that may wait.
func (p *Proxy) carryBody(x *exchange, res *http.Response) error {
	held := buffers.pool.Get().(*[]byte)
	defer buffers.pool.Put(held)
	buf := *held
	body, _ := res.Body.(*directBody)
	ready := func() bool { return body != nil && res.ContentLength > 0 && body.conn.in.Buffered() > 0 }
	for unsent := true; ; {
		if unsent && !ready() {
			if err := http.NewResponseController(x.ResponseWriter).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
				return err
			}
		}
		n, err := res.Body.Read(buf)
		if err != nil && err != io.EOF && err != errEnded && x.request.Context().Err() == nil && !errors.Is(err, context.Canceled) {
			p.log.LogAttrs(context.Background(), slog.LevelWarn, "upstream breaks its answer off",
				slog.String("upstream", x.upstream), slog.String("error", unquoted(err.Error())), slog.String("request_id", x.id))
		}
		if n > 0 {
			if _, err := x.Write(buf[:n]); err != nil {
				return err
			}
			unsent = true
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// inform passes an informational answer on (RFC 9110 section 15.2).
func (x *exchange) inform(status int, header http.Header) {
	h := x.Header()
	for name, values := range header {
		if h[name] == nil {
			h[name] = values
		} else {
			h[name] = append(h[name], values...)
		}
	}
	x.WriteHeader(status)
	clear(h) // net/http leaves it to us
}

// hopByHop are the fields that are about one connection alone (RFC 9110 section 7.6.1),
// beside those that Connection names.
var hopByHop = [...]string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

func dropHopByHop(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.Trim(name, " \t"); name != "" {
				h.Del(name)
			}
		}
	}
	for _, name := range hopByHop {
		delete(h, name)
	}
}
