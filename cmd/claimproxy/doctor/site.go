package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/claimproxy/claimproxy/session"
)

// largeHeader is what the headers of somebody in many groups, with a cookie or a token, can
// come to. Front proxies have limits of their own, often 8 KiB.
const largeHeader = 16 << 10

// publicURL asks public_url as a browser on this machine would.
func (p *Patient) publicURL(ctx context.Context) []Finding {
	n := &notes{about: "public_url"}
	cfg := p.Config
	loopback := cfg.PublicURL.Scheme == "http"
	if loopback {
		n.add(Note, "cookies", "plain http on this machine: cookies go without Secure and the prefix __Host-", "")
	} else {
		n.add(OK, "cookies", "https: cookies are Secure, and of this host alone", "")
	}
	if !loopback && cfg.TLS == nil && len(cfg.TrustedProxies) == 0 && !slices.ContainsFunc(cfg.Listen, ownAddress) {
		n.add(Warning, "TLS", "it is https, claimproxy speaks http to everybody who reaches listen, and no proxy is trusted",
			"let it listen on 127.0.0.1 behind the proxy that ends TLS, or give it tls; and name the proxy in trusted_proxies, or all clients have its address")
	}
	client := &http.Client{
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	where := cfg.PublicURL.JoinPath(cfg.Endpoints, "providers").String()
	switch res, err := ask(ctx, client, where, 0); {
	case err != nil:
		n.add(Warning, "reachable", "nobody answers there from this machine: "+err.Error(), "start claimproxy and what stands in front of it, see that the name points here, and look again")
		return n.list
	case res.status >= 300 && res.status < 400:
		n.add(Problem, "reachable", fmt.Sprintf("%s leads to %s", where, res.location), "public_url must be the address in people's browsers: redirect URIs and cookies are made for it")
		return n.list
	case res.status != http.StatusOK || !res.isProviders:
		n.add(Problem, "reachable", fmt.Sprintf("%s answers with status %d, and not as claimproxy does", where, res.status), "the proxy in front must pass everything below "+cfg.Endpoints+" to claimproxy, on every host")
		return n.list
	}
	n.add(OK, "reachable", "claimproxy answers at "+cfg.PublicURL.String(), "")
	switch res, err := ask(ctx, client, where, largeHeader); {
	case err != nil, res.status != http.StatusOK:
		got := "the connection breaks"
		if err == nil {
			got = fmt.Sprintf("status %d", res.status)
		}
		whose := "the limit of the proxy in front (nginx: large_client_header_buffers 4 32k)"
		if cfg.Limits.HeaderBytes < 2*largeHeader {
			whose = "limits.header_bytes, and perhaps " + whose
		}
		n.add(Warning, "large headers", fmt.Sprintf("a request with %d KiB of headers gets no answer of claimproxy's: %s", largeHeader>>10, got),
			"raise "+whose+", or people in many groups and programs with long tokens are locked out")
	default:
		n.add(OK, "large headers", fmt.Sprintf("%d KiB of headers arrive", largeHeader>>10), "")
	}
	return n.list
}

// answered is an answer at public_url.
type answered struct {
	status      int
	location    string
	isProviders bool // it is the list that claimproxy has there
}

// ask asks with a header of about so many bytes more.
func ask(ctx context.Context, client *http.Client, where string, more int) (answered, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return answered{}, err
	}
	req.Header.Set("Accept", "application/json")
	if more > 0 {
		req.Header.Set("X-Claimproxy-Padding", strings.Repeat("x", more))
	}
	res, err := client.Do(req)
	if err != nil {
		var call *url.Error
		if errors.As(err, &call) {
			err = call.Err
		}
		return answered{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	var list []json.RawMessage
	return answered{res.StatusCode, res.Header.Get("Location"), json.Unmarshal(body, &list) == nil}, err
}

// ownAddress says whether an address is one of this machine alone.
func ownAddress(address string) bool {
	if strings.HasPrefix(address, "unix:") || strings.HasPrefix(address, "systemd:") {
		return true
	}
	host, _, err := net.SplitHostPort(address)
	return err == nil && session.LoopbackHost(host)
}

// dialTimeout is how long an application may take to take a connection.
const dialTimeout = 5 * time.Second
