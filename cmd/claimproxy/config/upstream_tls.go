package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// ReadTLS reads the files that say how the https servers of an upstream are spoken with.
// files are their texts; the result is nil where the configuration says nothing of TLS.
func (u *Upstream) ReadTLS() (c *tls.Config, files [3]string, err error) {
	if u.CA == "" && u.Cert == "" && u.ServerName == "" {
		return nil, files, nil
	}
	for i, file := range []string{u.CA, u.Cert, u.Key} {
		if file == "" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, files, err
		}
		files[i] = string(text)
	}
	c = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.ServerName}
	if u.CA != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(files[0])) {
			return nil, files, fmt.Errorf("ca: %q has no certificate in PEM", u.CA)
		}
	}
	if u.Cert != "" {
		pair, err := tls.X509KeyPair([]byte(files[1]), []byte(files[2]))
		if err != nil {
			return nil, files, fmt.Errorf("cert: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, files, nil
}
