package provider

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
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
func newHTTPClient(roots *x509.CertPool, transport http.RoundTripper) *http.Client {
	if transport == nil {
		transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    5 * time.Second,
			ResponseHeaderTimeout:  callTimeout,
			MaxIdleConns:           64,
			MaxIdleConnsPerHost:    32,
			IdleConnTimeout:        90 * time.Second,
			ForceAttemptHTTP2:      true,
			MaxResponseHeaderBytes: 64 << 10,
		}
	}
	return &http.Client{
		Transport:     boundedReplies{transport},
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

// call sends a request and reads the whole reply.
func (p *Provider) call(req *http.Request) (*reply, error) {
	req.Header.Set("Accept", "application/json")
	resp, err := p.http.Do(req)
	if err != nil {
		return nil, withoutURL(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	return &reply{resp.StatusCode, resp.Header, body}, nil
}

type reply struct {
	status int
	header http.Header
	body   []byte
}

// withoutURL drops the URL that net/http puts in front of an error. It may carry
// a query string, and the endpoint is named by whoever logs.
func withoutURL(err error) error {
	var outer *url.Error
	if errors.As(err, &outer) {
		return outer.Err
	}
	return err
}
