package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxDocument bounds a document that an application is asked for.
const maxDocument = 1 << 20

// Ask asks the application on the route of a host, as it stands in a Host field, and a
// path for a document that claimproxy publishes, and returns its body. The question is
// claimproxy's own: it carries no credentials, no cookies and no identity, whoever
// caused it. Where a route lets nobody in, or has no application, there is none to ask;
// an answer other than 200, or one that is too large, is an error.
func (p *Proxy) Ask(ctx context.Context, host, path string) ([]byte, error) {
	target, err := ParseTarget(p.scheme, host, path)
	if err != nil {
		return nil, err
	}
	route, err := p.table.Find(target)
	switch {
	case err != nil:
		return nil, err
	case route == nil || route.Upstream == nil || route.methods.closed():
		return nil, errors.New("there is no application to ask")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://server/", nil)
	if err != nil {
		return nil, err
	}
	req.URL = route.forwarded(&target) // the server is chosen when it is sent
	req.Host = target.Authority
	req.Header = http.Header{
		"Accept":            {"application/json"},
		"User-Agent":        {"claimproxy"},
		"X-Forwarded-Host":  {target.Authority},
		"X-Forwarded-Proto": {target.Scheme},
	}
	res, err := p.upstreams[route.Upstream].connection.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("expected status 200, got %d", res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxDocument {
		return nil, fmt.Errorf("the document is larger than %d bytes", maxDocument)
	}
	return body, nil
}
