package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateAge is how long a certificate is used before its files are looked at
// again.
const certificateAge = 5 * time.Second

// certificate is a TLS certificate that follows its files. Files that do not fit
// together, such as in the moment between writing one and the other, leave the
// old certificate in use.
type certificate struct {
	certFile, keyFile string
	now               func() time.Time
	log               *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	stamp   string // of the files that current was read from
	looked  time.Time
}

// load reads the files for the first time.
func (c *certificate) load() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked = c.now()
	return c.read()
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.looked) >= certificateAge {
		c.looked = now
		if err := c.read(); err != nil {
			c.log.Warn("the certificate's files cannot be used; the old one stays", "error", err)
		}
	}
	return c.current, nil
}

// read replaces the certificate if the files have changed.
func (c *certificate) read() error {
	stamp, err := stampOf(c.certFile, c.keyFile)
	if err != nil || stamp == c.stamp {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	if c.current != nil {
		c.log.Info("the certificate was read again", "file", c.certFile)
	}
	c.current, c.stamp = &pair, stamp
	return nil
}

// leaf is the certificate itself.
func (c *certificate) leaf() *x509.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current.Leaf
}

// stampOf tells a changed file from an unchanged one, also where files are
// symbolic links that are swapped.
func stampOf(files ...string) (string, error) {
	stamp := ""
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			return "", err
		}
		stamp += fmt.Sprintf("%d %d\n", info.Size(), info.ModTime().UnixNano())
	}
	return stamp, nil
}
