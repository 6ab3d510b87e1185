package proxy

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// pool is the servers of one upstream. Each request goes to the one of those that work
// which has the fewest under way.
type pool struct {
	servers []*server
	health  string
	ownHost bool
	turn    atomic.Uint32 // where to begin, so that equals take turns
	now     func() time.Time
	failed  func(upstream, server, how string) // see Connections
	log     *slog.Logger
}

// server is one of them, and what is known about it.
type server struct {
	url       *url.URL // a scheme of HTTP and a host, as requests to it have them
	name      string   // for logs
	transport *http.Transport
	// direct is the short way for simple requests; nil: there is none.
	direct *direct
	// sockets is for websockets, which take HTTP/1.1 (RFC 6455 section 4.1), to a server
	// that gets HTTP/2 otherwise. Nil: transport does both.
	sockets *http.Transport

	underway atomic.Int64
	failures atomic.Int32 // in a row
	late     atomic.Int32 // those of them that were time-outs, in a row
	rests    atomic.Int64 // until when it gets nothing that another one can take, Unix milliseconds
	// Of the last question about its health.
	sick  atomic.Bool
	ill   atomic.Int32 // bad answers in a row
	asked atomic.Int64 // when, Unix milliseconds
	// Of the questions to one that hangs, see breaker.
	looking atomic.Bool
	looked  atomic.Int64 // when, Unix milliseconds
}

const (
	// tolerated is how often in a row a server may fail before it rests.
	tolerated = 3
	rest      = 10 * time.Second
)

func newPool(u *Upstream, key connectionKey, config *tls.Config, c *Connections) *pool {
	p := &pool{health: u.Health, ownHost: u.OwnHost, now: time.Now, failed: c.Failed, log: c.Log}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if p.failed == nil {
		p.failed = func(string, string, string) {}
	}
	for _, one := range u.URLs {
		s := &server{url: &url.URL{Scheme: one.Scheme, Host: one.Host}, name: one.String(), transport: newTransport(one, key, config)}
		switch one.Scheme {
		case "h2c":
			s.url.Scheme = "http"
			s.sockets = newTransport(s.url, key, nil)
		case "unix":
			s.url = &url.URL{Scheme: "http", Host: "localhost"}
		}
		if !c.Standard && (one.Scheme == "http" || one.Scheme == "unix") {
			s.direct = newDirect(s.url, s.transport, key.timeout)
		}
		p.servers = append(p.servers, s)
	}
	return p
}

// errNoServer says that no server works, as far as is known.
var errNoServer = errors.New("none of its servers works")

// pick returns the server for a request and counts it there; nil if there is none. tried
// are those that have been tried, by their bits.
func (p *pool) pick(tried uint64) (s *server, bit uint64) {
	if len(p.servers) == 1 {
		if s = p.servers[0]; tried != 0 || s.sick.Load() || s.hangs() && !s.mayProbe(p.now()) {
			return nil, 0
		}
		s.underway.Add(1)
		return s, 1
	}
	now := p.now()
	begin := int(p.turn.Add(1))
	var resting *server
	var restingBit uint64
	for i := range p.servers {
		at := (begin + i) % len(p.servers)
		switch c := p.servers[at]; {
		case tried&(1<<at) != 0 || c.sick.Load():
		case c.hangs():
			if c.mayProbe(now) {
				c.underway.Add(1)
				return c, 1 << at
			}
		case c.rests.Load() > now.UnixMilli():
			if resting == nil || c.rests.Load() < resting.rests.Load() {
				resting, restingBit = c, 1<<at
			}
		case s == nil || c.underway.Load() < s.underway.Load():
			s, bit = c, 1<<at
		}
	}
	if s == nil {
		s, bit = resting, restingBit // the one that failed longest ago
	}
	if s != nil {
		s.underway.Add(1)
	}
	return s, bit
}

// RoundTrip sends a request to one of the servers. One that cannot be reached has got no
// byte of it, so another one is tried: with a request that may be sent twice all the same
// and of which nothing has been read yet.
func (p *pool) RoundTrip(req *http.Request) (*http.Response, error) {
	x, _ := req.Context().Value(exchangeKey{}).(*exchange)
	return p.send(x, req)
}

// send is RoundTrip for a request that is made for an exchange; nil: it is for none.
func (p *pool) send(x *exchange, req *http.Request) (*http.Response, error) {
	again := isIdempotent(req.Method) && (req.Body == nil || req.Body == http.NoBody)
	var tried uint64
	failed := errNoServer
	for {
		s, bit := p.pick(tried)
		if s == nil {
			if failed == errNoServer && p.someHang(nameOf(x)) {
				failed = errHangs
			}
			return nil, failed
		}
		tried |= bit
		res, err := s.send(x, req, p.ownHost)
		switch {
		case err == nil:
			s.failures.Store(0)
			p.wasThere(nameOf(x), s, true)
		case over(req.Context(), x) == nil:
			how := howFailed(err)
			if how != FailedBroken {
				s.failed(p.now())
			}
			if isTimeout(err) {
				p.wasLate(nameOf(x), s)
			} else {
				p.wasThere(nameOf(x), s, false)
			}
			if x != nil {
				p.failed(x.upstream, s.name, how)
			}
		}
		if err == nil && x != nil {
			x.server = s // which leaves when the answer is over
			return res, nil
		}
		s.underway.Add(-1)
		if err == nil || !again || !isDial(err) || over(req.Context(), x) != nil {
			return res, err
		}
		failed = err
	}
}

func (s *server) send(x *exchange, req *http.Request, ownHost bool) (*http.Response, error) {
	req.URL.Scheme, req.URL.Host = s.url.Scheme, s.url.Host
	if ownHost {
		req.Host = s.url.Host
	}
	if s.sockets != nil && len(req.Header["Upgrade"]) > 0 {
		return s.sockets.RoundTrip(req)
	}
	if s.direct != nil && s.direct.takes(req) {
		return s.direct.send(x, req)
	}
	return s.transport.RoundTrip(req)
}

// failed notes that a server could not be reached, or did not answer in time.
func (s *server) failed(now time.Time) {
	if s.failures.Add(1) >= tolerated {
		s.rests.Store(now.Add(rest).UnixMilli())
	}
}

// leaveServer is called when an exchange is over.
func (x *exchange) leaveServer() {
	if x.server != nil {
		x.server.underway.Add(-1)
	}
}

// isIdempotent reports whether a request may be sent twice (RFC 9110 section 9.2.2).
func isIdempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// howFailed tells how a server has failed.
func howFailed(err error) string {
	switch {
	case isDial(err):
		return FailedUnreachable
	case isTimeout(err):
		return FailedTimeout
	}
	return FailedBroken
}

// isDial reports whether there was no connection, so that nothing has been sent.
func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
