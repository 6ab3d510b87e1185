package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io/fs"
	"math/big"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"
)

// sentinel is part of every secret in these tests; it must never be seen.
const sentinel = "hunter2"

// pair is a certificate and its key in PEM, as files of the world.
var pair = sync.OnceValues(func() (cert, key []byte) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		panic(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
})

// world is the outside of a test: /etc/claimproxy with a file for each case, and a
// few variables. Every relative name in a configuration leads there.
func world() Env {
	cert, key := pair()
	files := fstest.MapFS{
		"secret":           {Data: []byte(sentinel + "-file\n"), Mode: 0o600},
		"secret-crlf":      {Data: []byte(sentinel + "-crlf\r\n"), Mode: 0o600},
		"secret-lines":     {Data: []byte(sentinel + "\n\n"), Mode: 0o600},
		"secret-open":      {Data: []byte(sentinel + "-open"), Mode: 0o644},
		"secret-empty":     {Data: []byte("\n"), Mode: 0o600},
		"invent-secret":    {Data: []byte(sentinel), Mode: 0o640},
		"session-secret":   {Data: []byte("4vzgQ0tmyGgF5hJ8O2kVfW3n1uRrLq7XcZsYb6TdAeI\n"), Mode: 0o600},
		"secret-words":     {Data: []byte("correct horse battery staple, " + sentinel + " correct horse\n"), Mode: 0o600},
		"secret-short":     {Data: []byte("c2hvcnQtaHVudGVyMg\n"), Mode: 0o600},
		"redis-password":   {Data: []byte(sentinel), Mode: 0o640},
		"redis-ca.pem":     {Data: cert, Mode: 0o644},
		"invent-ca.pem":    {Data: cert, Mode: 0o644},
		"authority.pem":    {Data: cert, Mode: 0o644},
		"acme-key":         {Data: []byte("c2VjcmV0LWh1bnRlcjI\n"), Mode: 0o600},
		"invent-keys":      {Data: []byte(`	{"keys": [{"kty": "EC", "crv": "P-256", "kid": "a", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`), Mode: 0o644},
		"no-keys":          {Data: []byte(`{"keys": [{"kty": "oct", "k": "AAAA"}]}`), Mode: 0o644},
		"tls/cert.pem":     {Data: cert, Mode: 0o644},
		"tls/key.pem":      {Data: key, Mode: 0o600},
		"not-pem":          {Data: []byte("hello"), Mode: 0o644},
		"cred/client":      {Data: []byte(sentinel + "-credential"), Mode: 0o444},
		"cred/emptiness":   {Data: nil, Mode: 0o444},
		"rawdata-ca.pem":   {Data: cert, Mode: 0o644},
		"rawdata/cert.pem": {Data: cert, Mode: 0o644},
		"rawdata/key.pem":  {Data: key, Mode: 0o600},
	}
	name := func(path string) string {
		return strings.TrimPrefix(filepath.ToSlash(path), "/etc/claimproxy/")
	}
	variables := map[string]string{
		"CLIENT_SECRET": sentinel + "-env", "USERFEEDBACK_CLIENT_SECRET": sentinel, "EMPTY": "", "CREDENTIALS_DIRECTORY": "/etc/claimproxy/cred",
	}
	return Env{
		LookupEnv: func(name string) (string, bool) { v, ok := variables[name]; return v, ok },
		ReadFile:  func(path string) ([]byte, error) { return fs.ReadFile(files, name(path)) },
		Stat:      func(path string) (fs.FileInfo, error) { return fs.Stat(files, name(path)) },
		Glob:      func(string) ([]string, error) { return nil, nil },
	}
}

// parse parses a text as /etc/claimproxy/claimproxy.yaml in the world.
func parse(text string) (*Config, *Report) {
	return Parse("/etc/claimproxy/claimproxy.yaml", []byte(text), world())
}

// mustParse fails the test for a text with faults.
func mustParse(t *testing.T, text string) *Config {
	t.Helper()
	c, r := parse(text)
	if c == nil {
		t.Fatalf("faults:\n%s", rendered(t, r))
	}
	return c
}

// rendered is the report as people see it.
func rendered(t *testing.T, r *Report) string {
	t.Helper()
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), sentinel) {
		t.Errorf("a secret can be read in the report:\n%s", b.String())
	}
	return b.String()
}

// errorLines are the errors of a text, one line each, without file names.
func errorLines(t *testing.T, text string) []string {
	t.Helper()
	_, r := parse(text)
	rendered(t, r)
	var lines []string
	for _, f := range r.Errors {
		lines = append(lines, strings.TrimPrefix(f.Error(), "/etc/claimproxy/claimproxy.yaml:"))
	}
	return lines
}
