package certificates

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"time"

	"golang.org/x/crypto/acme"
)

const (
	// callPatience bounds one call of the authority, and maxAnswer what it may say.
	callPatience = 30 * time.Second
	maxAnswer    = 1 << 20
)

// newClient makes the client that the authority is called with. It follows no redirects,
// which would go by its account's name to somebody else. HTTPS_PROXY is honoured.
func newClient(roots *x509.CertPool) *http.Client {
	return &http.Client{
		Timeout: callPatience,
		Transport: bounded{&http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: 10 * time.Second,
			IdleConnTimeout:     time.Minute,
			ForceAttemptHTTP2:   true,
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Terms asks the authority where its terms of service are, empty for nowhere. It orders
// nothing.
func (c Config) Terms(ctx context.Context) (string, error) {
	client := newClient(c.Roots)
	defer client.CloseIdleConnections()
	directory, err := (&acme.Client{DirectoryURL: c.Directory, HTTPClient: client, UserAgent: c.Agent, RetryBackoff: retry}).Discover(ctx)
	return directory.Terms, err
}

// bounded cuts off answers that are longer than any should be.
type bounded struct{ *http.Transport }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := b.Transport.RoundTrip(req)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxAnswer), res.Body}
	}
	return res, err
}
