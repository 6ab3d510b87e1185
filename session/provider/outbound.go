package provider

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

const (
	// callTimeout bounds one call to a provider, reading the reply included.
	callTimeout = 10 * time.Second
	// maxReply bounds a provider's reply. A person in ten thousand groups still
	// fits; a reply beyond it is an outage, never a partial answer.
	maxReply = 2 << 20
)

var errReplyTooLarge = fmt.Errorf("reply is larger than %d bytes", maxReply)

// newHTTPClient makes the client for all calls to one provider. It follows no
// redirect: a token or secret goes to the configured endpoint and nowhere else.
func newHTTPClient(c *Config) *http.Client {
	transport := c.Transport
	if transport == nil {
		transport = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSClientConfig:       &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: callTimeout,
			MaxIdleConns:          64,
			MaxIdleConnsPerHost:   32,
			// A flood of unknown tokens must not use up the descriptors that people's
			// connections need.
			MaxConnsPerHost:        64,
			IdleConnTimeout:        90 * time.Second,
			ForceAttemptHTTP2:      true,
			MaxResponseHeaderBytes: 64 << 10,
		}
	}
	if c.Around != nil {
		transport = c.Around(transport)
	}
	transport = boundedReplies{transport}
	if c.Observer != nil {
		transport = observed{transport, c.Observer, c.Now}
	}
	return &http.Client{
		Transport:     transport,
		Timeout:       callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// boundedReplies limits every reply's body, whoever reads it: go-oidc and
// x/oauth2 read to the end without a limit of their own.
type boundedReplies struct{ next http.RoundTripper }

func (t boundedReplies) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.ContentLength > maxReply {
		resp.Body.Close()
		return nil, errReplyTooLarge
	}
	resp.Body = &boundedBody{resp.Body, maxReply}
	return resp, nil
}

// CloseIdleConnections lets http.Client close those of next.
func (t boundedReplies) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, errReplyTooLarge
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return 0, errReplyTooLarge
	}
	return n, err
}

// call sends a request and reads the whole reply, which is JSON unless the request asks
// for something else.
func (p *Provider) call(req *http.Request) (*reply, error) {
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "application/json")
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return nil, outage(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, outage(err)
	}
	return &reply{resp.StatusCode, resp.Header, body}, nil
}

type reply struct {
	status int
	header http.Header
	body   []byte
}

// parseReply reads a JSON object strictly. The error does not quote the reply, as
// that of session.ParseClaims does in part.
func parseReply(body []byte) (session.Claims, error) {
	c, err := session.ParseClaims(body)
	switch {
	case err == nil:
		return c, nil
	case json.Valid(body):
		return nil, errors.New("the reply is JSON, but not one object with each member once")
	}
	return nil, errors.New("the reply is not JSON")
}

// outage says why a call gave no reply, in words of our own where net/http would
// quote: the URL, whose query may hold something, a Location or a header that the
// provider sent, a first line that is no HTTP at all.
func outage(err error) error {
	var (
		op          *net.OpError
		certificate *tls.CertificateVerificationError
		plain       tls.RecordHeaderError
	)
	switch {
	case errors.Is(err, errReplyTooLarge):
		return errReplyTooLarge
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("no complete reply in time: %w", context.DeadlineExceeded)
	case errors.As(err, &certificate):
		return fmt.Errorf("its certificate is not trusted: %w", certificate.Err)
	case errors.As(err, &plain):
		return errors.New("it does not speak TLS")
	case errors.As(err, &op):
		return op
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the connection ended before the reply did")
	}
	return errors.New("no usable HTTP reply")
}
