package proxy

import (
	"io"
	"net/http"
	"sync/atomic"
)

// requestBody is the body of a request on its way to the upstream. It notes whether
// the client is to blame when the way breaks, and hands on the trailers at its end.
type requestBody struct {
	io.ReadCloser
	// failed is set when the body cannot be read.
	failed *atomic.Bool
	// atEnd is called when it has been read whole.
	atEnd func()
}

func (b *requestBody) Read(buf []byte) (int, error) {
	n, err := b.ReadCloser.Read(buf)
	switch {
	case err == io.EOF:
		if b.atEnd != nil {
			b.atEnd()
		}
	case err != nil:
		b.failed.Store(true)
	}
	return n, err
}

// trailers returns the trailers of the request that the upstream gets: those that
// the client announced (RFC 9110 section 6.6.2) and may send. Their values are known
// when the body has been read. ReverseProxy hands on the names alone, and net/http
// takes trailers too that nobody announced.
func (p *Proxy) trailers(in *http.Request) http.Header {
	body, ok := in.Body.(*requestBody)
	if !ok || len(in.Trailer) == 0 {
		return nil
	}
	out := make(http.Header, len(in.Trailer))
	for name := range in.Trailer {
		out[name] = nil
	}
	p.stripper.strip(out)
	if len(out) == 0 {
		return nil
	}
	// The transport reads the body and writes the trailers in one goroutine.
	body.atEnd = func() {
		for name := range out {
			out[name] = in.Trailer[name]
		}
	}
	return out
}
