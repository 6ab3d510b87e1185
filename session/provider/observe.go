package provider

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// Observer is told of what the provider was asked, for those who count. Its methods
// return quickly and may be called by several goroutines at once.
type Observer interface {
	// Called is told of one call: the kind of its endpoint, what came of it, and how long
	// it took until the reply was whole.
	Called(endpoint, result string, took time.Duration)
	// KeysFetched is told of each time that the signing keys were fetched, and whether
	// there are usable ones in the reply.
	KeysFetched(ok bool)
}

// The kinds of endpoints.
const (
	EndpointDiscovery     = "discovery"
	EndpointKeys          = "jwks"
	EndpointToken         = "token"
	EndpointUserInfo      = "userinfo"
	EndpointIntrospection = "introspection"
	EndpointTokenInfo     = "token_info"
	EndpointRevocation    = "revocation"
	EndpointAuthorization = "authorization" // which the doctor alone asks itself
)

// What came of a call.
const (
	// CallOK is a reply with a status of 2xx, whatever it says.
	CallOK = "ok"
	// CallRefused is one of 4xx: about a token, a grant or a client, and not an outage.
	CallRefused = "refused"
	// CallFailed is any other reply; one of 429 and 408 is among them.
	CallFailed = "failed"
	// CallUnanswered is no reply, or none that came whole and in time.
	CallUnanswered = "unanswered"
)

// resultOf is what a status means for a call.
func resultOf(status int) string {
	switch {
	case status >= 200 && status < 300:
		return CallOK
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		return CallFailed
	case status >= 400 && status < 500:
		return CallRefused
	}
	return CallFailed
}

type endpointKey struct{}

// asking returns a context for calls of an endpoint of that kind.
func asking(ctx context.Context, endpoint string) context.Context {
	return context.WithValue(ctx, endpointKey{}, endpoint)
}

// observed tells an Observer of each call that goes through it. A call is over when its
// reply has been read or let go of.
type observed struct {
	next http.RoundTripper
	to   Observer
	now  func() time.Time
}

func (o observed) RoundTrip(r *http.Request) (*http.Response, error) {
	endpoint, _ := r.Context().Value(endpointKey{}).(string)
	began := o.now()
	resp, err := o.next.RoundTrip(r)
	if err != nil {
		o.to.Called(endpoint, CallUnanswered, o.now().Sub(began))
		return nil, err
	}
	body := &observedBody{ReadCloser: resp.Body, result: resultOf(resp.StatusCode)}
	body.over = sync.OnceFunc(func() { o.to.Called(endpoint, body.result, o.now().Sub(began)) })
	resp.Body = body
	return resp, nil
}

// CloseIdleConnections lets http.Client close those of next.
func (o observed) CloseIdleConnections() {
	if c, ok := o.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// observedBody is the body of a reply, read by one goroutine.
type observedBody struct {
	io.ReadCloser
	result string
	over   func()
}

func (b *observedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch err {
	case nil:
	case io.EOF:
		b.over()
	default:
		b.result = CallUnanswered
		b.over()
	}
	return n, err
}

func (b *observedBody) Close() error {
	b.over()
	return b.ReadCloser.Close()
}
