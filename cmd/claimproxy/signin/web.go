package signin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	// callTimeout bounds one call, reading the reply included.
	callTimeout = 15 * time.Second
	// maxReply bounds a reply.
	maxReply = 1 << 20
)

// newHTTPClient makes the client of all calls. It follows no redirect: what is asked is for
// the address that was checked.
func newHTTPClient(roots *x509.CertPool) *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: bounded{&http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    10 * time.Second,
			ForceAttemptHTTP2:      true,
			MaxResponseHeaderBytes: 64 << 10,
		}},
	}
}

// bounded limits every call in time, and every reply in size, whoever makes the call:
// go-oidc has no limits of its own, and x/oauth2 leaves some replies open, which is why the
// time is over at a reply's end and not only when it is closed.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	res, err := b.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	res.Body = &boundedBody{http.MaxBytesReader(nil, res.Body, maxReply), cancel}
	return res, nil
}

type boundedBody struct {
	io.ReadCloser
	over context.CancelFunc
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.over()
	}
	return n, err
}

func (b *boundedBody) Close() error {
	b.over()
	return b.ReadCloser.Close()
}

// getJSON reads a JSON document. What a stranger's reply says is not in the error.
func getJSON(ctx context.Context, client *http.Client, address string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("%s cannot be asked", clean(address))
	}
	req.Header.Set("Accept", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return unreached(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: expected status 200, got %d", clean(address), res.StatusCode)
	}
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		return fmt.Errorf("%s: the reply is not the JSON document that it should be", clean(address))
	}
	return nil
}

// unreached says why a call got no reply, in one line without the query of its address.
func unreached(err error) error {
	var u *url.Error
	if !errors.As(err, &u) {
		return err
	}
	where := u.URL
	if parsed, e := url.Parse(u.URL); e == nil {
		where = parsed.Scheme + "://" + parsed.Host
	}
	if u.Timeout() {
		return fmt.Errorf("%s does not answer in time", clean(where))
	}
	return fmt.Errorf("%s does not answer: %s", clean(where), clean(u.Err.Error()))
}
