package main

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/claimproxy/claimproxy/proxy/limit"
)

// guarding is a listener that takes no more connections from one address than its limiter
// lets it have, and knows of those that it has taken whether they are late with a request.
// TLS is spoken above it.
type guarding struct {
	net.Listener
	limiter *limit.Limiter
}

func (g guarding) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := addressOf(conn.RemoteAddr())
		if g.limiter.Connect(from) {
			return &guarded{Conn: conn, from: from, limiter: g.limiter}, nil
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // whoever floods leaves nothing behind here
		}
		conn.Close()
		g.limiter.Tell(limit.Connections, from.String())
	}
}

// addressOf is the address of a peer, not valid where it has none.
func addressOf(peer net.Addr) netip.Addr {
	tcp, ok := peer.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}

// guarded is a connection that was taken.
type guarded struct {
	net.Conn
	from    netip.Addr
	limiter *limit.Limiter
	closed  sync.Once

	// active is set from the end of a request's header until its answer was sent, and got
	// is how much of a header has come before. late is set when the last thing on the
	// connection was that nothing came in time.
	active, late atomic.Bool
	got          atomic.Int64
	encrypted    atomic.Bool
	// over is set when the client was told that it was late: nothing follows that.
	over atomic.Bool
}

func (g *guarded) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	if !g.active.Load() {
		g.got.Add(int64(n))
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		g.late.Store(true)
	}
	return n, err
}

func (g *guarded) Write(b []byte) (int, error) {
	if g.over.Load() {
		return 0, net.ErrClosed
	}
	if g.late.Load() { // net/http has something to say itself, of a line that broke off
		g.late.Store(false)
	}
	return g.Conn.Write(b)
}

// SetReadDeadline begins another wait: net/http sets one for each header, and none when it
// has come.
func (g *guarded) SetReadDeadline(t time.Time) error {
	g.late.Store(false)
	return g.Conn.SetReadDeadline(t)
}

func (g *guarded) SetDeadline(t time.Time) error {
	g.late.Store(false)
	return g.Conn.SetDeadline(t)
}

// CloseWrite is how net/http has a client read its last answer.
func (g *guarded) CloseWrite() error {
	if c, ok := g.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}

func (g *guarded) Close() error {
	g.closed.Do(func() {
		if g.late.Load() && !g.active.Load() && g.got.Load() > 0 {
			if g.encrypted.Load() {
				g.limiter.Tell(limit.HeaderTimeout, g.from.String())
			} else {
				g.timedOut(g.Conn)
			}
		}
		g.limiter.Disconnect(g.from)
	})
	return g.Conn.Close()
}

// requestTimeout is what a client is told that did not finish the header of its request in
// time (RFC 9110 section 15.5.9). net/http would say nothing.
const requestTimeout = "HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n408 Request Timeout"

// timedOut says so on to, which is the connection or TLS above it.
func (g *guarded) timedOut(to net.Conn) {
	g.limiter.Tell(limit.HeaderTimeout, g.from.String())
	_ = to.SetWriteDeadline(time.Now().Add(time.Second)) // there is room for it, or nobody reads
	_, _ = to.Write([]byte(requestTimeout))
	g.over.Store(true)
}

// guardState is told by net/http what becomes of a connection. It calls a request active
// that has begun to come and whose header did not end in time, too, right before it
// closes the connection.
func guardState(conn net.Conn, state http.ConnState) {
	above, encrypted := conn.(*tls.Conn)
	below := conn
	if encrypted {
		below = above.NetConn()
	}
	g, ok := below.(*guarded)
	if !ok {
		return
	}
	switch state {
	case http.StateNew:
		g.encrypted.Store(encrypted)
	case http.StateActive:
		g.active.Store(true)
		if g.late.Load() && (!encrypted || above.ConnectionState().NegotiatedProtocol != "h2") {
			g.timedOut(conn)
		}
	case http.StateIdle:
		g.got.Store(0)
		g.active.Store(false)
	}
}
