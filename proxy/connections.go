package proxy

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Connections are the connections to upstreams. Proxies that are made one after the
// other, for one configuration after the other, share them: an upstream whose settings
// are the same keeps its connections, and what is known about its servers. The zero value
// is ready, and safe for concurrent use.
type Connections struct {
	// Standard has http.Transport carry everything. Without it simple requests to simple
	// upstreams go a shorter way, see direct.
	Standard bool
	// Failed is told of each request that a server of an upstream gave no answer to, those
	// that another one answered then among them: the name of the upstream, the server's
	// address, and how it failed, one of the words below. Nil: nobody is told.
	Failed func(upstream, server, how string)
	// Log is told when a server gets no more requests because it answers none in time, and
	// when it answers again. Nil: nobody is told.
	Log *slog.Logger

	mu   sync.Mutex
	open map[connectionKey]*connection
}

// How a server fails.
const (
	// FailedUnreachable: there was no connection, so that it got nothing.
	FailedUnreachable = "unreachable"
	// FailedTimeout: it did not begin to answer in time.
	FailedTimeout = "timeout"
	// FailedBroken: it took the request, and what came was no answer.
	FailedBroken = "broken"
)

// connectionKey is everything about an Upstream that its connections depend on. Its
// name is none of it.
type connectionKey struct {
	urls, health    string
	tls, serverName string
	timeout         time.Duration
	ownHost         bool
}

// connection is the connections to one upstream, with the number of those who use them.
type connection struct {
	*pool
	key   connectionKey
	users int
}

// take returns the connections to an upstream, for the caller to release.
func (c *Connections) take(u *Upstream) *connection {
	key := connectionKey{health: u.Health, timeout: u.Timeout, ownHost: u.OwnHost}
	if key.timeout == 0 {
		key.timeout = DefaultUpstreamTimeout
	}
	var urls []string
	for _, one := range u.URLs {
		urls = append(urls, one.String())
	}
	key.urls = strings.Join(urls, " ")
	var config *tls.Config
	if u.TLS != nil {
		key.tls, key.serverName, config = u.TLS.Print, u.TLS.ServerName, u.TLS.Config
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = make(map[connectionKey]*connection)
	}
	if c.open[key] == nil {
		c.open[key] = &connection{pool: newPool(u, key, config, c), key: key}
	}
	c.open[key].users++
	return c.open[key]
}

// release closes connections that are idle when nobody else uses them. Requests on
// their way finish.
func (c *Connections) release(one *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(c.open, one.key)
		for _, s := range one.servers {
			s.transport.CloseIdleConnections()
			if s.direct != nil {
				s.direct.close()
			}
			if s.sockets != nil {
				s.sockets.CloseIdleConnections()
			}
		}
	}
}

const (
	dialTimeout = 5 * time.Second
	// idlePerUpstream is far above the two of http.DefaultTransport, with which
	// seven of ten requests of 32 clients open a connection of their own.
	idlePerUpstream = 512
	idleTimeout     = 60 * time.Second
	// maxUpstreamHeader bounds the header of an upstream's answer.
	maxUpstreamHeader = 1 << 20
	// pingAfter is when a connection of HTTP/2 on which nothing comes is tried, and
	// pingTimeout when it is given up: its requests would wait for nothing.
	pingAfter   = 30 * time.Second
	pingTimeout = 15 * time.Second
)

// newTransport makes the connections to one server.
func newTransport(u *url.URL, key connectionKey, config *tls.Config) *http.Transport {
	dial := (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
	t := &http.Transport{
		// Proxy stays nil: an upstream is reached directly, whatever the
		// environment says about the rest of the world.
		DialContext:            dial,
		Protocols:              new(http.Protocols),
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		TLSHandshakeTimeout:    dialTimeout,
		MaxIdleConns:           0,
		MaxIdleConnsPerHost:    idlePerUpstream,
		IdleConnTimeout:        idleTimeout,
		ResponseHeaderTimeout:  key.timeout,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxUpstreamHeader,
		// The client's Accept-Encoding travels as it came, and so does the answer.
		DisableCompression: true,
	}
	switch u.Scheme {
	case "h2c":
		t.Protocols.SetUnencryptedHTTP2(true)
		return t
	case "unix":
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, "unix", u.Path) }
	case "https":
		t.Protocols.SetHTTP2(true)
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		if config != nil {
			t.TLSClientConfig = config.Clone()
		}
		t.TLSClientConfig.ServerName = key.serverName
	}
	t.Protocols.SetHTTP1(true)
	return t
}
