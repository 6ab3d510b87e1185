package proxy

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// Connections are the connections to upstreams. Proxies that are made one after the
// other, for one configuration after the other, share them: an upstream whose settings
// are the same keeps its connections. The zero value is ready, and safe for concurrent
// use.
type Connections struct {
	mu   sync.Mutex
	open map[connectionKey]*connection
}

// connectionKey is everything about an Upstream that its connections depend on. Its
// name is none of it.
type connectionKey struct {
	scheme, host string
	timeout      time.Duration
}

// connection is the connections to one upstream, with the number of those who use them.
type connection struct {
	*http.Transport
	key   connectionKey
	users int
}

// take returns the connections to an upstream, for the caller to release.
func (c *Connections) take(u *Upstream) *connection {
	key := connectionKey{u.URL.Scheme, u.URL.Host, u.Timeout}
	if key.timeout == 0 {
		key.timeout = DefaultUpstreamTimeout
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = make(map[connectionKey]*connection)
	}
	if c.open[key] == nil {
		c.open[key] = &connection{Transport: newTransport(key), key: key}
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
		one.CloseIdleConnections()
	}
}

func newTransport(key connectionKey) *http.Transport {
	return &http.Transport{
		// Proxy stays nil: an upstream is reached directly, whatever the
		// environment says about the rest of the world.
		DialContext:            (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:      true,
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
}
