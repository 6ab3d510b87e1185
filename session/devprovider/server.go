package devprovider

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Server is a Provider that listens, in the manner of httptest.Server.
type Server struct {
	*Provider
	// URL is the address it listens on, without a path.
	URL string

	server   *http.Server
	cancel   context.CancelFunc
	handlers sync.WaitGroup
	serving  chan struct{}
	closing  sync.Mutex
	closed   bool
}

// Listen listens on a TCP address and insists that it is a loopback one.
func Listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	if !loopbackAddr(l.Addr()) {
		l.Close()
		return nil, fmt.Errorf("listening on %s: the development provider is for loopback addresses only", address)
	}
	return l, nil
}

// NewServer makes a Provider and serves it on a free port of 127.0.0.1. The
// caller closes it. It panics when it cannot listen.
func NewServer(opts Options) *Server {
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		panic("devprovider: " + err.Error())
	}
	if opts.Issuer == "" || strings.HasPrefix(opts.Issuer, "/") {
		opts.Issuer = "http://" + l.Addr().String() + opts.Issuer
	}
	return Serve(l, New(opts))
}

// NewTLSServer is NewServer with https and the given certificate.
func NewTLSServer(opts Options, certificate tls.Certificate) *Server {
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		panic("devprovider: " + err.Error())
	}
	if opts.Issuer == "" || strings.HasPrefix(opts.Issuer, "/") {
		opts.Issuer = "https://" + l.Addr().String() + opts.Issuer
	}
	s := Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate}}), New(opts))
	s.URL = "https://" + l.Addr().String()
	return s
}

// Serve serves a Provider on a listener of Listen until Close. A closed server's
// Provider may be served again, on another listener of the same address: that is
// a provider which was away for a while and comes back with all it knew.
func Serve(l net.Listener, p *Provider) *Server {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{Provider: p, URL: "http://" + l.Addr().String(), cancel: cancel, serving: make(chan struct{})}
	s.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !s.begin() {
				panic(http.ErrAbortHandler)
			}
			defer s.handlers.Done()
			p.ServeHTTP(w, r)
		}),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	go func() {
		defer close(s.serving)
		if err := s.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			panic(fmt.Sprintf("devprovider: serving: %v", err))
		}
	}()
	return s
}

// begin counts a request in, unless the server is closing.
func (s *Server) begin() bool {
	s.closing.Lock()
	defer s.closing.Unlock()
	if !s.closed {
		s.handlers.Add(1)
	}
	return !s.closed
}

// Close ends the listener, all connections and the requests that hang, and
// returns when no handler runs any more. It may be called again.
func (s *Server) Close() {
	s.closing.Lock()
	s.closed = true
	s.closing.Unlock()
	s.cancel()
	s.server.Close()
	s.handlers.Wait()
	<-s.serving
}
