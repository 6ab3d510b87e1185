package main

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
)

// TestAnswersOfWhoLeavesCloseTheirConnection, in HTTP/1 and HTTP/2, and none before.
func TestAnswersOfWhoLeavesCloseTheirConnection(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(name, func(t *testing.T) {
			l := &leaving{next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) })}
			server := httptest.NewUnstartedServer(l)
			server.EnableHTTP2 = http2
			server.StartTLS()
			defer server.Close()
			transport := server.Client().Transport.(*http.Transport)
			transport.TLSClientConfig = &tls.Config{RootCAs: transport.TLSClientConfig.RootCAs}

			// ask reports whether the request went over a connection that was there before.
			ask := func() (reused bool) {
				trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused }}
				req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, server.URL, nil)
				if err != nil {
					t.Fatal(err)
				}
				res, err := server.Client().Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				if body, err := io.ReadAll(res.Body); err != nil || string(body) != name {
					t.Fatalf("got %q, %v, want %s", body, err, name)
				}
				return reused
			}
			if ask() || !ask() {
				t.Fatal("before: want one connection for all requests")
			}
			l.leaving.Store(true)
			if !ask() {
				t.Error("a connection was closed before a request that it could take")
			}
			for range 2 {
				if ask() {
					t.Error("a connection was used again after an answer that closes it")
				}
			}
		})
	}
}

func TestAnUpgradeOfWhoLeavesIsLeftAlone(t *testing.T) {
	l := &leaving{next: http.NotFoundHandler()}
	l.leaving.Store(true)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Upgrade", "websocket")
	w := httptest.NewRecorder()
	l.ServeHTTP(w, r)
	if got := w.Header()["Connection"]; got != nil {
		t.Errorf("got Connection %q, want none", got)
	}
}

// TestARequestThatComesWithTheLastConnectionIsAnswered: it was taken before the listener
// closed, and its request comes after that.
func TestARequestThatComesWithTheLastConnectionIsAnswered(t *testing.T) {
	l := &leaving{next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "an answer") })}
	taken := make(chan struct{}, 1)
	server := &http.Server{Handler: l, ConnState: func(c net.Conn, state http.ConnState) {
		l.connState(c, state)
		if state == http.StateNew {
			taken <- struct{}{}
		}
	}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { defer close(served); server.Serve(listener) }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	<-taken
	l.leaving.Store(true)
	drained := make(chan error, 1)
	go func() { drained <- l.drain(t.Context(), server, []net.Listener{listener}) }()
	<-served // the listener is closed
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(answer), "an answer") || !strings.Contains(string(answer), "Connection: close") {
		t.Errorf("got %q, %v", answer, err)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// TestDrainingAgreesWithNetHTTP, which closes the same listeners once more if it has not
// noticed yet that they are.
func TestDrainingAgreesWithNetHTTP(t *testing.T) {
	l := &leaving{next: http.NotFoundHandler()}
	server := &http.Server{Handler: l, ConnState: l.connState}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	slow := &slowToNotice{Listener: listener, accepts: make(chan struct{}), noticed: make(chan struct{})}
	go server.Serve(slow)
	<-slow.accepts
	if err := l.drain(t.Context(), server, []net.Listener{slow}); err != nil {
		t.Error(err)
	}
	if n := slow.closed.Load(); n != 2 {
		t.Errorf("it was closed %d times, want 2", n)
	}
}

// slowToNotice is a listener whose Accept ends when it is closed for the second time.
type slowToNotice struct {
	net.Listener
	accepts, noticed chan struct{}
	closed           atomic.Int32
}

func (s *slowToNotice) Accept() (net.Conn, error) {
	close(s.accepts)
	<-s.noticed
	return nil, net.ErrClosed
}

func (s *slowToNotice) Close() error {
	if s.closed.Add(1) == 2 {
		close(s.noticed)
	}
	return s.Listener.Close()
}
