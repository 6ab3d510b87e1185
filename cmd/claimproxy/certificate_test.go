package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// writePair writes a certificate for name and its key.
func writePair(t *testing.T, dir, name string, written time.Time) {
	t.Helper()
	writePairFor(t, dir, written, name)
}

// writePairFor writes a certificate for hosts, the first of which is its name.
func writePairFor(t *testing.T, dir string, written time.Time, hosts ...string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: hosts[0]}, DNSNames: hosts,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: cert},
		"key.pem":  {Type: "EC PRIVATE KEY", Bytes: der},
	} {
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, written, written); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCertificateFollowsItsFiles(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	writePair(t, dir, "first", now)
	c := &certificate{
		certFile: filepath.Join(dir, "cert.pem"), keyFile: filepath.Join(dir, "key.pem"),
		now: func() time.Time { return now }, log: slog.New(slog.DiscardHandler),
	}
	if err := c.load(); err != nil {
		t.Fatal(err)
	}
	served := func() string {
		t.Helper()
		pair, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.Subject.CommonName
	}
	if got := served(); got != "first" {
		t.Errorf("at start: got %q, want first", got)
	}

	writePair(t, dir, "second", now.Add(time.Minute))
	if got := served(); got != "first" {
		t.Errorf("before it is looked at again: got %q, want first", got)
	}
	now = now.Add(certificateAge)
	if got := served(); got != "second" {
		t.Errorf("after the files changed: got %q, want second", got)
	}

	if err := os.WriteFile(c.certFile, []byte("half written"), 0o600); err != nil {
		t.Fatal(err)
	}
	now = now.Add(certificateAge)
	if got := served(); got != "second" {
		t.Errorf("while the files do not fit together: got %q, want second", got)
	}
	writePair(t, dir, "third", now.Add(time.Hour))
	now = now.Add(certificateAge)
	if got := served(); got != "third" {
		t.Errorf("when they fit again: got %q, want third", got)
	}
}

func TestServingWithoutItsCertificateIsRefused(t *testing.T) {
	c := &certificate{certFile: filepath.Join(t.TempDir(), "none"), keyFile: "none", now: time.Now, log: slog.New(slog.DiscardHandler)}
	if err := c.load(); err == nil {
		t.Error("got no error for a certificate that is not there")
	}
}
