package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// way is how requests come to a contender.
type way int

const (
	plainly way = iota
	// overTLS is HTTP/1.1 over connections that are kept.
	overTLS
	// resuming is a new connection for each request, whose TLS session is resumed.
	resuming
	// overHTTP2 is all requests as streams of one connection.
	overHTTP2
)

func (m way) scheme() string {
	if m == plainly {
		return "http://"
	}
	return "https://"
}

// dialer returns what makes the clients of one contender.
func (m way) dialer(addr string) func() client {
	config := clientTLS()
	switch m {
	case overTLS:
		return func() client { return newConnection(addr, config) }
	case resuming:
		return func() client { return &oneShot{connection: newConnection(addr, config)} }
	case overHTTP2:
		h := &http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}}
		return func() client { return &stream{client: h, addr: addr} }
	}
	return plain(addr)
}

// plain makes clients for HTTP/1.1 over plain TCP.
func plain(addr string) func() client {
	return func() client { return newConnection(addr, nil) }
}

func (c *contender) dialer() func() client {
	if c.dial == nil {
		return plain(c.addr)
	}
	return c.dial
}

// clientTLS believes any certificate: the contenders are on loopback and were just started.
func clientTLS() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", ClientSessionCache: tls.NewLRUClientSessionCache(0)}
}

// oneShot opens a connection for each request.
type oneShot struct {
	*connection
	ctx context.Context
}

func (o *oneShot) open(ctx context.Context) error { o.ctx = ctx; return nil }

func (o *oneShot) exchange(s *shot) error {
	if err := o.connection.open(o.ctx); err != nil {
		return err
	}
	defer o.connection.Close()
	return o.connection.exchange(s)
}

func (o *oneShot) Close() error { return nil }

// stream sends requests over the HTTP/2 connection that the client shares with others.
type stream struct {
	client *http.Client
	addr   string
	ctx    context.Context
	bytes  []byte // what request was read of
	sent   *http.Request
}

func (s *stream) open(ctx context.Context) error { s.ctx = ctx; return nil }
func (s *stream) Close() error                   { return nil }

func (s *stream) exchange(shot *shot) error {
	if s.sent == nil || &s.bytes[0] != &shot.request[0] {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(shot.request)))
		if err != nil {
			return err
		}
		r.URL.Scheme, r.URL.Host, r.RequestURI = "https", s.addr, ""
		s.bytes, s.sent = shot.request, r
	}
	res, err := s.client.Do(s.sent.WithContext(s.ctx))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.ProtoMajor != 2 {
		return fmt.Errorf("want an answer over HTTP/2, got one over %s", res.Proto)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	header := bytes.NewBufferString("HTTP/2.0 " + res.Status + "\r\n")
	_ = res.Header.Write(header)
	return shot.want.check(header.Bytes(), body)
}

// certificate is one for localhost with a P-256 key, in files.
type certificate struct{ cert, key string }

func newCertificate(dir string) (*certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(24 * time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	c := &certificate{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	if err := os.WriteFile(c.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600); err != nil {
		return nil, err
	}
	return c, os.WriteFile(c.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// bareTLS is bareProxy with TLS of its own.
func bareTLS(path string, m way) maker {
	return maker{"ReverseProxy", func(w *world) (*contender, error) {
		c, err := w.certificate()
		if err != nil {
			return nil, err
		}
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		p, err := w.start(addr, true, []string{fmt.Sprintf("%s=bare %s %s %s %s", roleVariable, addr, w.upstream, c.cert, c.key)}, "")
		if err != nil {
			return nil, err
		}
		return &contender{
			process: p, addr: addr, forwards: true, dial: m.dialer(addr),
			next: always(request("localhost", path), fromUpstream(path, "-", 0)),
		}, nil
	}}
}
